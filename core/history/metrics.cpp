// SPDX-License-Identifier: MIT
#include "core/history/metrics.h"

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

constexpr MetricInfo kMetrics[] = {
    {"loss", QT_TRANSLATE_NOOP("Metric", "Loss"), "nats", "loss", false, field<&StepEvent::loss>},
    {"mtp_loss", QT_TRANSLATE_NOOP("Metric", "MTP loss"), "nats", "mtp", false,
     field<&StepEvent::mtp_loss>},
    {"balance_loss", QT_TRANSLATE_NOOP("Metric", "Balance loss"), "", "balance_loss", false,
     field<&StepEvent::balance_loss>},
    {"learning_rate", QT_TRANSLATE_NOOP("Metric", "Learning rate"), "", "learning_rate", false,
     field<&StepEvent::learning_rate>},
    {"grad_norm", QT_TRANSLATE_NOOP("Metric", "Gradient norm"), "", "gradient_norm", true,
     field<&StepEvent::grad_norm>},
    {"clip", QT_TRANSLATE_NOOP("Metric", "Gradient scale by clipping"), "", "clipping", false,
     field<&StepEvent::clip>},
    {"tokens_per_second", QT_TRANSLATE_NOOP("Metric", "Tokens per second"), "tokens/s",
     "tokens_per_second", false, field<&StepEvent::tokens_per_second>},
    {"mfu", QT_TRANSLATE_NOOP("Metric", "Model FLOPs utilisation"), "%", "mfu", false, mfu_percent},
    {"memory", QT_TRANSLATE_NOOP("Metric", "Memory"), "bytes", "memory", false, memory},
    {"max_vio", QT_TRANSLATE_NOOP("Metric", "MaxVio, worst layer"), "", "maxvio", false,
     worst_layer},
    {"bias_speed", QT_TRANSLATE_NOOP("Metric", "Bias update speed"), "", "bias_speed", false,
     field<&StepEvent::bias_speed>},
    {"mtp_lambda", QT_TRANSLATE_NOOP("Metric", "MTP weight"), "", "mtp", false,
     field<&StepEvent::mtp_lambda>},
    {"sequence_length", QT_TRANSLATE_NOOP("Metric", "Sequence length"), "tokens", "sequence_length",
     false, field<&StepEvent::sequence_length>},
    {"batch_sequences", QT_TRANSLATE_NOOP("Metric", "Batch"), "sequences", "batch", false,
     field<&StepEvent::batch_sequences>},
};
static_assert(std::size(kMetrics) == kMetricCount);

}  // namespace

const MetricInfo& metric_info(Metric metric) {
  return kMetrics[static_cast<std::size_t>(metric)];
}

}  // namespace tessera
