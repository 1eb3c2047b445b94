// SPDX-License-Identifier: MIT
#include "core/train/sum_tree.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/base/error.h"
#include "kernels/convert/convert.h"

namespace tessera {

LeafSums::LeafSums(std::vector<Tensor> runs) : runs_(std::move(runs)) {
  for (const Tensor& run : runs_) elements_ += run.numel();
}

void LeafSums::clear() {
  for (Part& part : parts_) spare_.push_back(std::move(part.memory));
  parts_.clear();
}

Buffer LeafSums::take() {
  if (spare_.empty()) {
    return Buffer(static_cast<std::size_t>(elements_) * sizeof(float),
                  runs_.empty() ? Device::Cpu : runs_.front().device());
  }
  Buffer memory = std::move(spare_.back());
  spare_.pop_back();
  return memory;
}

std::size_t LeafSums::bytes() const {
  return (parts_.size() + spare_.size()) * static_cast<std::size_t>(elements_) * sizeof(float);
}

namespace {
bool are_halves(const TreeNode& left, const TreeNode& right) {
  return left.level == right.level && left.index + 1 == right.index && right.index % 2 == 1;
}

/// Calls work(run, place) for every run, with its place in an array of all elements.
template <class Work>
void for_places(const std::vector<Tensor>& runs, const Tensor& all, const Work& work) {
  std::int64_t at = 0;
  for (const Tensor& run : runs) {
    work(run, all.slice(0, at, at + run.numel()));
    at += run.numel();
  }
}
}  // namespace

void LeafSums::add(Context& context, std::int64_t leaf) {
  if (elements_ == 0) return;
  TreeNode node{0, leaf};
  if (!parts_.empty() && are_halves(parts_.back().node, node)) {
    for_places(runs_, view(parts_.back().memory),
               [&](const Tensor& run, const Tensor& place) { kernels::add(context, run, place); });
    parts_.back().node = {1, leaf / 2};
  } else {
    parts_.push_back({node, take()});
    for_places(runs_, view(parts_.back().memory), [&](const Tensor& run, const Tensor& place) {
      kernels::convert(context, run, place);
    });
  }
  while (parts_.size() > 1 && are_halves(parts_[parts_.size() - 2].node, parts_.back().node)) {
    Part right = std::move(parts_.back());
    parts_.pop_back();
    Part& left = parts_.back();
    kernels::add(context, view(right.memory), view(left.memory));
    left.node = {right.node.level + 1, right.node.index / 2};
    spare_.push_back(std::move(right.memory));
  }
}

namespace {

/// The parts of all ranks, as rows of an array.
using Nodes = std::vector<TreeNode>;

/// Adds up a tree of which some nodes are there.
class Tree {
 public:
  Tree(Context& context, std::int64_t leaves, const Nodes& nodes, std::vector<Tensor> values)
      : context_(context), leaves_(leaves), nodes_(nodes), values_(std::move(values)) {}

  /// The sum of all leaves, in the place of one of the values.
  Tensor root() const {
    std::int64_t level = 0;
    while ((std::int64_t{1} << level) < leaves_) ++level;
    return sum({level, 0});
  }

 private:
  Tensor sum(const TreeNode& node) const {
    const auto found = std::find(nodes_.begin(), nodes_.end(), node);
    if (found != nodes_.end()) return values_[static_cast<std::size_t>(found - nodes_.begin())];
    require(node.level > 0, "sums", "micro-batch {} of {} is missing", node.index + 1, leaves_);
    const Tensor left = sum({node.level - 1, 2 * node.index});
    const std::int64_t right = 2 * node.index + 1;
    if ((right << (node.level - 1)) >= leaves_) return left;
    kernels::add(context_, sum({node.level - 1, right}), left);
    return left;
  }

