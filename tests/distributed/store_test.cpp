// SPDX-License-Identifier: MIT
// The store of rank 0: values, waiting, ranks that are lost, strangers, ports and names.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "core/base/call_record.h"
#include "core/base/error.h"
#include "distributed/store/store_client.h"
#include "distributed/store/store_server.h"
#include "distributed/store/wire.h"

namespace tessera {
namespace {

using namespace std::chrono_literals;

constexpr auto kLong = 20s;  // what should come comes long before

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what_failed();
  }
  return "no error";
}

/// A store on this machine and the clients of its ranks.
struct Ranks {
  explicit Ranks(int size, const std::string& name = "127.0.0.1") : server({name, 0}, size) {
    for (int i = 0; i < size; ++i) {
      clients.push_back(
          std::make_unique<StoreClient>(Endpoint{name, server.port()}, i, size, kLong));
    }
  }
  StoreClient& operator[](int rank) { return *clients[static_cast<std::size_t>(rank)]; }

  StoreServer server;
  std::vector<std::unique_ptr<StoreClient>> clients;
};

TEST(Store, ValuesAreTheSameForAll) {
  Ranks ranks(2);
  EXPECT_EQ(ranks[0].get("a", 0ms), std::nullopt);
  const std::string bytes("\0\n\xff x", 5);
  ranks[0].set("a", bytes);
  EXPECT_EQ(ranks[1].get("a", 0ms), bytes);
  EXPECT_EQ(ranks[1].get("a", kLong), bytes);
  EXPECT_EQ(ranks[1].take("a", kLong), bytes);
  EXPECT_EQ(ranks[0].get("a", 0ms), std::nullopt);
  ranks[1].set("", "");
  EXPECT_EQ(ranks[0].get("", 0ms), "");
}

TEST(Store, NumbersAreAddedAndComparedAtOnce) {
  Ranks ranks(4);
  std::vector<std::jthread> threads;
  std::atomic<int> winners{0};
  for (int rank = 0; rank < 4; ++rank) {
    threads.emplace_back([&, rank] {
      for (int i = 0; i < 50; ++i) ranks[rank].add("sum", rank + 1);
      const std::string own = "rank " + std::to_string(rank);
      if (ranks[rank].compare_and_set("first", "", own) == own) ++winners;
    });
  }
  threads.clear();
  EXPECT_EQ(ranks[0].add("sum", 0), 50 * (1 + 2 + 3 + 4));
  EXPECT_EQ(winners, 1);
  const std::string first = ranks[0].compare_and_set("first", "nobody", "me");
  EXPECT_TRUE(first.starts_with("rank ")) << first;
  EXPECT_EQ(ranks[1].compare_and_set("first", first, "me"), "me");
}

TEST(Store, WhoWaitsGetsTheValueWhenItComes) {
  Ranks ranks(3);
  std::optional<std::string> seen, taken;
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { seen = ranks[1].get("late", kLong); });
  threads.emplace_back([&] { taken = ranks[2].take("late", kLong); });
  std::this_thread::sleep_for(50ms);
  ranks[0].set("late", "here");
  threads.erase(threads.begin() + 1);
  EXPECT_EQ(taken, "here");
  // Whether the other one came before it was taken away is not said: it gets the next one.
  ranks[0].set("late", "here");
  threads.clear();
  EXPECT_EQ(seen, "here");
}

TEST(Store, WaitingEndsInTime) {
  Ranks ranks(2);
  EXPECT_EQ(ranks[0].get("never", 30ms), std::nullopt);
  ranks[1].set("never", "a");  // the one who gave up is not told
  EXPECT_EQ(ranks[0].add("n", 1), 1);
  std::vector<int> absent;
  const auto tell = [&](std::vector<int> who) { absent = std::move(who); };
  EXPECT_NE(error_of([&] { ranks[0].gather("g", 0, 2, "x", 30ms, tell); }), "no error");
  EXPECT_EQ(absent, std::vector<int>{1});
  EXPECT_NE(ranks[0].about(1).find("rank 1 (process "), std::string::npos) << ranks[0].about(1);
}

TEST(Store, PartsAreGatheredInTheirOrder) {
  Ranks ranks(3);
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&, rank] {
      for (int turn = 0; turn < 20; ++turn) {
        const std::string own(static_cast<std::size_t>(rank * 100000),
                              static_cast<char>('a' + rank));
        const auto all = ranks[rank].gather("turn " + std::to_string(turn), rank, 3, own, kLong,
                                            [](const std::vector<int>&) {});
        ASSERT_EQ(all.size(), 3u);
        EXPECT_EQ(all[0], "");
        EXPECT_EQ(all[1], std::string(100000, 'b'));
        EXPECT_EQ(all[2], std::string(200000, 'c'));
      }
    });
  }
}

