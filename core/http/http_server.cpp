// SPDX-License-Identifier: MIT
#include "core/http/http_server.h"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "core/base/threads.h"
#include "core/http/answer_format.h"
#include "core/http/api_answer.h"
#include "core/http/api_error.h"
#include "core/http/api_fields.h"
#include "core/http/api_request.h"
#include "core/http/chat_prompt.h"
#include "core/http/client_socket.h"
#include "core/http/connection_threads.h"
#include "core/http/metrics.h"
#include "core/http/tool_request.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {
constexpr std::chrono::milliseconds kLook{100};  ///< between looks whether the client is there
constexpr int kBacklog = 1024;
// NOTE: exactly so: with more behind it the library would compress a stream, and hold it back.
constexpr const char* kJson = "application/json";
constexpr const char* kEventStream = "text/event-stream";

/// Valid UTF-8 whatever is in the texts.
std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// "example.org" of "http://example.org:80/path" and of "example.org:80".
std::string host_in(std::string text) {
  if (const auto scheme = text.find("://"); scheme != std::string::npos) text.erase(0, scheme + 3);
  text = text.substr(0, text.find('/'));
  if (text.starts_with("[")) return text.substr(0, text.find(']') + 1);
  return text.substr(0, text.find(':'));
}

/// Takes as long for a wrong key as for the right one.
bool are_equal(const std::string& a, const std::string& b) {
  unsigned char differences = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    differences |= static_cast<unsigned char>(a[i] ^ (b.empty() ? '\0' : b[i % b.size()]));
  }
  return differences == 0;
}

class QueueOfConnections final : public httplib::TaskQueue {
 public:
  explicit QueueOfConnections(std::size_t most) : threads_(most) {}
  // Later versions of the library ask whether there was room.
  using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue(std::function<void()>()));
  Enqueued enqueue(std::function<void()> work) override {
    threads_.add(std::move(work));
    return static_cast<Enqueued>(true);
  }
  void shutdown() override { threads_.finish(); }

 private:
  ConnectionThreads threads_;
};

void send_error(httplib::Response& response, const ApiError& error) {
  response.status = error.status;
  constexpr const char* kSecondsToWait = "1";
  if (error.status == 429 || error.status == 503) {
    response.set_header("Retry-After", kSecondsToWait);
  }
  if (error.status == 401) response.set_header("WWW-Authenticate", "Bearer");
  response.set_content(dumped(error.body()), kJson);
}

/// What the library answers by itself: a header that is too long, a method that it does not know.
ApiError error_of_status(int status) {
  switch (status) {
    case 404:
      return {404, "not_found_error", "there is nothing at this address"};
    case 413:
      return {413, "invalid_request_error", "the request is too large"};
    case 414:
      return {414, "invalid_request_error", "the address in the request is too long"};
    case 500:
      return {500, "server_error", "the server could not answer"};
    default:
      return {status, status >= 500 ? "server_error" : "invalid_request_error",
              fmt::format("the request cannot be read (status {})", status)};
  }
}
}  // namespace

struct HttpServer::Impl {
  Impl(const LoadedText& text_model, const EngineOptions& engine, const SchedulerOptions& plan,
       HttpOptions http)
      : text(text_model),
        options(std::move(http)),
        scheduler(*text_model.loaded.model, text_model.tokenizer, engine, plan, text_model.ends) {
    model.text = &text;
    model.name = options.name;
    model.context = scheduler.context();
    model.formats = std::make_shared<AnswerFormats>(text.tokenizer);
    model.created = std::chrono::duration_cast<std::chrono::seconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
    check_access(options);
    set_limits();
    set_routes();
    bind();
  }

  // ---- Setting up -------------------------------------------------------------------------------

