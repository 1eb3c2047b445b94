// SPDX-License-Identifier: MIT
#include "app/start_report.h"

#include "core/base/files.h"
#include "core/launch/start_claim.h"

namespace tessera::app {

StartReport::StartReport(const std::string& files) {
  if (!files.empty()) files_ = StartFiles{files};
}

void StartReport::phase(StartPhase::Kind kind, std::int64_t done, std::int64_t total) const {
  if (files_) write_phase(*files_, {kind, done, total});
}

void StartReport::begin(const std::string& launch) const {
  if (!files_) return;
  claim_start(files_->claim());
  write_file_atomically(files_->launch(), launch + "\n");
}

void StartReport::begun(const std::string& folder) const {
  if (files_) write_file_atomically(files_->id(), folder + "\n");
}

}  // namespace tessera::app
