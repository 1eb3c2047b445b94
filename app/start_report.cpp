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

RankCount::RankCount(const StartReport& report, int world) : report_(report), world_(world) {
  report_.phase(StartPhase::Kind::Starting, 0, world_);
}

void RankCount::one_more() {
  if (begun_ == world_) return;
  const bool all = ++begun_ == world_;
  report_.phase(all ? StartPhase::Kind::Greeting : StartPhase::Kind::Starting, begun_, world_);
}

}  // namespace tessera::app
