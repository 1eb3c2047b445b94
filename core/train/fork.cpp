// SPDX-License-Identifier: MIT
#include "core/train/fork.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/base/error.h"
#include "core/config/paths.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
/// A second name for a file that nobody writes again; a copy on another disk, and where the file
/// system has no links.
void link_or_copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) fs::copy_file(from, to, error);
  if (error) {
    throw Error(to.string(),
                fmt::format("cannot be made from {}: {}", from.string(), error.message()),
                error == std::errc::no_space_on_device ? "free some space on this disk" : "");
  }
}

/// The files of a folder and of those in it, but for `left_out`.
void link_folder(const fs::path& from, const fs::path& to, const fs::path& left_out = {}) {
  std::error_code error;
  fs::create_directories(to, error);
  if (error) throw Error(to.string(), "cannot be made: " + error.message());
  fs::recursive_directory_iterator it(from, error), end;
  for (; !error && it != end; it.increment(error)) {
    const fs::path inside = it->path().lexically_relative(from);
    if (it->is_directory()) {
      fs::create_directories(to / inside, error);
    } else if (inside != left_out) {
      link_or_copy(it->path(), to / inside);
    }
  }
  if (error) throw Error(from.string(), "cannot be read: " + error.message());
}

/// Under another name first: a folder under the name of a checkpoint is whole.
void link_checkpoint(const fs::path& from, const RunFolder& fork) {
  const fs::path to = fork.checkpoints_path() / from.filename();
  const fs::path temporary =
      fork.checkpoints_path() / fmt::format(".tmp-{}-{}", from.filename().string(), ::getpid());
  link_folder(from, temporary, "pinned");  // what the parent keeps for ever, the fork need not
  std::error_code error;
  fs::rename(temporary, to, error);
  if (error) throw Error(to.string(), "cannot be made: " + error.message());
}

bool has_own_shards(const RunFolder& run) {
  return fs::exists(run.shards_path() / "manifest.json");
}
}  // namespace

RunFolder fork_run(const RunFolder& parent, const CheckpointInfo& checkpoint, RunSpec spec,
                   const fs::path& runs) {
  if (spec.data.shards.empty() && !has_own_shards(parent)) {
    spec.data.shards = parent.spec().data.shards;
  }
  const RunFolder fork = RunFolder::create(
      runs, spec,
      Lineage{parent.id(), parent.path().string(), checkpoint.path.string(), checkpoint.step});
  try {
    link_checkpoint(checkpoint.path, fork);
    if (spec.data.shards.empty() && has_own_shards(parent)) {
      link_folder(parent.shards_path(), fork.shards_path());
    }
    if (fs::exists(parent.tokenizer_path())) {
      link_or_copy(parent.tokenizer_path(), fork.tokenizer_path());
    }
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove_all(fork.path(), ignored);
    throw;
  }
  return fork;
}

fs::path checkpoint_of(const RunFolder& fork, const Lineage& lineage) {
  const fs::path then = lineage.checkpoint;
  if (fs::exists(then)) return then;
  const fs::path beside =
      fork.path().parent_path() / lineage.parent / "checkpoints" / then.filename();
  if (fs::exists(beside)) return beside;
  throw Error(fork.path().string(),
              fmt::format("was forked from {}, which is gone; it is not in {} either",
                          then.string(), beside.string()),
              fmt::format("put the run {} back, or copy that checkpoint to {}", lineage.parent,
                          (fork.checkpoints_path() / then.filename()).string()));
}

}  // namespace tessera
