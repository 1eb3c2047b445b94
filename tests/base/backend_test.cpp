// SPDX-License-Identifier: MIT
#include "core/base/backend.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/base/transfer.h"

namespace tessera {
namespace {

/// Names a plugin for as long as it lives.
class NamedPlugin {
 public:
  explicit NamedPlugin(const std::string& path) {
    ::setenv("TESSERA_CUDA_PLUGIN", path.c_str(), 1);
  }
  ~NamedPlugin() { ::unsetenv("TESSERA_CUDA_PLUGIN"); }
  NamedPlugin(const NamedPlugin&) = delete;
  NamedPlugin& operator=(const NamedPlugin&) = delete;
};

std::string failure_of_loading() {
  try {
    load_cuda_backend();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "cuda");
    return error.what();
  }
  return {};
}

TEST(Backend, SaysWhereItLookedForAMissingPlugin) {
  if (cuda_backend()) GTEST_SKIP() << "a CUDA backend is loaded";
  const NamedPlugin plugin("/nowhere/libtessera_cuda.so");
  const std::string message = failure_of_loading();
  EXPECT_NE(message.find("/nowhere/libtessera_cuda.so"), std::string::npos) << message;
  EXPECT_NE(message.find("hint"), std::string::npos) << message;
  EXPECT_TRUE(devices().empty());
}

TEST(Backend, RefusesAFileThatIsNoLibrary) {
  if (cuda_backend()) GTEST_SKIP() << "a CUDA backend is loaded";
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "no_library.so";
  std::ofstream(file) << "text";
  const NamedPlugin plugin(file.string());
  EXPECT_NE(failure_of_loading().find("cannot load"), std::string::npos);
  EXPECT_TRUE(devices().empty());
}

TEST(Backend, KnowsWhichGpusItsCodeIsFor) {
  EXPECT_TRUE(has_code_for("90a", 9, 0));
  EXPECT_FALSE(has_code_for("90a", 8, 0));
  EXPECT_FALSE(has_code_for("90a", 12, 0)) << "code with an a runs on no other GPU";
  EXPECT_TRUE(has_code_for("80,89,90a,120", 8, 6)) << "a later minor version runs older code";
  EXPECT_TRUE(has_code_for("80,89,90a,120", 12, 0));
  EXPECT_TRUE(has_code_for("80,89,90a,120", 10, 0)) << "from PTX";
  EXPECT_FALSE(has_code_for("80-real,90a", 10, 0));
  EXPECT_TRUE(has_code_for("80-real", 8, 9));
  EXPECT_FALSE(has_code_for("89", 8, 6)) << "older than the code";
  EXPECT_FALSE(has_code_for("80", 9, 0)) << "Hopper's kernels are not in it";
  EXPECT_TRUE(has_code_for("80-virtual", 8, 0));
  EXPECT_FALSE(has_code_for("", 9, 0));
}

TEST(Backend, ListsGpusWithNamesAndMemory) {
  const std::vector<DeviceInfo> all = devices();
  if (all.empty()) GTEST_SKIP() << "there is no GPU here";
  for (const DeviceInfo& device : all) {
    EXPECT_FALSE(device.name.empty());
    EXPECT_GT(device.memory_bytes, device.free_bytes / 2);
    EXPECT_GE(device.major, 1);
  }
}

TEST(Transfer, CopiesOfHostTensorsAreTheTensorsThemselves) {
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  const Tensor x(values.data(), DType::F32, {2, 3});
  const HostCopy copy(x);
  EXPECT_EQ(copy->raw(), x.raw());
  EXPECT_EQ(host_values<float>(x), values);
  EXPECT_THROW(host_values<double>(x), Error);
  EXPECT_THROW(host_values<float>(x.slice(1, 0, 2)), Error) << "not contiguous";
  const std::vector<float> other{6, 5, 4, 3, 2, 1};
  copy_from_host(other.data(), x);
  EXPECT_EQ(values, other);
}

}  // namespace
}  // namespace tessera
