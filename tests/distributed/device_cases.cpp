// SPDX-License-Identifier: MIT
#include "tests/distributed/device_cases.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/base/transfer.h"

namespace tessera::device_cases {

namespace {
/// A contiguous tensor with memory of its own.
class Values {
 public:
  template <class T>
  Values(Context& context, const std::vector<T>& values)
      : memory_(std::max<std::size_t>(1, values.size() * sizeof(T)), context.device),
        tensor_(memory_.view(dtype_of<T>(), {std::ssize(values)})) {
    copy_from_host(values.data(), tensor_);
  }
  const Tensor& operator*() const { return tensor_; }
  Tensor rows(std::int64_t width) const {
    return tensor_.reshape({tensor_.numel() / width, width});
  }
  template <class T>
  std::vector<T> read() const {
    return host_values<T>(tensor_);
  }

 private:
  Buffer memory_;
  Tensor tensor_;
};

template <class T>
void expect(const std::vector<T>& seen, const std::vector<T>& wanted, const char* what) {
  require(seen.size() == wanted.size(), "case", "{}: {} values, not {}", what, seen.size(),
          wanted.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    require(seen[i] == wanted[i], "case", "{}: value {} is {}, not {}", what, i,
            static_cast<double>(seen[i]), static_cast<double>(wanted[i]));
  }
}

/// Small whole numbers, whose sums are exact in any order.
template <class T>
std::vector<T> numbers(int rank, std::int64_t count) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<T>((i * 7 + rank * 13) % 101 - 50));
  }
  return values;
}

template <class T>
std::vector<T> sum_of_numbers(int size, std::int64_t count) {
  std::vector<T> sum(static_cast<std::size_t>(count));
  for (int rank = 0; rank < size; ++rank) {
    const std::vector<T> more = numbers<T>(rank, count);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
  }
  return sum;
}

template <class T>
void all_reduce_of(Communicator& ranks, Context& context) {
  for (const std::int64_t count : {1, 3, 1000, 300001}) {
    const Values x(context, numbers<T>(ranks.rank(), count));
    ranks.all_reduce(context, *x);
    ranks.settle(context);
    expect(x.read<T>(), sum_of_numbers<T>(ranks.size(), count), "sum");
  }
}

void all_reduce(Communicator& ranks, Context& context) {
  all_reduce_of<float>(ranks, context);
  all_reduce_of<double>(ranks, context);
  all_reduce_of<std::int64_t>(ranks, context);
}

/// Sums that rounding makes depend on their order: all ranks have the same, in every turn.
void sums_are_the_same_everywhere(Communicator& ranks, Context& context) {
  std::vector<float> values;
  for (int i = 0; i < 10000; ++i)
    values.push_back(1.f / static_cast<float>(3 + ranks.rank() * 7 + i));
  std::vector<float> first;
  for (int turn = 0; turn < 3; ++turn) {
    const Values x(context, values);
    ranks.all_reduce(context, *x);
    ranks.settle(context);
    const std::vector<float> seen = x.read<float>();
    if (turn == 0) first = seen;
    expect(seen, first, "the sum of another turn");
    const Values other(context, seen);
    ranks.broadcast(context, *other, 0);
    ranks.settle(context);
    expect(seen, other.read<float>(), "the sum of another rank");
  }
}

void reduce_scatter_and_all_gather(Communicator& ranks, Context& context) {
  for (const std::int64_t share_size : {1, 5, 70000}) {
    const std::int64_t count = share_size * ranks.size();
    const Values x(context, numbers<float>(ranks.rank(), count));
    const Values share(context, std::vector<float>(static_cast<std::size_t>(share_size)));
    const Values all(context, std::vector<float>(static_cast<std::size_t>(count)));
    ranks.reduce_scatter(context, *x, *share);
    ranks.all_gather(context, *share, *all);
    ranks.settle(context);
    expect(all.read<float>(), sum_of_numbers<float>(ranks.size(), count), "gathered sums");
  }
}

/// The share of each rank lies where it belongs in what is gathered.
void all_gather_in_place(Communicator& ranks, Context& context) {
  constexpr std::int64_t kShare = 37;
  std::vector<std::int64_t> own(static_cast<std::size_t>(kShare * ranks.size()), -1), wanted;
  for (std::int64_t i = 0; i < std::ssize(own); ++i) wanted.push_back(1000 + i);
  const std::int64_t first = kShare * ranks.rank();
  std::copy_n(wanted.begin() + first, kShare, own.begin() + first);
  const Values x(context, own);
  ranks.all_gather(context, (*x).slice(0, first, first + kShare), *x);
  ranks.settle(context);
  expect(x.read<std::int64_t>(), wanted, "gathered in place");
}

/// Rank i sends (i + j) % 3 * `scale` rows to rank j, each filled with 10 i + j.
void all_to_all(Communicator& ranks, Context& context) {
  for (const std::int64_t scale : {1, 4000}) {
    std::vector<std::int64_t> to, from;
    std::vector<float> send, wanted;
    constexpr std::int64_t kWidth = 3;
    const auto fill = [](std::vector<float>& values, std::int64_t rows, int what) {
      values.insert(values.end(), static_cast<std::size_t>(rows * kWidth),
                    static_cast<float>(what));
    };
    for (int i = 0; i < ranks.size(); ++i) {
      to.push_back((ranks.rank() + i) % 3 * scale);
      from.push_back((i + ranks.rank()) % 3 * scale);
      fill(send, to.back(), 10 * ranks.rank() + i);
      fill(wanted, from.back(), 10 * i + ranks.rank());
    }
    const Values x(context, send), y(context, std::vector<float>(wanted.size()));
    ranks.all_to_all(context, x.rows(kWidth), to, y.rows(kWidth), from);
    ranks.settle(context);
    expect(y.read<float>(), wanted, "rows");
  }
}

