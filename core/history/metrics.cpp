// SPDX-License-Identifier: MIT
#include "core/history/metrics.h"

#include <algorithm>
#include <cmath>
#include <iterator>

// NOTE: the name is Qt's: its tool that collects texts to translate looks for it here as well.
#define QT_TRANSLATE_NOOP(context, text) text

namespace tessera {

namespace {

template <auto Member>
double field(const StepEvent& e) {
  return static_cast<double>(e.*Member);
}

double mfu_percent(const StepEvent& e) {
  return e.mfu * 100;
}

double memory(const StepEvent& e) {
  return e.memory_bytes > 0 ? static_cast<double>(e.memory_bytes) : kNotMeasured;
}

double worst_layer(const StepEvent& e) {
  double worst = kNotMeasured;
  for (const float vio : e.max_vio) worst = std::fmax(worst, static_cast<double>(vio));  // no NaN
  return worst;
}

/// What the rank with the most tokens gets, as a multiple of the mean.
double busiest_rank(const StepEvent& e) {
  double most = 0, sum = 0;
  for (const std::int64_t tokens : e.rank_tokens) {
    most = std::max(most, static_cast<double>(tokens));
    sum += static_cast<double>(tokens);
  }
  return sum > 0 ? most * static_cast<double>(e.rank_tokens.size()) / sum : kNotMeasured;
}

using Draw = MetricInfo::Draw;
constexpr const char* kNotLogged = QT_TRANSLATE_NOOP("Chart", "Not logged by this run.");

constexpr const char* kNotSpread =
    QT_TRANSLATE_NOOP("Chart", "The experts of this run are not spread over ranks.");

constexpr MetricInfo kMetrics[] = {
    {"loss", QT_TRANSLATE_NOOP("Metric", "Loss"), "nats", "loss", Draw::Smoothed,
     QT_TRANSLATE_NOOP("Chart", "No step has been logged yet."), field<&StepEvent::loss>},
    {"learning_rate", QT_TRANSLATE_NOOP("Metric", "Learning rate"), "", "learning_rate",
     Draw::Exact, kNotLogged, field<&StepEvent::learning_rate>},
    {"grad_norm", QT_TRANSLATE_NOOP("Metric", "Gradient norm"), "", "gradient_norm",
     Draw::Logarithmic, kNotLogged, field<&StepEvent::grad_norm>},
    {"tokens_per_second", QT_TRANSLATE_NOOP("Metric", "Tokens per second"), "tokens/s",
     "tokens_per_second", Draw::Smoothed, kNotLogged, field<&StepEvent::tokens_per_second>},
    {"mfu", QT_TRANSLATE_NOOP("Metric", "Model FLOPs utilisation"), "%", "mfu", Draw::Smoothed,
     kNotLogged, mfu_percent},
    {"memory", QT_TRANSLATE_NOOP("Metric", "Memory"), "bytes", "memory", Draw::Exact,
     QT_TRANSLATE_NOOP("Chart", "The memory in use was not measured."), memory},
    {"max_vio", QT_TRANSLATE_NOOP("Metric", "MaxVio, worst layer"), "", "maxvio", Draw::Smoothed,
     QT_TRANSLATE_NOOP("Chart", "A dense model has no experts to balance."), worst_layer},
    {"mtp_loss", QT_TRANSLATE_NOOP("Metric", "MTP loss"), "nats", "mtp", Draw::Smoothed,
     QT_TRANSLATE_NOOP("Chart", "The model has no multi-token prediction module."),
     field<&StepEvent::mtp_loss>},
    {"balance_loss", QT_TRANSLATE_NOOP("Metric", "Balance loss"), "", "balance_loss",
     Draw::Smoothed, QT_TRANSLATE_NOOP("Chart", "The sequence-wise balance loss is off."),
     field<&StepEvent::balance_loss>},
    {"clip", QT_TRANSLATE_NOOP("Metric", "Gradient scale by clipping"), "", "clipping",
     Draw::Smoothed, kNotLogged, field<&StepEvent::clip>},
    {"bias_speed", QT_TRANSLATE_NOOP("Metric", "Bias update speed"), "", "bias_speed", Draw::Exact,
     kNotLogged, field<&StepEvent::bias_speed>},
    {"mtp_lambda", QT_TRANSLATE_NOOP("Metric", "MTP weight"), "", "mtp", Draw::Exact, kNotLogged,
     field<&StepEvent::mtp_lambda>},
    {"sequence_length", QT_TRANSLATE_NOOP("Metric", "Sequence length"), "tokens", "sequence_length",
     Draw::Exact, kNotLogged, field<&StepEvent::sequence_length>},
    {"batch_sequences", QT_TRANSLATE_NOOP("Metric", "Batch"), "sequences", "batch", Draw::Exact,
     kNotLogged, field<&StepEvent::batch_sequences>},
    {"exchange_bytes", QT_TRANSLATE_NOOP("Metric", "Bytes to experts on other ranks"), "bytes",
     "expert-parallel", Draw::Exact, kNotSpread, field<&StepEvent::exchange_bytes>},
    {"ranks_per_token", QT_TRANSLATE_NOOP("Metric", "Ranks per token"), "", "expert-parallel",
     Draw::Exact, kNotSpread, field<&StepEvent::ranks_per_token>},
    {"busiest_rank", QT_TRANSLATE_NOOP("Metric", "Busiest rank of experts"), "", "expert-parallel",
     Draw::Exact, kNotSpread, busiest_rank},
};
static_assert(std::size(kMetrics) == kMetricCount);

}  // namespace

const MetricInfo& metric_info(Metric metric) {
  return kMetrics[static_cast<std::size_t>(metric)];
}

}  // namespace tessera
