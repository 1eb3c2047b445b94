// SPDX-License-Identifier: MIT
// A model behind the forms of OpenAI's API over HTTP (docs/guide/server.md). Every request that is
// wrong is answered with its status and an error object, and disturbs no other.
#pragma once

#include <chrono>
#include <memory>

#include "core/http/http_options.h"
#include "core/infer/scheduler.h"
#include "core/infer/text_model.h"

namespace tessera {

class HttpServer {
 public:
  /// `text` must outlive it. On a GPU the model is warmed up first, so that the first request is as
  /// quick as the next. Throws Error where it cannot listen at the address.
  HttpServer(const LoadedText& text, const EngineOptions& engine, const SchedulerOptions& scheduler,
             HttpOptions options);
  ~HttpServer();

  int port() const;
  /// Answers until stop(). The model runs on a thread of its own, with a team of `threads`; 0: as
  /// many as OpenMP has for a new thread.
  void run(int threads = 0);
  /// No more connections and requests; what runs has `patience` to end, and is given up then. From
  /// another thread than that of run(), which has been called or will be; run() returns soon after.
  void stop(std::chrono::milliseconds patience);

  SchedulerStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tessera
