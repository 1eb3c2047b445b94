// SPDX-License-Identifier: MIT
#include "core/schedule/schedule.h"

#include <algorithm>
#include <deque>

#include "core/base/error.h"

namespace tessera {

using Kind = PipelineAction::Kind;
using Actions = std::vector<PipelineAction>;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::Forward:
      return "forward";
    case Kind::Backward:
      return "backward";
    case Kind::InputBackward:
      return "backward of the input";
    case Kind::WeightBackward:
      break;
  }
  return "backward of the weights";
}

std::string describe(const PipelineAction& action) {
  return fmt::format("{} of micro-batch {} in stage {}", name_of(action.kind), action.micro_batch,
                     action.stage);
}

double ActionCosts::of(Kind kind) const {
  switch (kind) {
    case Kind::Forward:
      return forward;
    case Kind::Backward:
      return backward;
    case Kind::InputBackward:
      return backward - weight;
    case Kind::WeightBackward:
      break;
  }
  return weight;
}

std::int32_t Schedule::rank_of(std::int32_t stage, std::int32_t micro_batch) const {
  const std::size_t route = static_cast<std::size_t>(micro_batch) * routes.size() /
                            static_cast<std::size_t>(micro_batches);
  return routes[route][static_cast<std::size_t>(stage)];
}

std::size_t unit_size(const Actions& actions, std::size_t first) {
  return actions[first].with_next ? 2 : 1;
}

namespace {

/// The forwards before the first backward of a rank: so many that the first gradient just comes
/// back when they are done.
std::int32_t warm_up(std::int32_t rank, std::int32_t ranks, std::int32_t micro_batches) {
  return std::min(ranks - rank - 1, micro_batches);
}

Actions one_forward_one_backward(std::int32_t rank, std::int32_t ranks,
                                 std::int32_t micro_batches) {
  Actions actions;
  std::int32_t next = 0;
  const auto forward = [&] {
    if (next < micro_batches) actions.push_back({Kind::Forward, rank, next++});
  };
  for (std::int32_t i = warm_up(rank, ranks, micro_batches); i > 0; --i) forward();
  for (std::int32_t i = 0; i < micro_batches; ++i) {
    forward();
    actions.push_back({Kind::Backward, rank, i});
  }
  return actions;
}

/// Rank p makes the weights' gradients p micro-batches late, so that every rank keeps as many as
/// rank 0 does, and the last ones of all ranks fill the end.
Actions zero_bubble(std::int32_t rank, std::int32_t ranks, std::int32_t micro_batches) {
  Actions actions;
  std::int32_t next = 0, weights = 0;
  const auto forward = [&] {
    if (next < micro_batches) actions.push_back({Kind::Forward, rank, next++});
  };
  const auto weight = [&] { actions.push_back({Kind::WeightBackward, rank, weights++}); };
  for (std::int32_t i = warm_up(rank, ranks, micro_batches); i > 0; --i) forward();
  for (std::int32_t i = 0; i < micro_batches; ++i) {
    forward();
    actions.push_back({Kind::InputBackward, rank, i});
    if (i >= rank) weight();
  }
  while (weights < micro_batches) weight();
  return actions;
}

/// Micro-batches in groups of as many as there are ranks: a group goes through a rank's first
/// stage, then through its second, and so on, so that the last one of a group leaves the last rank
/// when the first one is wanted by the first rank again.
Actions interleaved(std::int32_t rank, std::int32_t ranks, std::int32_t chunks,
                    std::int32_t micro_batches) {
  const auto piece = [&](Kind kind, std::int32_t index) {
    const std::int32_t group = index / (ranks * chunks), within = index % (ranks * chunks);
    const std::int32_t chunk = kind == Kind::Forward ? within / ranks : chunks - 1 - within / ranks;
    return PipelineAction{kind, chunk * ranks + rank, group * ranks + within % ranks};
  };
  const std::int32_t pieces = micro_batches * chunks;
  const std::int32_t early = std::min(2 * (ranks - rank - 1) + (chunks - 1) * ranks, pieces);
  Actions actions;
  for (std::int32_t i = 0; i < early; ++i) actions.push_back(piece(Kind::Forward, i));
  for (std::int32_t i = 0; i < pieces; ++i) {
    if (early + i < pieces) actions.push_back(piece(Kind::Forward, early + i));
    actions.push_back(piece(Kind::Backward, i));
  }
  return actions;
}

/// Two streams of micro-batches through one rank, in opposite directions: stream 0 comes from the
/// nearer end. DualPipe's and DualPipeV's order is the same, as seen from the place where the two
/// streams turn or meet.
class TwoStreams {
 public:
  struct Stream {
    std::int32_t stage = 0, first = 0;         ///< the first of its micro-batches
    std::int32_t forwards = 0, backwards = 0;  ///< listed so far
  };

  /// `depth`: ranks between the end and this one. `length`: ranks from the end to where streams
  /// meet. `count`: micro-batches of each stream.
  TwoStreams(Stream near, Stream far, std::int32_t depth, std::int32_t length, std::int32_t count)
      : streams_{near, far}, depth_(depth), length_(length), count_(count) {}

