// SPDX-License-Identifier: MIT
#include "core/train/train_run.h"

#include <optional>

#include "core/base/log.h"
#include "core/train/run_desk.h"
#include "core/train/run_loop.h"

namespace tessera {

RunState train_run(const RunFolder& folder, Communicator& ranks, const TrainRunOptions& options) {
  std::optional<RunLock> lock;
  std::optional<EventSink> events;
  try {
    if (ranks.rank() == 0) {
      if (!options.locked) lock.emplace(folder);
      log::set_file(folder.log_path(0));
      events.emplace(folder, options.on_event);
    }
    const RunSpec spec = folder.spec();
    std::optional<RunDesk> desk;
    if (events) desk.emplace(folder, spec, options, *events);
    return RunLoop(folder, spec, ranks, options, desk ? &*desk : nullptr).train();
  } catch (const std::exception& error) {
    log::info("the run fails: {}", error.what());  // whoever catches it shows it
    if (events) events->failed(error.what());
    ranks.abort(error.what());
    throw;
  }
}

}  // namespace tessera
