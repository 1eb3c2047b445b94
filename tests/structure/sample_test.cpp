// SPDX-License-Identifier: MIT
// The sample text that is shipped: complete, readable, small enough, and each part with its origin
// and licence.
#include <gtest/gtest.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

namespace tessera::structure {
namespace {
namespace fs = std::filesystem;

const fs::path kSample = fs::path(TESSERA_SOURCE_DIR) / "resources" / "sample";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string unpack(const std::string& packed) {
  std::string text;
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  std::string buffer(ZSTD_DStreamOutSize(), '\0');
  std::size_t left = 1;
  while (in.pos < in.size) {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    left = ZSTD_decompressStream(context, &out, &in);
    if (ZSTD_isError(left)) break;
    text.append(buffer.data(), out.pos);
  }
  ZSTD_freeDCtx(context);
  EXPECT_EQ(left, 0u) << "cut off or damaged";
  return text;
}

// Part ("web/austen") -> documents, bytes.
using Record = std::map<std::string, nlohmann::json>;
Record record() {
  return nlohmann::json::parse(read(kSample / "parts.json")).get<Record>();
}

TEST(Sample, holds_what_its_record_says) {
  std::set<std::string> recorded, present;
  for (const auto& [part, entry] : record()) {
    SCOPED_TRACE(part);
    recorded.insert(part);
    std::istringstream lines(unpack(read(kSample / (part + ".jsonl.zst"))));
    std::size_t documents = 0, bytes = 0;
    for (std::string line; std::getline(lines, line); ++documents) {
      bytes += nlohmann::json::parse(line).at("text").get_ref<const std::string&>().size();
    }
    EXPECT_EQ(documents, entry.at("documents").get<std::size_t>());
    EXPECT_EQ(bytes, entry.at("bytes").get<std::size_t>());
  }
  for (const auto& file : fs::recursive_directory_iterator(kSample)) {
    if (file.path().extension() != ".zst") continue;
    const fs::path stem = file.path().stem().stem();
    present.insert((file.path().parent_path().filename() / stem).generic_string());
  }
  EXPECT_EQ(recorded, present);
}

TEST(Sample, is_at_most_four_megabytes) {
  std::uintmax_t bytes = 0;
  for (const auto& file : fs::recursive_directory_iterator(kSample)) {
    if (file.path().extension() == ".zst") bytes += file.file_size();
  }
  EXPECT_GT(bytes, 2'000'000u);
  EXPECT_LE(bytes, 4'000'000u);
}

TEST(Sample, follows_the_default_mixture) {
  std::map<std::string, double> share;
  double total = 0;
  for (const auto& [part, entry] : record()) {
    share[part.substr(0, part.find('/'))] += entry.at("bytes").get<double>();
    total += entry.at("bytes").get<double>();
  }
  EXPECT_NEAR(share["web"] / total, 0.70, 0.03);
  EXPECT_NEAR(share["code"] / total, 0.15, 0.03);
  EXPECT_NEAR(share["mathematics"] / total, 0.10, 0.03);
  const double languages = share["multilingual"] + share["chinese"];
  EXPECT_NEAR(languages / total, 0.05, 0.02);
  EXPECT_NEAR(share["chinese"] / languages, 0.30, 0.05);
}

TEST(Sample, names_origin_and_licence_of_each_part) {
  const std::string readme = read(kSample / "README.md");
  std::istringstream lines(readme);
  std::map<std::string, std::string> package_of;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    std::string cell, part, package;
    for (int i = 0; std::getline(cells, cell, '|'); ++i) {
      std::istringstream words(cell);
      if (i == 1) words >> part;
      if (i == 4) words >> package;
      if (i == 6 && part.find('/') != std::string::npos) {
        EXPECT_NE(cell.find_first_not_of(' '), std::string::npos) << part << " has no licence";
      }
    }
    if (part.find('/') != std::string::npos) package_of[part] = package;
  }
  for (const auto& [part, entry] : record()) {
    ASSERT_TRUE(package_of.contains(part)) << part << " is not in the table of README.md";
    const std::string package = package_of[part];
    if (package == "none") continue;  // not from a package; README.md says where from
    EXPECT_TRUE(fs::exists(kSample / "licenses" / (package + ".txt"))) << package;
  }
}

}  // namespace
}  // namespace tessera::structure