  Context& context_;
  std::int64_t leaves_;
  const Nodes& nodes_;
  std::vector<Tensor> values_;
};

/// Which nodes every rank of the group has.
std::vector<Nodes> nodes_of_all(Communicator& group, const Nodes& own) {
  constexpr std::size_t kMost = 256;  // two for each level and run of leaves are many more
  require(own.size() <= kMost, "sums", "{} partial sums are more than {}", own.size(), kMost);
  const auto ranks = static_cast<std::size_t>(group.size());
  std::vector<std::int64_t> sent(1 + 2 * kMost, 0), all(ranks * sent.size());
  sent[0] = std::ssize(own);
  for (std::size_t i = 0; i < own.size(); ++i) {
    sent[1 + 2 * i] = own[i].level;
    sent[2 + 2 * i] = own[i].index;
  }
  Context control;
  group.all_gather(control, Tensor(sent.data(), DType::I64, {std::ssize(sent)}),
                   Tensor(all.data(), DType::I64, {std::ssize(all)}));
  std::vector<Nodes> nodes(ranks);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const std::int64_t* at = all.data() + rank * sent.size();
    for (std::int64_t i = 0; i < at[0]; ++i) {
      nodes[rank].push_back({at[1 + 2 * i], at[2 + 2 * i]});
    }
  }
  return nodes;
}

/// Elements that each rank adds up at a time.
constexpr std::int64_t kShare = std::int64_t{1} << 18;

/// Sums over ranks piece by piece: every rank gets its share of a piece of all nodes, adds it up,
/// and tells the others.
class GroupSum {
 public:
  GroupSum(Context& context, Communicator& group, const std::vector<Tensor>& own,
           const std::vector<Nodes>& nodes, std::int64_t leaves)
      : context_(context), group_(group), own_(own), leaves_(leaves) {
    for (const Nodes& of_rank : nodes) {
      receive_rows_.push_back(std::ssize(of_rank));
      all_.insert(all_.end(), of_rank.begin(), of_rank.end());
    }
    send_rows_.assign(nodes.size(), std::ssize(own));
    const std::int64_t elements = own.empty() ? 0 : own.front().numel();
    share_ = std::min(kShare, (elements + group.size() - 1) / group.size());
    const std::int64_t rows = group.size() * std::ssize(own) + std::ssize(all_) + group.size();
    memory_ = Buffer(static_cast<std::size_t>(rows * share_) * sizeof(float), context.device);
  }

  /// The elements [first, first + to.numel()) of the sum.
  void write(std::int64_t first, const Tensor& to) {
    const std::int64_t ranks = group_.size(), own = std::ssize(own_), all = std::ssize(all_);
    const std::int64_t share = (to.numel() + ranks - 1) / ranks;
    const Tensor rows = memory_.view(DType::F32, {ranks * own + all + ranks, share});
    const Tensor send = rows.slice(0, 0, ranks * own);
    const Tensor came = rows.slice(0, ranks * own, ranks * own + all);
    const Tensor gathered = rows.slice(0, ranks * own + all, rows.size(0));
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      const std::int64_t from = std::min(rank * share, to.numel());
      const std::int64_t end = std::min(from + share, to.numel());
      for (std::int64_t i = 0; i < own; ++i) {
        kernels::convert(context_,
                         own_[static_cast<std::size_t>(i)].slice(0, first + from, first + end),
                         send[rank * own + i].slice(0, 0, end - from));
      }
    }
    group_.all_to_all(context_, send, send_rows_, came, receive_rows_);
    std::vector<Tensor> values;
    for (std::int64_t i = 0; i < all; ++i) values.push_back(came[i]);
    group_.all_gather(context_, Tree(context_, leaves_, all_, std::move(values)).root(), gathered);
    kernels::convert(context_, gathered.reshape({ranks * share}).slice(0, 0, to.numel()), to);
  }

  std::int64_t piece() const { return share_ * group_.size(); }

 private:
  Context& context_;
  Communicator& group_;
  const std::vector<Tensor>& own_;
  std::int64_t leaves_, share_ = 0;
  std::vector<std::int64_t> send_rows_, receive_rows_;
  Nodes all_;  ///< of all ranks, one rank after the other
  Buffer memory_;
};

}  // namespace

void sum_leaves(Context& context, Communicator& group, const std::vector<LeafSums*>& sums,
                std::int64_t leaves) {
  const std::int64_t elements = sums.front()->elements();
  if (elements == 0) return;
  Nodes own;
  std::vector<Tensor> values;
  for (const LeafSums* of_run : sums) {
    for (const LeafSums::Part& part : of_run->parts()) {
      own.push_back(part.node);
      values.push_back(part.memory.view(DType::F32, {elements}));
    }
  }
  const std::vector<Tensor>& runs = sums.front()->runs();
  if (group.size() == 1) {
    const Tensor root = Tree(context, leaves, own, values).root();
    for_places(runs, root, [&](const Tensor& run, const Tensor& place) {
      kernels::convert(context, place, run);
    });
    return;
  }
  GroupSum sum(context, group, values, nodes_of_all(group, own), leaves);
  std::int64_t first = 0;
  for (const Tensor& run : runs) {
    for (std::int64_t at = 0; at < run.numel(); at += sum.piece()) {
      const std::int64_t end = std::min(run.numel(), at + sum.piece());
      sum.write(first + at, run.slice(0, at, end));
    }
    first += run.numel();
  }
}

}  // namespace tessera