  void set_limits() {
    constexpr time_t kReadSeconds = 20, kWriteSeconds = 30, kIdleSeconds = 5;
    constexpr std::size_t kRequestsOfConnection = 10000;
    server.new_task_queue = [most = options.most_connections] {
      return new QueueOfConnections(most);
    };
    server.set_read_timeout(kReadSeconds);
    server.set_write_timeout(kWriteSeconds);
    server.set_keep_alive_timeout(kIdleSeconds);
    server.set_keep_alive_max_count(kRequestsOfConnection);
    server.set_tcp_nodelay(true);
    server.set_payload_max_length(options.most_body_bytes);
    server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (response.body.empty()) send_error(response, error_of_status(response.status));
    });
    server.set_exception_handler(
        [](const httplib::Request&, httplib::Response& response, std::exception_ptr failure) {
          send_error(response, failure_of(failure));
        });
    server.set_logger([this](const httplib::Request&, const httplib::Response& response) {
      const std::lock_guard lock(mutex);
      ++responses[response.status];
    });
  }

  /// NOTE: the library listens with room for five connections that nobody has accepted yet; a
  /// second listen() on its socket makes it more.
  void bind() {
    int descriptor = -1;
    server.set_socket_options([&](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
      descriptor = socket;
    });
    bool bound = true;
    if (options.port == 0) {
      options.port = server.bind_to_any_port(options.address);
      bound = options.port > 0;
    } else {
      bound = server.bind_to_port(options.address, options.port);
    }
    if (!bound) throw cannot_listen(options);
    ::listen(descriptor, kBacklog);
  }

  /// `text`: the body as it came.
  using Handler = std::function<void(const json& body, const std::string& text,
                                     const httplib::Request&, httplib::Response&)>;

  void get(const std::string& path, bool needs_key,
           const std::function<void(httplib::Response&)>& handler) {
    server.Get(path, [=, this](const httplib::Request& request, httplib::Response& response) {
      guarded(response, [&] {
        check_origin(request);
        if (needs_key) check_key(request);
        handler(response);
      });
    });
  }

  void post(const std::string& path, const Handler& handler) {
    server.Post(path, [=, this](const httplib::Request& request, httplib::Response& response,
                                const httplib::ContentReader& reader) {
      guarded(response, [&] {
        // The body is read in any case: what is left of it would be taken for the next request.
        const std::string body = read_body(request, reader);
        check_origin(request);
        check_key(request);
        handler(parse_body(body), body, request, response);
      });
    });
  }

  template <class Work>
  static void guarded(httplib::Response& response, const Work& work) {
    try {
      work();
    } catch (...) {
      send_error(response, failure_of(std::current_exception()));
    }
  }

  void set_routes() {
    const auto send = [](httplib::Response& response, const json& value) {
      response.set_content(dumped(value), kJson);
    };
    get("(/v1)?/health", false, [=](httplib::Response& response) {
      send(response, {{"status", "ok"}});
    });
    get("/version", true, [=](httplib::Response& response) {
      send(response, {{"version", TESSERA_VERSION}});
    });
    get("(/v1)?/models", true, [=, this](httplib::Response& response) {
      send(response, {{"object", "list"}, {"data", json::array({model_card()})}});
    });
    get("/metrics", true, [this](httplib::Response& response) {
      std::map<int, std::int64_t> counts;
      {
        const std::lock_guard lock(mutex);
        counts = responses;
      }
      response.set_content(metrics_text(scheduler.stats(), model.name, counts),
                           "text/plain; version=0.0.4; charset=utf-8");
    });
    get("(/v1)?/tokenizer_info", true,
        [=, this](httplib::Response& response) { send(response, tokenizer_info()); });
    server.Get("(/v1)?/models/(.+)",
               [=, this](const httplib::Request& request, httplib::Response& response) {
                 guarded(response, [&] {
                   check_origin(request);
                   check_key(request);
                   check_model_name({{"model", request.matches[2].str()}}, model);
                   send(response, model_card());
                 });
               });
    const auto ask = [this](auto&& read) {
      return [this, read](const json& body, const std::string& text_of_body,
                          const httplib::Request& request, httplib::Response& response) {
        answer(read(body, text_of_body, model), request, response);
      };
    };
    post("(/v1)?/chat/completions", ask(chat_request));
    post("(/v1)?/completions", ask(completion_request));
    const auto simple = [send](auto&& work) {
      return [send, work](const json& body, const std::string& sent, const httplib::Request&,
                          httplib::Response& response) { send(response, work(body, sent)); };
    };
    post("(/v1)?/tokenize", simple([this](const json& body, const std::string& sent) {
           return tokenize(body, sent);
         }));
    post("(/v1)?/detokenize",
         simple([this](const json& body, const std::string&) { return detokenize(body); }));
    post("/apply-template", simple([this](const json& body, const std::string& sent) {
           check_tools(body, sent);
           return json{{"prompt", chat_prompt(body, sent, text).text}};
         }));
    set_refusals();
  }

  /// For what no route above takes: it must read bodies with the same limit.
  void set_refusals() {
    const std::string posts =
        "(/v1)?/(chat/completions|completions|tokenize|detokenize)|/apply-template";
    server.Get(posts, [](const httplib::Request&, httplib::Response& response) {
      response.set_header("Allow", "POST");
      send_error(response, {405, "invalid_request_error", "send this with POST"});
    });
    const auto refuse = [this](const httplib::Request& request, httplib::Response& response,
                               const httplib::ContentReader& reader) {
      guarded(response, [&] {
        read_body(request, reader);
        throw error_of_status(404);
      });
    };
    server.Post(".*", refuse);
    server.Put(".*", refuse);
    server.Patch(".*", refuse);
    server.Delete(".*", refuse);
  }

  // ---- Who may ask, and how much ----------------------------------------------------------------

  void check_key(const httplib::Request& request) const {
    if (options.key.empty()) return;
    constexpr std::string_view kBearer = "bearer ";
    std::string shown = request.get_header_value("X-Api-Key");
    const std::string bearer = request.get_header_value("Authorization");
    const bool is_bearer =
        bearer.size() > kBearer.size() &&
        std::equal(kBearer.begin(), kBearer.end(), bearer.begin(),
                   [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
    if (is_bearer) shown = bearer.substr(kBearer.size());
    if (are_equal(shown, options.key)) return;
    ApiError error(401, "authentication_error",
                   shown.empty() ? "this server asks for a key: Authorization: Bearer KEY"
                                 : "the key is not the one that this server asks for");
    error.code = "invalid_api_key";
    throw error;
  }

  /// Without a key, web pages of others that this machine's browser has open must not use it.
  void check_origin(const httplib::Request& request) const {
    if (!options.key.empty()) return;
    for (const char* header : {"Origin", "Host"}) {
      const std::string value = request.get_header_value(header);
      if (value.empty() || is_loopback(host_in(value))) continue;
      throw ApiError(403, "permission_error",
                     fmt::format("without a key this server answers this machine alone, and the "
                                 "header {} names another one",
                                 header));
    }
  }

  std::string read_body(const httplib::Request& request,
                        const httplib::ContentReader& reader) const {
    if (request.is_multipart_form_data()) {
      throw wrong_request("the body is a form, expected JSON");
    }
    // NOTE: without a length the library would read until the client closes the connection.
    if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding"))
      return {};
    std::string body;
    bool too_large = false;
    const bool whole = reader([&](const char* data, std::size_t count) {
      too_large = too_large || body.size() + count > options.most_body_bytes;
      if (too_large) return false;
      body.append(data, count);
      return true;
    });
    if (whole && !too_large) return body;
    if (!too_large) {
      const std::string length = request.get_header_value("Content-Length");
      std::size_t bytes = 0;
      std::from_chars(length.data(), length.data() + length.size(), bytes);
      too_large = bytes > options.most_body_bytes;
    }
    if (!too_large) throw wrong_request("the body came in part");
    throw ApiError(413, "invalid_request_error",
                   fmt::format("the body has more than the {} bytes that this server takes",
                               options.most_body_bytes));
  }

  // ---- What is answered -------------------------------------------------------------------------

  json model_card() const {
    return {{"id", model.name},
            {"object", "model"},
            {"created", model.created},
            {"owned_by", "tessera"},
            {"root", text.folder.string()},
            {"max_model_len", model.context}};
  }

  json tokenizer_info() const {
    const Tokenizer& tokenizer = *text.tokenizer;
    const auto spelled = [&](std::int32_t id) {
      return id < 0 ? json() : json(std::string(tokenizer.piece(id)));
    };
    const SpecialTokens& s = tokenizer.specials();
    return {{"tokenizer_class", std::string(tokenizer.file_name())},
            {"vocab_size", tokenizer.vocab_size()},
            {"model_max_length", model.context},
            {"bos_token", spelled(s.bos)},
            {"eos_token", spelled(s.eos)},
            {"pad_token", spelled(s.pad)},
            {"unk_token", spelled(s.unknown)},
            {"eos_token_id", s.eos < 0 ? json() : json(s.eos)},
            {"bos_token_id", s.bos < 0 ? json() : json(s.bos)},
            {"add_bos_token", tokenizer.adds_bos()},
            {"chat_template", text.chat_template ? json(text.chat_template->source()) : json()}};
  }

  /// `prompt` or `messages` as vLLM's clients send them, or `content` as those of llama.cpp.
  json tokenize(const json& body, const std::string& sent) const {
    const ApiFields fields(body);
    const bool is_content = fields.find("content") != nullptr;
    std::vector<std::int32_t> ids;
    if (fields.find("messages")) {
      check_tools(body, sent);
      ids = chat_prompt(body, sent, text).ids;
    } else {
      const char* key = is_content ? "content" : "prompt";
      const bool with_specials =
          fields.boolean(is_content ? "add_special" : "add_special_tokens", !is_content);
      if (!fields.find(key)) fields.refuse("prompt", "a string");
      const std::string words = fields.text(key, "");
      ids = prompt_ids(words, *text.tokenizer, with_specials);
    }
    json made{{"tokens", ids}, {"count", ids.size()}, {"max_model_len", model.context}};
    const auto spelled = [&] {
      json list = json::array();
      for (const std::int32_t id : ids) list.push_back(token_text(*text.tokenizer, id));
      return list;
    };
    if (fields.boolean("return_token_strs", false)) made["token_strs"] = spelled();
    if (!fields.boolean("with_pieces", false)) return made;
    json& pieces = made["tokens"] = json::array();
    for (const std::int32_t id : ids) {
      const std::string_view bytes =
          text.tokenizer->is_special(id) ? text.tokenizer->piece(id) : text.tokenizer->bytes_of(id);
      json piece = utf8::is_valid(bytes)
                       ? json(std::string(bytes))
                       : json(std::vector<unsigned char>(bytes.begin(), bytes.end()));
      pieces.push_back({{"id", id}, {"piece", std::move(piece)}});
    }
    return made;
  }

  json detokenize(const json& body) const {
    const ApiFields fields(body);
    const json* tokens = fields.find("tokens");
    const bool are_ids = tokens && tokens->is_array() &&
                         std::all_of(tokens->begin(), tokens->end(),
                                     [](const json& id) { return id.is_number_integer(); });
    if (!are_ids) fields.refuse("tokens", "a list of ids of tokens");
    const std::string words =
        utf8::replace_invalid(text.tokenizer->decode(prompt_ids(*tokens, *text.tokenizer, false)));
    return {{"prompt", words}, {"content", words}};
  }

  // ---- Answers of the model ---------------------------------------------------------------------

  /// A request while it is answered.
  struct Talk {
    Talk(Impl& impl, ApiRequest wanted, const httplib::Request& http)
        : request(std::move(wanted)),
          written(request, impl.model),
          client(http.remote_addr, http.remote_port),
          deadline(Clock::now() + impl.options.most_time),
          answers(impl.scheduler, request) {}

    /// The next event; nothing where none came in a while. Throws ApiError where it took too long.
    std::optional<AnswerEvent> wait() {
      if (Clock::now() > deadline) {
        throw ApiError(503, "unavailable_error", "the answer took longer than this server allows");
      }
      return answers.wait(kLook);
    }

    ApiRequest request;
    ApiAnswer written;
    ClientSocket client;
    Clock::time_point deadline;
    Answers answers;
  };

  std::shared_ptr<Talk> begin_talk(ApiRequest request, const httplib::Request& http) {
    if (stopping) throw ApiError(503, "unavailable_error", "the server ends");
    try {
      return std::make_shared<Talk>(*this, std::move(request), http);
    } catch (const Error& error) {
      // What the scheduler refuses is the request's fault, but for the end of the server.
      if (error.where() == "scheduler") throw ApiError(503, "unavailable_error", error.what());
      throw wrong_request(error.what());
    }
  }

  void answer(ApiRequest request, const httplib::Request& http, httplib::Response& response) {
    const bool streams = request.stream;
    const std::shared_ptr<Talk> talk = begin_talk(std::move(request), http);
    if (streams) return stream(talk, response);
    while (!talk->written.is_done()) {
      if (talk->client.has_left()) {
        throw ApiError(499, "invalid_request_error", "the client has left");
      }
      if (const auto event = talk->wait()) talk->written.take(*event);
    }
    response.set_content(dumped(talk->written.whole()), kJson);
  }

  static void stream(const std::shared_ptr<Talk>& talk, httplib::Response& response) {
    response.set_header("Cache-Control", "no-cache");
    response.set_chunked_content_provider(
        kEventStream, [talk](std::size_t, httplib::DataSink& sink) {
          const auto write = [&](const std::string& data) {
            const std::string line = "data: " + data + "\n\n";
            return sink.write(line.data(), line.size());
          };
          try {
            if (talk->client.has_left()) return false;
            const auto event = talk->wait();
            if (!event) return true;
            for (const json& chunk : talk->written.take(*event)) {
              if (!write(dumped(chunk))) return false;
            }
            if (!talk->written.is_done()) return true;
            if (talk->request.include_usage && !write(dumped(talk->written.usage_chunk()))) {
              return false;
            }
          } catch (...) {
            // The status has been sent: the error is an event of the stream.
            write(dumped(failure_of(std::current_exception()).body()));
          }
          write("[DONE]");
          sink.done();
          return true;
        });
  }

  const LoadedText& text;
  HttpOptions options;
  ServedModel model;
  Scheduler scheduler;
  std::atomic<bool> stopping{false}, ended{false};
  std::mutex mutex;  ///< guards what follows
  std::map<int, std::int64_t> responses;
  httplib::Server server;
};

HttpServer::HttpServer(const LoadedText& text, const EngineOptions& engine,
                       const SchedulerOptions& scheduler, HttpOptions options)
    : impl_(std::make_unique<Impl>(text, engine, scheduler, std::move(options))) {
  if (text.loaded.model->device() == Device::Cuda) impl_->scheduler.warm_up();
}

HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  return impl_->options.port;
}

SchedulerStats HttpServer::stats() const {
  return impl_->scheduler.stats();
}

void HttpServer::run(int threads) {
  std::thread model([this, threads] {
    if (threads > 0) omp_set_num_threads(threads);
    impl_->scheduler.run();
  });
  if (!impl_->stopping) impl_->server.listen_after_bind();
  impl_->ended = true;
  impl_->scheduler.close();
  model.join();
}

void HttpServer::stop(std::chrono::milliseconds patience) {
  impl_->stopping = true;
  // The library does not hear this before it has begun to listen.
  while (!impl_->server.is_running() && !impl_->ended) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  impl_->server.stop();
  const auto deadline = Clock::now() + patience;
  const auto works = [&] {
    const SchedulerStats stats = impl_->scheduler.stats();
    return stats.running + stats.waiting > 0;
  };
  while (works() && Clock::now() < deadline) std::this_thread::sleep_for(kLook);
  impl_->scheduler.close();
}

}  // namespace tessera
