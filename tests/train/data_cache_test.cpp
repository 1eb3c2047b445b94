// SPDX-License-Identifier: MIT
#include "core/train/data_cache.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace tessera {
namespace {

namespace fs = std::filesystem;

class Cache : public testing::Test {
 protected:
  Cache() {
    std::string name = (fs::temp_directory_path() / "tessera-cache-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    source_ = path_ / "source";
    fs::create_directories(source_);
    write(source_ / "a.tokens", std::string(5000, 'a'));
    write(source_ / "manifest.json", "{}");
  }
  ~Cache() override { fs::remove_all(path_); }

  static void write(const fs::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  std::string keep(const DataCache& cache, const std::string& name) const {
    return cache.keep(name, source_, {"a.tokens", "manifest.json"}, "a source");
  }

  fs::path path_, source_;
};

TEST_F(Cache, GivesBackWhatItKept) {
  const DataCache cache(path_ / "cache");
  EXPECT_FALSE(cache.fetch("one", path_ / "run"));
  EXPECT_EQ(keep(cache, "one"), "");
  EXPECT_EQ(keep(cache, "one"), "");  // there already
  ASSERT_TRUE(cache.fetch("one", path_ / "run"));
  EXPECT_EQ(read(path_ / "run/a.tokens"), std::string(5000, 'a'));
  EXPECT_EQ(read(path_ / "run/manifest.json"), "{}");
  EXPECT_FALSE(fs::exists(path_ / "run/entry.json"));
  // Shards share their blocks; what may be written anew does not.
  EXPECT_TRUE(fs::equivalent(path_ / "run/a.tokens", source_ / "a.tokens"));
  EXPECT_FALSE(fs::equivalent(path_ / "run/manifest.json", source_ / "manifest.json"));
  const auto entries = cache.entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].name, "one");
  EXPECT_EQ(entries[0].label, "a source");
  EXPECT_GT(entries[0].bytes, 5000);
}

TEST_F(Cache, ClearedItIsEmptyAndRunsStayWhole) {
  const DataCache cache(path_ / "cache");
  keep(cache, "one");
  keep(cache, "two");
  ASSERT_TRUE(cache.fetch("one", path_ / "run"));
  EXPECT_GT(cache.clear(), 10000);
  EXPECT_TRUE(cache.entries().empty());
  EXPECT_TRUE(fs::is_empty(path_ / "cache"));
  EXPECT_EQ(read(path_ / "run/a.tokens").size(), 5000u);
}

TEST_F(Cache, TheOneUsedLongestAgoMakesRoom) {
  const DataCache cache(path_ / "cache", 12000);
  keep(cache, "one");
  keep(cache, "two");
  const auto now = fs::file_time_type::clock::now();
  fs::last_write_time(path_ / "cache/two", now - std::chrono::hours(2));
  fs::last_write_time(path_ / "cache/one", now - std::chrono::hours(3));
  ASSERT_TRUE(cache.fetch("one", path_ / "run"));  // used now
  EXPECT_EQ(keep(cache, "three"), "");
  EXPECT_FALSE(cache.fetch("two", path_ / "x"));
  EXPECT_TRUE(cache.fetch("one", path_ / "y"));
  EXPECT_TRUE(cache.fetch("three", path_ / "z"));
  // What can never fit is not kept, and says so.
  EXPECT_NE(keep(DataCache(path_ / "small", 100), "one").find("more than"), std::string::npos);
}

TEST_F(Cache, WhatCannotBeKeptIsNotHalfKept) {
  const DataCache cache(path_ / "cache");
  EXPECT_NE(cache.keep("one", source_, {"a.tokens", "missing"}, ""), "");
  EXPECT_TRUE(cache.entries().empty());
  EXPECT_NE(keep(DataCache({}), "one"), "");
  EXPECT_FALSE(DataCache({}).fetch("one", path_ / "run"));
  // An entry without its last file was never finished.
  fs::create_directories(path_ / "cache/torn");
  write(path_ / "cache/torn/a.tokens", "x");
  EXPECT_FALSE(cache.fetch("torn", path_ / "run"));
}

TEST_F(Cache, ManyProcessesMayUseItAtOnce) {
  const DataCache cache(path_ / "cache");
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    const pid_t id = ::fork();
    if (id == 0) {
      bool whole = true;
      for (int i = 0; i < 50; ++i) {
        const std::string name = "entry" + std::to_string(i % 3);
        keep(cache, name);
        const fs::path target = path_ / ("run" + std::to_string(child) + "-" + std::to_string(i));
        if (cache.fetch(name, target)) whole &= read(target / "a.tokens").size() == 5000;
        if (i % 7 == child) cache.clear();
      }
      ::_exit(whole ? 0 : 1);
    }
    children.push_back(id);
  }
  for (const pid_t id : children) {
    int status = 0;
    ::waitpid(id, &status, 0);
    EXPECT_EQ(status, 0);
  }
  for (const CacheEntry& entry : cache.entries())
    EXPECT_TRUE(cache.fetch(entry.name, path_ / "end"));
}

TEST_F(Cache, StandsWhereTheEnvironmentSays) {
  ::setenv("TESSERA_HOME", "/a/home", 1);
  EXPECT_EQ(data_cache_folder(), "/a/home/cache");
  ::unsetenv("TESSERA_HOME");
  ::setenv("XDG_CACHE_HOME", "/a/cache", 1);
  EXPECT_EQ(data_cache_folder(), "/a/cache/tessera");
  ::unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace tessera