TEST(Store, AnErrorOfOneEndsTheWaitingOfAll) {
  Ranks ranks(3);
  std::atomic<bool> told{false};
  ranks[1].on_abort([&] { told = true; });
  std::string waited;
  std::jthread waiting([&] { waited = error_of([&] { ranks[1].get("never", kLong); }); });
  std::this_thread::sleep_for(30ms);
  ranks[2].abort("rank 2 ended with an error: the disk is full");
  waiting.join();
  EXPECT_EQ(waited, "rank 2 ended with an error: the disk is full");
  EXPECT_EQ(error_of([&] { ranks[0].set("a", "b"); }), waited);
  EXPECT_EQ(error_of([&] { ranks[2].set("a", "b"); }), waited);
  EXPECT_TRUE(told);
  ranks[1].abort("too late");
  EXPECT_EQ(ranks[1].aborted(), waited);
}

/// A rank may end its own waiting from another thread.
/// Rank 0 ends before rank 1 has come: its store stays until rank 1 knows why.
TEST(Store, WhoComesTooLateIsToldWhy) {
  auto server = std::make_unique<StoreServer>(Endpoint{"127.0.0.1", 0}, 2);
  const Endpoint at{"127.0.0.1", server->port()};
  {
    StoreClient first(at, 0, 2, kLong);
    first.abort("no more memory");
  }
  std::jthread end([&] { server.reset(); });
  std::this_thread::sleep_for(200ms);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(error_of([&] { StoreClient(at, 1, 2, kLong); }), "no more memory");
  end.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST(Store, AbortDoesNotWaitForACallInProgress) {
  Ranks ranks(2);
  std::string waited;
  std::jthread waiting([&] { waited = error_of([&] { ranks[1].get("never", kLong); }); });
  std::this_thread::sleep_for(30ms);
  ranks[1].abort("enough");
  waiting.join();
  EXPECT_EQ(waited, "enough");
  EXPECT_EQ(error_of([&] { ranks[0].add("n", 1); }), "enough");
}

TEST(Store, WhoTakesLeaveIsNotLost) {
  Ranks ranks(2);
  ranks.clients[1].reset();
  std::this_thread::sleep_for(50ms);
  ranks[0].set("a", "b");
  EXPECT_EQ(ranks[0].aborted(), "");
}

/// Starts `work` in a process of its own, which ends by _exit or by a signal.
pid_t start_process(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  return child;
}

TEST(Store, AProcessThatIsKilledIsNamed) {
  // NOTE: forked before this process has threads.
  int to_child[2];
  ASSERT_EQ(::pipe(to_child), 0);
  const pid_t child = start_process([&] {
    int port = 0;
    if (::read(to_child[0], &port, sizeof port) != sizeof port) return;
    StoreClient client({"127.0.0.1", port}, 1, 2, kLong);
    client.set("here", "");
    ::pause();
  });
  StoreServer server({"127.0.0.1", 0}, 2);
  const int port = server.port();
  ASSERT_EQ(::write(to_child[1], &port, sizeof port), static_cast<ssize_t>(sizeof port));
  StoreClient client({"127.0.0.1", port}, 0, 2, kLong);
  ASSERT_TRUE(client.get("here", kLong));
  std::jthread killer([&] { ::kill(child, SIGKILL); });
  const std::string error = error_of([&] { client.get("never", kLong); });
  EXPECT_EQ(error, fmt::format("rank 1 (process {} on host {}) has gone without a word", child,
                               host_name()));
  ::waitpid(child, nullptr, 0);
  ::close(to_child[0]);
  ::close(to_child[1]);
}

TEST(Store, AServerThatIsKilledIsNoticed) {
  int to_parent[2];
  ASSERT_EQ(::pipe(to_parent), 0);
  const pid_t child = start_process([&] {
    StoreServer server({"127.0.0.1", 0}, 2);
    const int port = server.port();
    if (::write(to_parent[1], &port, sizeof port) != sizeof port) return;
    ::pause();
  });
  int port = 0;
  ASSERT_EQ(::read(to_parent[0], &port, sizeof port), static_cast<ssize_t>(sizeof port));
  StoreClient client({"127.0.0.1", port}, 1, 2, kLong);
  std::string waited;
  std::jthread waiting([&] { waited = error_of([&] { client.get("never", kLong); }); });
  std::this_thread::sleep_for(30ms);
  ::kill(child, SIGKILL);
  waiting.join();
  EXPECT_NE(waited.find(fmt::format("rank 0 is lost: its store at 127.0.0.1 port {}", port)),
            std::string::npos)
      << waited;
  ::waitpid(child, nullptr, 0);
  ::close(to_parent[0]);
  ::close(to_parent[1]);
}

TEST(Store, ServesByNameAndBothFamilies) {
  for (const char* name : {"localhost", "::1", "127.0.0.1"}) {
    std::optional<Ranks> ranks;
    try {
      ranks.emplace(2, name);
    } catch (const Error& error) {
      if (std::string(name) != "::1") throw;
      GTEST_SKIP() << "this machine has no IPv6: " << error.what();
    }
    (*ranks)[0].set("a", name);
    EXPECT_EQ((*ranks)[1].get("a", kLong), name);
  }
}

TEST(Store, TheHostsOwnNameServesAllAddresses) {
  StoreServer server({host_name(), 0}, 2);
  StoreClient zero({host_name(), server.port()}, 0, 2, kLong);
  StoreClient one({"127.0.0.1", server.port()}, 1, 2, kLong);
  zero.set("a", "b");
  EXPECT_EQ(one.get("a", kLong), "b");
}

TEST(Store, RanksMayComeBeforeTheStore) {
  int port = 0;
  { port = StoreServer({"127.0.0.1", 0}, 1).port(); }
  std::optional<std::string> value;
  std::jthread early([&] {
    StoreClient client({"127.0.0.1", port}, 1, 2, kLong);
    value = client.get("a", kLong);
  });
  std::this_thread::sleep_for(150ms);
  StoreServer server({"127.0.0.1", port}, 2);
  StoreClient client({"127.0.0.1", port}, 0, 2, kLong);
  client.set("a", "b");
  early.join();
  EXPECT_EQ(value, "b");
}

TEST(Store, EveryAddressThatFailedIsNamed) {
  int port = 0;
  { port = StoreServer({"127.0.0.1", 0}, 1).port(); }
  const std::string error = error_of([&] { StoreClient({"localhost", port}, 1, 2, 200ms); });
  EXPECT_NE(error.find(fmt::format("host {} cannot reach rank 0 at localhost port {} (",
                                   host_name(), port)),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("127.0.0.1: Connection refused"), std::string::npos) << error;
  const std::string name = error_of([&] {
    StoreClient({"no-such-host.invalid", port}, 1, 2, 200ms);
  });
  EXPECT_NE(name.find("cannot find the name \"no-such-host.invalid\" (MASTER_ADDR)"),
            std::string::npos)
      << name;
}

TEST(Store, APortInUseNamesItsHolder) {
  const StoreServer server({"127.0.0.1", 0}, 1);
  for (const std::string& name : {std::string("127.0.0.1"), host_name()}) {
    const std::string error = error_of([&] { StoreServer({name, server.port()}, 1); });
    EXPECT_NE(error.find(fmt::format("cannot listen on port {} (MASTER_PORT): it is in use, by "
                                     "process {} (",
                                     server.port(), ::getpid())),
              std::string::npos)
        << error;
  }
}

TEST(Store, RanksThatDoNotFitAreRefused) {
  Ranks ranks(2);
  const Endpoint at{"127.0.0.1", ranks.server.port()};
  EXPECT_NE(error_of([&] { StoreClient(at, 1, 2, kLong); }).find("comes as rank 1, which rank 1 ("),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              StoreClient(at, 2, 4, kLong);
            }).find("comes as rank 2 of 4, rank 0 was started as one of 2"),
            std::string::npos);
  ranks[0].set("a", "b");  // and the others go on
  EXPECT_EQ(ranks[1].get("a", 0ms), "b");
}

