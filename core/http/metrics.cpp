// SPDX-License-Identifier: MIT
#include "core/http/metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace tessera {

namespace {
/// A value of a label: Prometheus has three escapes.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

class MetricsText {
 public:
  explicit MetricsText(const std::string& model)
      : label_(fmt::format("model_name=\"{}\"", escaped(model))) {}

  void gauge(const char* name, const char* help, double value) {
    head(name, help, "gauge");
    line(name, "", value);
  }
  void counter(const char* name, const char* help, std::int64_t value) {
    head(name, help, "counter");
    line(name, "", static_cast<double>(value));
  }
  void head(const char* name, const char* help, const char* type) {
    fmt::format_to(std::back_inserter(text_), "# HELP tessera_{0} {1}\n# TYPE tessera_{0} {2}\n",
                   name, help, type);
  }
  void line(const std::string& name, const std::string& labels, double value) {
    fmt::format_to(std::back_inserter(text_), "tessera_{}{{{}{}{}}} {}\n", name, label_,
                   labels.empty() ? "" : ",", labels, value);
  }
  void histogram(const char* name, const char* help, const SecondsHistogram& values) {
    head(name, help, "histogram");
    const std::string bucket = std::string(name) + "_bucket";
    std::int64_t below = 0;
    for (std::size_t i = 0; i < values.kBounds.size(); ++i) {
      below += values.counts[i];
      line(bucket, fmt::format("le=\"{}\"", values.kBounds[i]), static_cast<double>(below));
    }
    line(bucket, "le=\"+Inf\"", static_cast<double>(values.count));
    line(std::string(name) + "_sum", "", values.sum);
    line(std::string(name) + "_count", "", static_cast<double>(values.count));
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string label_, text_;
};
}  // namespace

std::string metrics_text(const SchedulerStats& s, const std::string& model,
                         const std::map<int, std::int64_t>& responses) {
  MetricsText text(model);
  text.gauge("num_requests_running", "Requests that take part in the steps.",
             static_cast<double>(s.running));
  text.gauge("num_requests_waiting", "Requests in the queue.", static_cast<double>(s.waiting));
  const double used =
      s.pages > 0 ? 1 - static_cast<double>(s.free_pages) / static_cast<double>(s.pages) : 0;
  text.gauge("kv_cache_usage_perc",
             "Share of the cache's pages in use, 0 to 1, with those kept for requests that begin "
             "alike.",
             used);
  text.gauge("kept_sequences", "Sequences that have ended and whose pages are kept.",
             static_cast<double>(s.kept));
  text.counter("prompt_tokens_total", "Tokens of prompts, those from the cache included.",
               s.prompt_tokens);
  text.counter("prefix_cache_queries_total", "Tokens of prompts that were looked for in the cache.",
               s.prompt_tokens);
  text.counter("prefix_cache_hits_total", "Those of them that were there.", s.reused_tokens);
  text.counter("generation_tokens_total", "Tokens that were written.", s.written_tokens);
  text.counter("num_preemptions_total", "Requests that were put back for want of pages.",
               s.preemptions);
  text.counter("steps_total", "Passes of the model.", s.steps);
  text.counter("requests_refused_total", "Requests that found the queue full.", s.refused);
  text.head("request_success_total", "Requests that ended, by the reason.", "counter");
  const std::pair<const char*, StopReason> reasons[] = {{"stop", StopReason::Stop},
                                                        {"length", StopReason::Length},
                                                        {"abort", StopReason::Cancelled},
                                                        {"full", StopReason::Full}};
  for (const auto& [name, reason] : reasons) {
    text.line("request_success_total", fmt::format("finished_reason=\"{}\"", name),
              static_cast<double>(s.ended[static_cast<std::size_t>(reason)]));
  }
  text.counter("request_failures_total", "Requests that ended with an error of the engine.",
               s.failed);
  text.histogram("request_queue_time_seconds", "From arrival to admission.", s.queue);
  text.histogram("time_to_first_token_seconds", "From arrival to the first token.", s.first_token);
  text.histogram("inter_token_latency_seconds", "From one token to the next.", s.between_tokens);
  text.histogram("e2e_request_latency_seconds", "From arrival to the end.", s.whole);
  text.head("http_responses_total", "Answers by their HTTP status.", "counter");
  for (const auto& [status, count] : responses) {
    text.line("http_responses_total", fmt::format("status=\"{}\"", status),
              static_cast<double>(count));
  }
  return std::move(text).text();
}

}  // namespace tessera
