// SPDX-License-Identifier: MIT
#include "distributed/nccl/nccl_ranks.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "distributed/nccl/nccl_hub.h"
#include "distributed/nccl/nccl_messages.h"
#include "distributed/store/store_group.h"

namespace tessera {

using Kind = Communication::Kind;

namespace {
class NcclRank : public Communicator {
 public:
  NcclRank(std::shared_ptr<NcclHub> hub, StoreGroup hosts)
      : hub_(std::move(hub)), hosts_(std::move(hosts)) {}
  ~NcclRank() override {
    if (group_) hub_->close(group_);
  }

  int rank() const override { return hosts_.rank(); }
  int size() const override { return hosts_.size(); }

  void settle(Context& context) override {
    if (context.dry_run || context.device == Device::Cpu) return;
    hub_->wait_for_stream(context.stream);
  }

  /// Ranks that have another NCCL than rank 0 are named.
  void compare_versions() {
    NcclVersion own{};
    hub_->library().version().copy(own.data(), own.size() - 1);
    std::vector<NcclVersion> all(static_cast<std::size_t>(size()));
    Communication call{.kind = Kind::AllGather};
    call.send = Tensor(own.data(), DType::U8, {std::ssize(own)});
    call.receive = Tensor(all.data(), DType::U8, {size() * std::ssize(own)});
    hosts_.carry_out(call);
    for (std::size_t i = 1; i < all.size(); ++i) {
      require(all[i] == all[0], "ranks", "rank {} has NCCL {}, rank 0 has {}", i, all[i].data(),
              all[0].data());
    }
  }

 protected:
  std::unique_ptr<Communicator> make_group(int colour) override {
    hub_->throw_if_aborted();
    return std::make_unique<NcclRank>(hub_, hosts_.split(colour));
  }

  void end_others(const std::string& reason) noexcept override {
    try {
      hub_->client().abort(ended_with(hub_->client().rank(), reason));
    } catch (const std::exception&) {
      // No memory for the words: the others see that the connection ends.
    }
  }

  void carry_out(Context& context, const Communication& call) override {
    hub_->throw_if_aborted();
    const auto is_on_gpu = [](const Tensor& x) { return x && x.device() == Device::Cuda; };
    if (!is_on_gpu(call.send) && !is_on_gpu(call.receive)) {
      return hosts_.carry_out(call, may_last());
    }
    for (const Tensor& x : {call.send, call.receive}) {
      require(!x || is_on_gpu(x), "ranks", "{}: one tensor is on the GPU, and {} is not",
              name_of(call.kind), x.describe());
    }
    hub_->doing(call.describe());
    if (call.kind == Kind::Send) return messages().send(context, call);
    if (call.kind == Kind::Receive) return messages().receive(context, call);
    if (!group_) begin();
    hub_->enqueue(group_, call, context.stream);
  }

 private:
  using NcclVersion = std::array<char, 32>;

  /// At the first call with a tensor on the GPU, which all ranks of the group make: a group that
  /// only talks from the host takes nothing of the GPU.
  void begin() {
    NcclLibrary::Id id{};
    if (rank() == 0) hub_->library().make_id(id);
    Communication call{.kind = Kind::Broadcast, .peer = 0};
    call.send = call.receive = Tensor(id.data(), DType::U8, {std::ssize(id)});
    hosts_.carry_out(call);
    group_ = hub_->begin_group(id, rank(), size());
  }

  NcclMessages& messages() {
    if (!messages_) messages_.emplace(*hub_, hosts_);
    return *messages_;
  }

  std::shared_ptr<NcclHub> hub_;
  StoreGroup hosts_;
  void* group_ = nullptr;
  std::optional<NcclMessages> messages_;
};
}  // namespace

std::string gpu_of_rank(const std::string& visible, int local_rank) {
  if (visible.empty()) return std::to_string(local_rank);
  std::vector<std::string> all;
  for (std::size_t at = 0; at <= visible.size();) {
    const std::size_t comma = std::min(visible.find(',', at), visible.size());
    all.push_back(visible.substr(at, comma - at));
    at = comma + 1;
  }
  if (all.size() == 1) return visible;  // whoever starts the ranks gave each its own
  require(local_rank < std::ssize(all), "ranks",
          "rank {} of this host has no GPU: CUDA_VISIBLE_DEVICES names {} (\"{}\")", local_rank,
          all.size(), visible);
  return all[static_cast<std::size_t>(local_rank)];
}

void see_gpu_of_rank(int local_rank) {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  ::setenv("CUDA_VISIBLE_DEVICES", gpu_of_rank(visible ? visible : "", local_rank).c_str(), 1);
}

int store_port(int master_port) {
  const char* taken = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  return taken && std::string_view(taken) == "True" ? master_port + 1 : master_port;
}

std::unique_ptr<Communicator> make_nccl_ranks(const NcclPlace& place, const NcclOptions& options) {
  const auto hub = std::make_shared<NcclHub>(place, options);
  std::vector<int> all(static_cast<std::size_t>(place.size));
  std::iota(all.begin(), all.end(), 0);
  // Ranks may take long to come to the first call, and not to the later ones.
  auto first =
      std::make_unique<NcclRank>(hub, StoreGroup(hub->client(), "hello", all, options.join_limit));
  first->compare_versions();
  return std::make_unique<NcclRank>(
      hub, StoreGroup(hub->client(), "world", std::move(all), options.hang_limit));
}

}  // namespace tessera
