// SPDX-License-Identifier: MIT
#include "tests/distributed/communicator_cases.h"

#include <algorithm>

#include "core/base/error.h"

namespace tessera {
namespace {

template <class T>
Tensor tensor(std::vector<T>& values) {
  return Tensor(values.data(), dtype_of<T>(), {std::ssize(values)});
}

template <class T>
void expect_equal(const T& value, const T& wanted, const std::string& what) {
  require(value == wanted, "case", "{}: {} where {} was wanted", what, value, wanted);
}

template <class T>
void expect_equal(const std::vector<T>& values, const std::vector<T>& wanted,
                  const std::string& what) {
  require(values.size() == wanted.size(), "case", "{}: {} values", what, values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == wanted[i]) continue;  // text only where it is wanted
    expect_equal(values[i], wanted[i], fmt::format("{}, value {}", what, i));
  }
}

/// One whose sums depend on their order.
template <class T>
T value_of(int rank, std::size_t i) {
  return static_cast<T>(1.0 / static_cast<double>(3 + rank * 7 + static_cast<int>(i % 1013)));
}
template <>
std::int64_t value_of<std::int64_t>(int rank, std::size_t i) {
  return (std::int64_t{1} << (40 + rank)) + static_cast<std::int64_t>(i);
}

template <class T>
std::vector<T> values_of(int rank, std::size_t count) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = value_of<T>(rank, i);
  return values;
}

template <class T>
std::vector<T> ordered_sum(int size, std::size_t count) {
  std::vector<T> sum = values_of<T>(0, count);
  for (int rank = 1; rank < size; ++rank) {
    for (std::size_t i = 0; i < count; ++i) sum[i] += value_of<T>(rank, i);
  }
  return sum;
}