/// A plain connection to a port of this machine.
int plain_connection(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), std::ssize(bytes));
}

/// Whether the other side closes, after whatever it has said.
bool is_closed(int fd) {
  char part[4096];
  ssize_t count = 0;
  while ((count = ::recv(fd, part, sizeof part, 0)) > 0) {
  }
  return true;
}

TEST(Store, StrangersAreSentAwayAndDisturbNobody) {
  Ranks ranks(2);
  const std::string greeting(wire::kGreeting);
  const std::uint32_t huge = 1u << 31, large = 1u << 20;
  const auto length = [](const std::uint32_t& n) {
    return std::string(reinterpret_cast<const char*>(&n), sizeof n);
  };
  for (const std::string& words :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("tessera store 0\nxxxx"),
        greeting + length(huge), greeting + length(large) + "x", greeting + length(0),
        greeting + wire::Writer(wire::Ask::Set).text("a").text("stranger").take(),
        greeting + wire::Writer(wire::Ask::Join).number(0).take()}) {
    const int fd = plain_connection(ranks.server.port());
    send_all(fd, words);
    EXPECT_TRUE(is_closed(fd));
    ::close(fd);
  }
  EXPECT_EQ(ranks[0].get("a", 0ms), std::nullopt);
  EXPECT_EQ(ranks[0].aborted(), "");
}

/// What answers at the port may be another program.
TEST(Store, AStrangeServerIsToldFromTheStore) {
  int port = 0;
  const std::vector<Socket> listeners = listen_at({"127.0.0.1", 0}, port);
  std::jthread stranger([&] {
    for (int turn = 0; turn < 200; ++turn) {
      const int fd = ::accept(listeners[0].fd(), nullptr, nullptr);
      if (fd >= 0) {
        send_all(fd, "SSH-2.0-OpenSSH_9.2\r\n");
        std::this_thread::sleep_for(100ms);
        ::close(fd);
        return;
      }
      std::this_thread::sleep_for(10ms);
    }
  });
  const std::string error = error_of([&] { StoreClient({"127.0.0.1", port}, 1, 2, kLong); });
  EXPECT_NE(
      error.find(fmt::format("what listens at 127.0.0.1 port {} is not rank 0's store", port)),
      std::string::npos)
      << error;
}

}  // namespace
}  // namespace tessera
