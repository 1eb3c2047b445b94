// SPDX-License-Identifier: MIT
// The process behind chat windows: requests and events are JSON objects, one a line
// (docs/chat-protocol.md). Requests are handled one after another; cancelling and counting are
// answered at once, also while a model generates. Every request that was accepted is answered to
// its end, or is told that it was given up.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/infer/text_model.h"

namespace tessera {

inline constexpr int kServeProtocol = 1;

class Server {
 public:
  /// Takes events. Calls come from both threads, one at a time.
  using Sink = std::function<void(const nlohmann::json&)>;
  explicit Server(Sink sink);

  /// One line of a client, from the thread that reads them.
  void receive(std::string_view line);
  /// Answers a line that was too long to be kept.
  void refuse_long_line(std::size_t longest_bytes);
  /// There will be no more lines: run() returns when all that was accepted is done. From any
  /// thread.
  void finish();
  /// Ends now: what is being generated is cancelled, what waits is given up, each with an answer.
  /// From any thread but one that is inside the sink.
  void close();
  /// Nobody hears the answers any more: as close(), without them. From any thread.
  void drop();
  bool closed() const { return closed_; }
  /// Answers for the request at hand that it is given up, and says nothing more: for a program that
  /// ends without waiting for it. From any thread but one that is inside the sink.
  void abandon();

  /// Handles requests until finish(), close(), drop() or a request to quit. Products run on the
  /// calling thread's team.
  void run();

 private:
  struct Request {
    std::int64_t id = 0;
    std::string kind;
    nlohmann::json body;
  };
  /// What may be asked while a model works: a copy that the reader can use.
  struct Words {
    std::shared_ptr<const Tokenizer> tokenizer;
    bool knows_chat = false;
    std::shared_ptr<const ChatTemplate> chat_template;
  };

  void send(std::int64_t id, const char* event, nlohmann::json fields = nlohmann::json::object());
  void send_error(const nlohmann::json& id, const std::string& what, const std::string& where,
                  const std::string& hint);
  template <class Body>
  void guarded(std::int64_t id, Body&& body);

  static Request request_of(std::string_view line);
  void accept(Request request);
  bool waits_for_model(const Request& request) const;
  void handle_at_once(const Request& request);
  void give_up(const Request& request);

  std::optional<Request> next();
  void handle(const Request& request);
  void cancel(std::int64_t target);
  void count(const Request& request);
  void set_words(Words words);
  void load(const Request& request);
  void generate(const Request& request);
  nlohmann::json token_event(const SessionToken& token) const;
  Words words() const;

  Sink sink_;
  bool silent_ = false;  ///< nothing more is sent
  std::mutex sink_mutex_;
  std::unique_ptr<TextModel> model_;  ///< the worker's own

  mutable std::mutex mutex_;  ///< guards what follows
  std::condition_variable wake_;
  std::deque<Request> queue_;
  Words words_;
  std::optional<Request> current_;           ///< being handled
  bool finishing_ = false;                   ///< no more lines will come
  std::atomic<std::int64_t> cancelled_{-1};  ///< request whose generation is to end
  std::atomic<bool> closed_{false};
};

}  // namespace tessera