  Actions list() {
    const std::int32_t outer = length_ - depth_ - 1, inner = depth_ + 1;
    repeat(2 * outer, [&] { forward(0); });
    repeat(inner, [&] {
      forward(0);
      forward(1);
    });
    repeat(outer, [&] {
      backward(1, true);
      weight();
      forward(1);
    });
    for (std::int32_t i = 0; i < count_ - 2 * length_ + inner; ++i) {
      // Where the streams meet, the first two would wait for each other's neighbours as a pair.
      pair(0, 1, /*overlapped=*/i > 0 || outer > 0);
      pair(1, 0, true);
    }
    repeat(outer, [&] {
      backward(1, false);
      pair(1, 0, true);
    });
    last_backwards(inner);
    repeat(outer, [&] {
      weight();
      backward(0, true);
    });
    repeat(inner, [&] { weight(); });
    return actions_;
  }

 private:
  template <class Work>
  void repeat(std::int32_t count, const Work& work) {
    for (std::int32_t i = 0; i < count; ++i) work();
  }

  void forward(int stream, bool with_next = false) {
    Stream& s = streams_[stream];
    actions_.push_back({Kind::Forward, s.stage, s.first + s.forwards++, with_next});
  }
  /// `split`: the weights' part comes later.
  void backward(int stream, bool split) {
    Stream& s = streams_[stream];
    actions_.push_back(
        {split ? Kind::InputBackward : Kind::Backward, s.stage, s.first + s.backwards++});
    if (split) later_.push_back(actions_.back());
  }
  void weight() {
    PipelineAction action = later_.front();
    later_.pop_front();
    action.kind = Kind::WeightBackward;
    actions_.push_back(action);
  }
  void pair(int forwards, int backwards, bool overlapped) {
    forward(forwards, overlapped);
    backward(backwards, false);
  }

  /// Of both streams in turn; the later half leaves its weights' part for the end.
  void last_backwards(std::int32_t of_each) {
    for (std::int32_t i = 0; i < 2 * of_each; ++i) backward(1 - i % 2, i >= of_each);
  }

  Stream streams_[2];
  std::int32_t depth_, length_, count_;
  Actions actions_;
  std::deque<PipelineAction> later_;
};

/// The second half of a step's micro-batches begins at the last rank.
Actions dual_pipe(std::int32_t rank, std::int32_t ranks, std::int32_t micro_batches) {
  const std::int32_t other = ranks - 1 - rank, half = micro_batches / 2;
  const TwoStreams::Stream from_first{.stage = rank, .first = 0};
  const TwoStreams::Stream from_last{.stage = other, .first = half};
  const bool near_first = rank < other;
  return TwoStreams(near_first ? from_first : from_last, near_first ? from_last : from_first,
                    std::min(rank, other), ranks / 2, half)
      .list();
}

/// The second stream is the first one on its way back.
Actions dual_pipe_v(std::int32_t rank, std::int32_t ranks, std::int32_t micro_batches) {
  return TwoStreams({.stage = rank}, {.stage = 2 * ranks - 1 - rank}, rank, ranks, micro_batches)
      .list();
}

Actions actions_of(const PipelineShape& shape, std::int32_t rank, std::int32_t micro_batches) {
  const auto ranks = static_cast<std::int32_t>(shape.ranks);
  if (ranks == 1) return one_forward_one_backward(0, 1, micro_batches);
  switch (shape.schedule) {
    case PipelineSchedule::OneForwardOneBackward:
      return one_forward_one_backward(rank, ranks, micro_batches);
    case PipelineSchedule::Interleaved:
      return interleaved(rank, ranks, static_cast<std::int32_t>(shape.stages_per_rank),
                         micro_batches);
    case PipelineSchedule::ZeroBubble:
      return zero_bubble(rank, ranks, micro_batches);
    case PipelineSchedule::DualPipe:
      return dual_pipe(rank, ranks, micro_batches);
    case PipelineSchedule::DualPipeV:
      break;
  }
  return dual_pipe_v(rank, ranks, micro_batches);
}

}  // namespace

Schedule one_rank(std::int32_t micro_batches) {
  return make_schedule({}, micro_batches);
}

Schedule make_schedule(const PipelineShape& shape, std::int64_t micro_batches) {
  const std::string refusal = shape.refusal(micro_batches);
  require(refusal.empty(), "schedule", "{}", refusal);
  Schedule schedule{.actions = {},
                    .micro_batches = static_cast<std::int32_t>(micro_batches),
                    .routes = shape.routes()};
  for (std::int32_t rank = 0; rank < shape.ranks; ++rank) {
    schedule.actions.push_back(actions_of(shape, rank, schedule.micro_batches));
  }
  return schedule;
}

Schedule forward_only(const PipelineShape& shape, std::int64_t micro_batches) {
  const std::string refusal = shape.refusal();
  require(refusal.empty() && micro_batches >= 1, "schedule", "{} micro-batches forward: {}",
          micro_batches, refusal);
  Schedule schedule{.actions = {},
                    .micro_batches = static_cast<std::int32_t>(micro_batches),
                    .routes = {shape.routes().front()}};
  schedule.actions.resize(static_cast<std::size_t>(shape.ranks));
  const auto group = static_cast<std::int32_t>(shape.ranks);
  for (std::int32_t first = 0; first < schedule.micro_batches; first += group) {
    const std::int32_t end = std::min(first + group, schedule.micro_batches);
    for (std::int32_t stage = 0; stage < schedule.stages(); ++stage) {
      const auto rank = static_cast<std::size_t>(schedule.rank_of(stage, first));
      for (std::int32_t i = first; i < end; ++i) {
        schedule.actions[rank].push_back({Kind::Forward, stage, i});
      }
    }
  }
  return schedule;
}

}  // namespace tessera
