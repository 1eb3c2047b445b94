// SPDX-License-Identifier: MIT
// Problems that only a plan shows.
#include <algorithm>
#include <filesystem>
#include <thread>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/data/source.h"
#include "core/plan/plan.h"
#include "core/spec/spec_table.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

std::string gigabytes(std::size_t bytes) {
  return fmt::format("{:.3g} GB", static_cast<double>(bytes) / 1e9);
}

class PlanChecker {
 public:
  PlanChecker(const RunSpec& spec, const Plan& plan, const PlanOptions& options)
      : spec_(spec), plan_(plan), options_(options) {}

  std::vector<PlanProblem> check() {
    check_engine();
    check_memory();
    check_heads();
    if (options_.look_at_files && spec_.host.kind == HostKind::Local) {
      check_device();
      check_files();
      check_vocabulary();
      check_disk();
    }
    return std::move(problems_);
  }

 private:
  using Settings = std::vector<std::pair<std::string, std::string>>;

  void add(Severity severity, std::string key, std::string message, std::string expected = {},
           Settings settings = {}) {
    PlanProblem problem{{.key = std::move(key),
                         .message = std::move(message),
                         .expected = std::move(expected),
                         .severity = severity}};
    if (!settings.empty()) problem.fix = Fix{.settings = std::move(settings)};
    problems_.push_back(std::move(problem));
  }

  /// What this version does not do.
  void check_engine() {
    bool fits = true;
    planned_precision(spec_, &fits);
    if (!fits) {
      add(Severity::Error, "precision.recipe",
          fmt::format("{}; {} takes multiples of 16", *odd_fp8_weight(spec_.model),
                      name_of(spec_.precision.recipe)),
          "bf16, or other sizes", {{"precision.recipe", "\"bf16\""}});
    }
    const auto threads = static_cast<std::int64_t>(std::thread::hardware_concurrency());
    if (spec_.host.kind == HostKind::Local && threads > 0 && spec_.host.threads > threads) {
      add(Severity::Warning, "host.threads",
          fmt::format("{} is more than this machine's {} cores", spec_.host.threads, threads), {},
          {{"host.threads", "0"}});
    }
  }

  void check_memory() {
    if (!plan_.memory_available || plan_.memory.total_bytes <= *plan_.memory_available) return;
    const std::size_t available = *plan_.memory_available;
    // A smaller micro-batch, and recomputation, leave the result of a run as it is.
    Settings settings;
    std::string key = "parallel.micro_batch_sequences";
    for (std::int64_t micro = spec_.parallel.micro_batch_sequences - 1; micro >= 1; --micro) {
      if (spec_.parallel.micro_batch_sequences % micro != 0) continue;
      RunSpec smaller = spec_;
      smaller.parallel.micro_batch_sequences = micro;
      if (plan_memory(smaller).total_bytes > available) continue;
      settings = {{"parallel.micro_batch_sequences", spec::format_value(micro)}};
      break;
    }
    if (settings.empty()) {
      RunSpec smaller = spec_;
      smaller.parallel.recompute.blocks = true;
      if (plan_memory(smaller).total_bytes <= available) {
        key = "parallel.recompute";
        settings = {{key, spec::format_value(words_of(smaller.parallel.recompute))}};
      }
    }
    const bool fits = !settings.empty();
    add(Severity::Error, fits ? key : "model",
        fmt::format("a rank needs {}, and {} are available", gigabytes(plan_.memory.total_bytes),
                    gigabytes(available)),
        fits ? "" : "a smaller model, shorter sequences or more ranks", std::move(settings));
  }

  void check_heads() {
    const ModelConfig& m = spec_.model;
    if (spec_.host.device != Device::Cuda) return;
    if (m.qk_head_dim() > 192 || m.v_head_dim > 128) {
      add(Severity::Error, "model.qk_nope_head_dim",
          fmt::format("heads of {} and {} are larger than the GPU's attention takes",
                      m.qk_head_dim(), m.v_head_dim),
          "at most 192 for keys and 128 for values",
          {{"model.qk_nope_head_dim", "128"},
           {"model.qk_rope_head_dim", "64"},
           {"model.v_head_dim", "128"}});
    }
  }