/// Nothing, one, what goes in one message, what is cut into pieces with a rest.
constexpr std::size_t kCounts[] = {1, 3, 100, 5000, 300'001, 1'500'003};

template <class T>
void sums_of(Communicator& rank) {
  Context context;
  for (const std::size_t count : kCounts) {
    std::vector<T> x = values_of<T>(rank.rank(), count);
    rank.all_reduce(context, tensor(x));
    expect_equal(x, ordered_sum<T>(rank.size(), count), fmt::format("sum of {}", count));
  }
}

void sums_in_the_order_of_ranks(Communicator& rank) {
  sums_of<float>(rank);
  sums_of<double>(rank);
  sums_of<std::int64_t>(rank);
}

void reduce_scatter_and_all_gather(Communicator& rank) {
  Context context;
  const auto size = static_cast<std::size_t>(rank.size());
  for (const std::size_t share_count : {1u, 700u, 400'007u}) {
    std::vector<float> x = values_of<float>(rank.rank(), share_count * size);
    std::vector<float> share(share_count), all(share_count * size);
    rank.reduce_scatter(context, tensor(x), tensor(share));
    rank.all_gather(context, tensor(share), tensor(all));
    const auto wanted = ordered_sum<float>(rank.size(), share_count * size);
    expect_equal(all, wanted, fmt::format("shares of {}", share_count));
    // In place: the share is this rank's run of the whole.
    const Tensor whole = tensor(x);
    const auto first = static_cast<std::int64_t>(share_count) * rank.rank();
    const Tensor own = whole.slice(0, first, first + static_cast<std::int64_t>(share_count));
    rank.reduce_scatter(context, whole, own);
    rank.all_gather(context, own, whole);
    expect_equal(x, wanted, fmt::format("shares of {} in place", share_count));
  }
}

void broadcasts_from_any_rank(Communicator& rank) {
  Context context;
  for (int from = 0; from < rank.size(); ++from) {
    for (const std::size_t count : {1u, 1000u, 2'000'000u}) {
      std::vector<std::int64_t> x(count, 10 * rank.rank());
      rank.broadcast(context, tensor(x), from);
      expect_equal(x, std::vector<std::int64_t>(count, 10 * from), "broadcast");
    }
    std::vector<std::uint8_t> text(5, static_cast<std::uint8_t>('a' + rank.rank()));
    rank.broadcast(context, tensor(text), from);
    expect_equal(text, std::vector<std::uint8_t>(5, static_cast<std::uint8_t>('a' + from)), "text");
  }
}

/// Rank i sends `scale` * (i + j) rows to rank j, each filled with 10 i + j; rank 0 sends none to
/// itself.
void rows_to_all(Communicator& rank, std::int64_t scale) {
  Context context;
  std::vector<std::int64_t> to, from, send, wanted;
  for (int i = 0; i < rank.size(); ++i) {
    to.push_back(scale * (rank.rank() + i));
    from.push_back(scale * (i + rank.rank()));
    send.insert(send.end(), static_cast<std::size_t>(2 * to.back()), 10 * rank.rank() + i);
    wanted.insert(wanted.end(), static_cast<std::size_t>(2 * from.back()), 10 * i + rank.rank());
  }
  std::vector<std::int64_t> receive(wanted.size());
  rank.all_to_all(context, Tensor(send.data(), DType::I64, {std::ssize(send) / 2, 2}), to,
                  Tensor(receive.data(), DType::I64, {std::ssize(receive) / 2, 2}), from);
  expect_equal(receive, wanted, "rows");
}

void all_to_all_by_rank(Communicator& rank) {
  for (const std::int64_t scale : {0, 1, 100, 60'000}) rows_to_all(rank, scale);
}

/// Each to the next one, whichever way round; the sent memory is gone before it is received.
void messages_in_their_order(Communicator& rank) {
  Context context;
  const int next = (rank.rank() + 1) % rank.size();
  const int before = (rank.rank() + rank.size() - 1) % rank.size();
  for (const std::size_t count : {1u, 400u, 500'000u}) {
    for (std::int64_t i = 0; i < 5; ++i) {
      std::vector<std::int64_t> x(count, 100 * rank.rank() + i);
      rank.send(context, tensor(x), next);
    }
    rank.barrier(context);  // messages wait while the ranks do something else together
    for (std::int64_t i = 0; i < 5; ++i) {
      std::vector<std::int64_t> x(count, -1);
      rank.receive(context, tensor(x), before);
      expect_equal(x, std::vector<std::int64_t>(count, 100 * before + i), "message");
    }
  }
}

void messages_to_itself(Communicator& rank) {
  Context context;
  std::vector<std::int64_t> x(3000, rank.rank()), y(3000, -1);
  rank.send(context, tensor(x), rank.rank());
  rank.receive(context, tensor(y), rank.rank());
  expect_equal(y, x, "own message");
}

void splits_into_groups(Communicator& rank) {
  Context context;
  for (int turn = 0; turn < 3; ++turn) {  // groups may be made again
    const int colour = rank.rank() % 2;
    const std::unique_ptr<Communicator> group = rank.split(colour, "parity");
    expect_equal(group->rank(), rank.rank() / 2, "rank in the group");
    expect_equal(group->size(), (rank.size() + 1 - colour) / 2, "size of the group");
    double sum = rank.rank(), wanted = 0;
    for (int i = colour; i < rank.size(); i += 2) wanted += i;
    group->all_reduce(context, Tensor(&sum, DType::F64, {1}));
    expect_equal(sum, wanted, "sum of the group");
    const std::unique_ptr<Communicator> alone = group->split(group->rank());
    expect_equal(alone->size(), 1, "size of a group of one");
    alone->all_reduce(context, Tensor(&sum, DType::F64, {1}));
    expect_equal(sum, wanted, "sum of a group of one");
    rank.barrier(context);
  }
}

/// Groups with common ranks that are used in turn do not take each other's messages.
void groups_do_not_mix(Communicator& rank) {
  Context context;
  const std::unique_ptr<Communicator> a = rank.split(0), b = rank.split(0);
  for (int turn = 0; turn < 20; ++turn) {
    std::int64_t one = turn, two = 1000 + turn, three = -turn;
    a->broadcast(context, Tensor(&one, DType::I64, {1}), 0);
    rank.all_reduce(context, Tensor(&three, DType::I64, {1}));
    b->all_reduce(context, Tensor(&two, DType::I64, {1}));
    expect_equal(one, std::int64_t{turn}, "broadcast of a");
    expect_equal(two, std::int64_t{rank.size()} * (1000 + turn), "sum of b");
    expect_equal(three, -std::int64_t{rank.size()} * turn, "sum of all");
  }
}

// ---- What must fail -----------------------------------------------------------------------------

void one_fails(Communicator& rank) {
  Context context;
  rank.barrier(context);
  if (rank.rank() == 1) throw Error("test", "the disk is full");
  rank.barrier(context);
}

void one_fails_beside_a_group(Communicator& rank) {
  Context context;
  const std::unique_ptr<Communicator> group = rank.split(rank.rank() == 1 ? 1 : 0);
  if (rank.rank() == 1) throw Error("test", "the disk is full");
  float x = 0;
  // A receive that nobody sends for, and a collective call that rank 1 does not come to.
  if (rank.rank() == 0) group->receive(context, Tensor(&x, DType::F32, {1}), 0);
  rank.barrier(context);
}

std::string the_disk_is_full(int rank, int) {
  return rank == 1 ? "the disk is full" : "rank 1 ended with an error: the disk is full";
}

void other_sizes(Communicator& rank) {
  Context context;
  std::vector<double> x(static_cast<std::size_t>(2 + rank.rank()));
  rank.all_reduce(context, tensor(x));
}

void other_calls(Communicator& rank) {
  Context context;
  float x[2] = {};
  rank.barrier(context);
  if (rank.rank() == 1) {
    rank.broadcast(context, Tensor(x, DType::F32, {2}), 0);
  } else {
    rank.all_reduce(context, Tensor(x, DType::F32, {2}));
  }
  rank.barrier(context);
}

void other_counts(Communicator& rank) {
  Context context;
  std::vector<std::int64_t> send(static_cast<std::size_t>(rank.size()), 1), take = send;
  if (rank.rank() == 1) take[0] = 2;
  std::vector<float> x(static_cast<std::size_t>(rank.size() + 1)), y = x;
  rank.all_to_all(context, Tensor(x.data(), DType::F32, {rank.size(), 1}), send,
                  Tensor(y.data(), DType::F32, {rank.size() + (rank.rank() == 1), 1}), take);
  rank.barrier(context);
}

void message_of_another_size(Communicator& rank) {
  Context context;
  std::vector<float> x(3);
  if (rank.rank() == 0) rank.send(context, tensor(x), 1);
  if (rank.rank() == 1) {
    x.resize(2);
    rank.receive(context, tensor(x), 0);
  }
  rank.barrier(context);
}

}  // namespace

const std::vector<CommunicatorCase>& communicator_cases() {
  static const std::vector<CommunicatorCase> cases = {
      {"SumsInTheOrderOfRanks", sums_in_the_order_of_ranks},
      {"ReduceScatterAndAllGather", reduce_scatter_and_all_gather},
      {"BroadcastsFromAnyRank", broadcasts_from_any_rank},
      {"AllToAllByRank", all_to_all_by_rank},
      {"MessagesInTheirOrder", messages_in_their_order},
      {"MessagesToItself", messages_to_itself},
      {"SplitsIntoGroups", splits_into_groups},
      {"GroupsDoNotMix", groups_do_not_mix},
      {"OneFails", one_fails, the_disk_is_full},
      {"OneFailsBesideAGroup", one_fails_beside_a_group, the_disk_is_full},
      {"OtherSizes", other_sizes, [](int, int) -> std::string { return " came with all_reduce "; }},
      {"OtherCalls", other_calls,
       [](int, int) -> std::string {
         return "rank 1 came with broadcast 1 of F32(2) where rank 0 has all_reduce 1 of F32(2)";
       }},
      {"OtherCounts", other_counts,
       [](int, int) -> std::string { return "rank 0 sends 1 rows to rank 1, which takes 2"; }},
      {"MessageOfAnotherSize", message_of_another_size,
       [](int, int) -> std::string { return "rank 0 sent F32(3) where rank 1 takes F32(2)"; }},
  };
  return cases;
}

std::string run_case(const CommunicatorCase& one, Communicator& rank) {
  std::string error;
  try {
    one.work(rank);
    Context context;
    rank.barrier(context);
  } catch (const Error& problem) {
    error = problem.what_failed();
    rank.abort(error);
  }
  if (!one.message) return error;
  const std::string wanted = one.message(rank.rank(), rank.size());
  if (error.find(wanted) != std::string::npos) return {};
  return fmt::format("\"{}\" where \"{}\" was wanted", error, wanted);
}

}  // namespace tessera