template <class T>
void broadcast_of(Communicator& ranks, Context& context) {
  for (int from = 0; from < ranks.size(); ++from) {
    const Values x(context, numbers<T>(ranks.rank(), 1001));
    ranks.broadcast(context, *x, from);
    ranks.settle(context);
    expect(x.read<T>(), numbers<T>(from, 1001), "what was sent round");
  }
}

void broadcast(Communicator& ranks, Context& context) {
  broadcast_of<float>(ranks, context);
  broadcast_of<std::int32_t>(ranks, context);
  broadcast_of<std::uint8_t>(ranks, context);
}

/// All send before they receive, and write over what they sent.
void messages(Communicator& ranks, Context& context) {
  if (ranks.size() == 1) return;
  const int next = (ranks.rank() + 1) % ranks.size();
  const int last = (ranks.rank() + ranks.size() - 1) % ranks.size();
  for (const std::int64_t count : {1, 300000}) {
    const Values x(context, numbers<float>(ranks.rank(), count));
    for (int i = 0; i < 3; ++i) {
      copy_from_host(numbers<float>(ranks.rank() + i, count).data(), *x);
      ranks.send(context, *x, next);
    }
    copy_from_host(numbers<float>(99, count).data(), *x);
    for (int i = 0; i < 3; ++i) {
      ranks.receive(context, *x, last);
      ranks.settle(context);
      expect(x.read<float>(), numbers<float>(last + i, count), "a message");
    }
  }
}

void split(Communicator& ranks, Context& context) {
  for (int turn = 0; turn < 2; ++turn) {  // groups may be made again
    const auto group = ranks.split(ranks.rank() % 2);
    require(group->rank() == ranks.rank() / 2, "case", "rank {} is {} of its group", ranks.rank(),
            group->rank());
    const Values x(context, std::vector<std::int64_t>{ranks.rank(), 1});
    group->all_reduce(context, *x);
    std::int64_t sum = 0, members = 0;
    for (int i = ranks.rank() % 2; i < ranks.size(); i += 2) sum += i, ++members;
    group->settle(context);
    expect(x.read<std::int64_t>(), {sum, members}, "sum of a group");
    require(group->size() == members, "case", "{} are in a group of {}", group->size(), members);
    const auto alone = group->split(group->rank());
    require(alone->size() == 1, "case", "{} are in a group of one", alone->size());
    const Values same(context, std::vector<std::int64_t>{7});
    alone->all_reduce(context, *same);
    alone->broadcast(context, *same, 0);
    alone->settle(context);
    expect(same.read<std::int64_t>(), {7}, "a group of one");
  }
}

/// Tensors on the host, whatever the others lie on.
void from_the_host(Communicator& ranks, Context&) {
  Context control;
  std::int64_t order[] = {100 + ranks.rank(), 5};
  ranks.broadcast(control, Tensor(order, DType::I64, {2}), ranks.size() - 1);
  require(order[0] == 99 + ranks.size(), "case", "the order is {}", order[0]);
  double sum = 0.5 + ranks.rank();
  ranks.all_reduce(control, Tensor(&sum, DType::F64, {1}));
  require(sum == 0.5 * ranks.size() * ranks.size(), "case", "the sum is {}", sum);
  ranks.barrier(control);
}

/// Many small calls one behind the other, looked at only in the end.
void many_in_a_row(Communicator& ranks, Context& context) {
  const Values x(context, std::vector<double>{1, 2});
  for (int i = 0; i < 20; ++i) ranks.all_reduce(context, *x);
  ranks.settle(context);
  const double factor = std::pow(ranks.size(), 20);
  expect(x.read<double>(), {factor, 2 * factor}, "twenty sums");
}

void dry_run(Communicator& ranks, Context& context) {
  Context dry = context;
  dry.dry_run = true;
  const std::uint64_t calls = ranks.calls();
  const Values x(context, std::vector<float>{static_cast<float>(ranks.rank())});
  ranks.all_reduce(dry, *x);
  ranks.receive(dry, *x, 0);  // would wait for ever
  ranks.settle(dry);
  expect(x.read<float>(), {static_cast<float>(ranks.rank())}, "a dry run");
  require(ranks.calls() == calls, "case", "a dry run counts as a call");
}

struct Case {
  const char* name;
  void (*run)(Communicator& ranks, Context& context);
};
constexpr Case kCases[] = {
    {"all_reduce", all_reduce},
    {"sums are the same everywhere", sums_are_the_same_everywhere},
    {"reduce_scatter and all_gather", reduce_scatter_and_all_gather},
    {"all_gather in place", all_gather_in_place},
    {"all_to_all", all_to_all},
    {"broadcast", broadcast},
    {"messages", messages},
    {"split", split},
    {"from the host", from_the_host},
    {"many in a row", many_in_a_row},
    {"dry run", dry_run},
};
}  // namespace

int count() {
  return static_cast<int>(std::size(kCases));
}

void run(Communicator& ranks, Context& context, const Tell& tell) {
  for (const Case& one : kCases) {
    if (tell) tell(one.name);
    try {
      one.run(ranks, context);
    } catch (const Error& error) {
      throw Error("case",
                  fmt::format("\"{}\" on rank {}: {}", one.name, ranks.rank(), error.what()));
    }
  }
}

}  // namespace tessera::device_cases
