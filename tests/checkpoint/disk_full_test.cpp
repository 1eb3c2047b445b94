// SPDX-License-Identifier: MIT
// A disk that fills up, or a limit on file sizes: earlier checkpoints stay, and nothing else does.
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>

#include "tests/checkpoint/checkpoint_contents.h"

namespace tessera {
namespace {

using namespace testing;
using Names = std::vector<std::string>;

/// Files of this process may not grow beyond `bytes` while this lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int) = nullptr;
};

TEST(DiskFull, WritesThatFailAtAnyByteLeaveTheEarlierOnes) {
  const TemporaryFolder run;
  save_step(run.path(), 1);
  const std::uintmax_t largest = fs::file_size(run / "checkpoints/step-1/optimiser.safetensors");
  for (rlim_t limit : {std::uintmax_t{0}, std::uintmax_t{1}, std::uintmax_t{8}, std::uintmax_t{500},
                       largest / 2, largest - 1}) {
    const SmallCheckpoint second(2);
    std::string message;
    {
      const FileSizeLimit limited(limit);
      message = error_of([&] { save_checkpoint(run.path(), second.contents); });
    }
    EXPECT_TRUE(contains(message, "File too large")) << limit;
    EXPECT_TRUE(contains(message, ".safetensors")) << limit;
    EXPECT_EQ(names_in(run / "checkpoints"), Names{"step-1"}) << limit;
  }
  expect_whole(run / "checkpoints" / "step-1", 1);
  expect_whole(save_step(run.path(), 2), 2);
}

/// A small file system in memory, mounted for one test. Needs the right to mount.
class SmallDisk {
 public:
  explicit SmallDisk(const char* options) {
    mounted_ = ::mount("tessera-test", folder_.path().c_str(), "tmpfs", 0, options) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool is_mounted() const { return mounted_; }
  const fs::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  bool mounted_ = false;
};

TEST(DiskFull, TooLittleSpaceIsSaidBeforeWriting) {
  const SmallDisk disk("size=1m");
  if (!disk.is_mounted()) GTEST_SKIP() << "no right to mount a small disk";
  save_step(disk.path(), 1);
  const SmallCheckpoint large(2, 4000);
  const std::string message = error_of([&] { save_checkpoint(disk.path(), large.contents); });
  EXPECT_TRUE(contains(message, "the disk has "));
  EXPECT_TRUE(contains(message, " bytes free, and 2.5 MiB are needed"));
  EXPECT_EQ(names_in(disk.path() / "checkpoints"), Names{"step-1"});
  expect_whole(disk.path() / "checkpoints" / "step-1", 1);
}

TEST(DiskFull, ADiskThatFillsUpWhileWritingLosesNothing) {
  // Few inodes: creating one of the files fails with ENOSPC although there are bytes to spare.
  // The first checkpoint takes 8 (the root, two folders, five files), the second 6 more.
  for (int inodes = 8; inodes < 14; ++inodes) {
    const SmallDisk disk(fmt::format("size=8m,nr_inodes={}", inodes).c_str());
    if (!disk.is_mounted()) GTEST_SKIP() << "no right to mount a small disk";
    save_step(disk.path(), 1);
    const std::string message = error_of([&] { save_step(disk.path(), 2); });
    EXPECT_TRUE(contains(message, "No space left"));
    EXPECT_EQ(names_in(disk.path() / "checkpoints"), Names{"step-1"}) << inodes;
    expect_whole(disk.path() / "checkpoints" / "step-1", 1);
  }
}

TEST(DiskFull, BytesThatRunOutBehindTheCheckLoseNothing) {
  // The check sees room; a file that grows beside us takes it before the data is written.
  const SmallDisk disk("size=4m");
  if (!disk.is_mounted()) GTEST_SKIP() << "no right to mount a small disk";
  save_step(disk.path(), 1);
  write_file(disk.path() / "other", std::string(3500u << 10, 'x'));
  Tensors memory;
  const Tensor data = memory.numbers({1000, 1000}, 1);
  const std::vector<NamedTensor> tensors{{"w", data}};
  const fs::path path = disk.path() / "w.safetensors";
  const std::string message = error_of([&] { write_safetensors(path, tensors); });
  EXPECT_TRUE(contains(message, "cannot write: No space left on device"));
  EXPECT_TRUE(contains(message, "free some space"));
  EXPECT_FALSE(fs::exists(path));
  expect_whole(disk.path() / "checkpoints" / "step-1", 1);
}

}  // namespace
}  // namespace tessera