  void check_device() {
    if (spec_.host.device != Device::Cuda || fs::exists("/proc/driver/nvidia")) return;
    add(Severity::Error, "host.device", "cuda is asked for, and this machine has no NVIDIA GPU", {},
        {{"host.device", "\"cpu\""}});
  }

  void missing(const std::string& key, const std::string& path, bool is_pattern = false) {
    std::error_code error;
    if (path.empty()) return;
    try {
      const fs::path file = resolve_path(path);
      const bool there = is_pattern ? data::leads_somewhere(file) : fs::exists(file, error);
      if (!there) {
        add(Severity::Error, key, fmt::format("{} does not exist", file.string()));
      }
    } catch (const Error& problem) {
      add(Severity::Error, key, fmt::format("{}: {}", problem.where(), problem.what_failed()),
          problem.hint());
    }
  }

  void check_files() {
    std::error_code error;
    const bool has_shards = !spec_.data.shards.empty() &&
                            fs::exists(resolve_path(spec_.data.shards) / "manifest.json", error);
    if (!has_shards) {
      for (std::size_t i = 0; i < spec_.data.sources.size(); ++i) {
        for (const std::string& path : spec_.data.sources[i].paths) {
          missing(fmt::format("data.sources[{}].paths", i), path, true);
        }
      }
    }
    missing("tokenizer.path", spec_.tokenizer.path);
    missing("checkpoint.start_from", spec_.checkpoint.start_from);
  }

  void check_vocabulary() {
    const std::int64_t rows = spec_.model.vocab_size;
    std::int64_t tokens = spec_.tokenizer.vocab_size;
    std::error_code error;
    if (!spec_.tokenizer.path.empty()) {
      if (!fs::exists(resolve_path(spec_.tokenizer.path), error)) return;
      try {
        tokens = Tokenizer::load_for_training(resolve_path(spec_.tokenizer.path))->vocab_size();
      } catch (const Error& problem) {
        return add(Severity::Error, "tokenizer.path", problem.what_failed(), problem.hint());
      }
    }
    if (tokens > rows) {
      add(Severity::Error, "model.vocab_size",
          fmt::format("{} rows are fewer than the vocabulary's {} tokens", rows, tokens),
          fmt::format("{} or more", tokens),
          {{"model.vocab_size", spec::format_value((tokens + 63) / 64 * 64)}});
    } else if (tokens < rows * 3 / 4) {
      add(Severity::Warning, "model.vocab_size",
          fmt::format("{} of its {} rows are never used: the vocabulary has {} tokens",
                      rows - tokens, rows, tokens),
          {}, {{"model.vocab_size", spec::format_value((tokens + 63) / 64 * 64)}});
    }
  }

  void check_disk() {
    const std::int64_t kept = spec_.checkpoint.keep > 0 ? spec_.checkpoint.keep + 1 : 4;
    const bool saves = spec_.checkpoint.every_steps > 0 || spec_.checkpoint.on_finish;
    std::error_code error;
    const fs::space_info space = fs::space(runs_folder(), error);
    const std::size_t needed = plan_.checkpoint_bytes * static_cast<std::size_t>(kept);
    if (!saves || error || needed <= space.available) return;
    add(Severity::Warning, "checkpoint.keep",
        fmt::format("{} checkpoints of {} need more than the {} free in {}", kept,
                    gigabytes(plan_.checkpoint_bytes), gigabytes(space.available),
                    runs_folder().string()));
  }

  const RunSpec& spec_;
  const Plan& plan_;
  const PlanOptions& options_;
  std::vector<PlanProblem> problems_;
};

}  // namespace

std::vector<PlanProblem> check_plan(const RunSpec& spec, const Plan& plan,
                                    const PlanOptions& options) {
  return PlanChecker(spec, plan, options).check();
}

}  // namespace tessera
