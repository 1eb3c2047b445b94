// SPDX-License-Identifier: MIT
#include "core/plan/measurements.h"
#include "core/base/call_record.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/history/recent_steps.h"
#include "core/spec/batch_unit.h"
#include "core/spec/spec_table.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
fs::path file_or_default(const fs::path& file) {
  return file.empty() ? home_folder() / "bench" / "measurements.json" : file;
}

nlohmann::json to_json(const Measurement& m) {
  return {{"kind", m.kind},
          {"date", m.date},
          {"host", m.host},
          {"device", m.device == Device::Cuda ? "cuda" : "cpu"},
          {"operand", m.operand == DType::BF16 ? "bf16" : "f32"},
          {"name", m.name},
          {"model", m.model},
          {"recipe", m.recipe},
          {"sequence_length", m.sequence_length},
          {"ranks", m.ranks},
          {"tokens_per_second", m.tokens_per_second},
          {"flops_per_token", m.flops_per_token},
          {"product_flops", m.product_flops}};
}

Measurement from_json(const nlohmann::json& o) {
  Measurement m;
  m.kind = o.at("kind");
  m.date = o.at("date");
  m.host = o.at("host");
  m.device = o.at("device") == "cuda" ? Device::Cuda : Device::Cpu;
  m.operand = o.at("operand") == "bf16" ? DType::BF16 : DType::F32;
  m.name = o.value("name", "");
  m.model = o.value("model", "");
  m.recipe = o.value("recipe", "");
  m.sequence_length = o.value("sequence_length", std::int64_t{0});
  m.tokens_per_second = o.value("tokens_per_second", 0.0);
  m.flops_per_token = o.value("flops_per_token", 0.0);
  m.ranks = std::max<std::int64_t>(1, o.value("ranks", std::int64_t{1}));
  m.product_flops = o.value("product_flops", 0.0);
  return m;
}

bool same_subject(const Measurement& a, const Measurement& b) {
  return a.kind == b.kind && a.host == b.host && a.device == b.device && a.operand == b.operand &&
         a.model == b.model && a.recipe == b.recipe && a.sequence_length == b.sequence_length;
}
}  // namespace

std::string model_fingerprint(const ModelConfig& config) {
  RunSpec spec;
  spec.model = config;
  spec.model.yarn = {};
  spec.model.max_position_embeddings = 1;
  spec.model.rms_norm_eps = spec.model.rope_theta = 1;
  spec.model.initializer_range = 0;
  std::uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const spec::Entry& entry : spec::flatten(spec)) {
    if (!entry.path.starts_with("model.")) continue;
    for (const char c : entry.path + "=" + spec::format_value(entry.value) + "\n") {
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    }
  }
  return fmt::format("{:016x}", hash);
}

std::string today() {
  return fmt::format("{:%Y-%m-%d}", fmt::localtime(std::time(nullptr)));
}

std::vector<Measurement> read_measurements(const fs::path& file) {
  const fs::path path = file_or_default(file);
  std::error_code error;
  if (!fs::exists(path, error)) return {};
  std::vector<Measurement> all;
  try {
    const nlohmann::json contents = nlohmann::json::parse(read_file(path));
    for (const nlohmann::json& one : contents.at("measurements")) {
      all.push_back(from_json(one));
    }
  } catch (const nlohmann::json::exception& problem) {
    throw Error(path.string(), fmt::format("cannot be read: {}", problem.what()),
                "delete it; `tessera bench` makes it anew");
  }
  return all;
}

void add_measurement(const Measurement& measurement, const fs::path& file) {
  const fs::path path = file_or_default(file);
  fs::create_directories(path.parent_path());
  std::vector<Measurement> all = read_measurements(path);
  all.push_back(measurement);
  auto same = std::count_if(all.begin(), all.end(),
                            [&](const Measurement& m) { return same_subject(m, measurement); });
  std::erase_if(all,
                [&](const Measurement& m) { return same_subject(m, measurement) && same-- > 3; });
  nlohmann::json list = nlohmann::json::array();
  for (const Measurement& m : all) list.push_back(to_json(m));
  write_file_atomically(path, nlohmann::json{{"measurements", list}}.dump(1) + "\n");
}

namespace {
double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::optional<Measurement> speed_of(const RunRow& row, const RunFolder& folder,
                                    const RunSpec& spec) {
  const std::vector<StepEvent> steps = recent_steps(folder.events_path(), 50);
  if (steps.size() < 3) return {};
  const auto last = [&](double StepEvent::*value) {
    std::vector<double> values;
    for (const StepEvent& step : steps) values.push_back(step.*value);
    return median(std::move(values));
  };
  Measurement m;
  m.name = row.id;
  m.host = host_name();
  m.date = fmt::format("{:%Y-%m-%d}", fmt::localtime(static_cast<std::time_t>(row.last_word)));
  m.device = spec.host.device;
  m.operand = spec.precision.recipe == PrecisionRecipe::Fp32 ? DType::F32 : DType::BF16;
  m.model = model_fingerprint(spec.model);
  m.recipe = std::string(name_of(spec.precision.recipe));
  m.sequence_length = spec.curriculum.empty() ? 0 : spec.curriculum.back().sequence_length;
  m.tokens_per_second = last(&StepEvent::tokens_per_second);
  m.flops_per_token = training_flops_per_token(spec.model, m.sequence_length);
  const double mfu = last(&StepEvent::mfu);
  m.ranks = mesh_of(spec.parallel).ranks();
  // A run tells which share of its own part of the machine a rank makes use of.
  if (mfu > 0) {
    m.product_flops =
        m.tokens_per_second * m.flops_per_token / mfu / static_cast<double>(m.devices());
  }
  if (!(m.tokens_per_second > 0)) return {};
  return m;
}
}  // namespace

std::optional<Measurement> measured_run(const RunSpec& spec, Library& library, int most_runs) {
  const std::string wanted = model_fingerprint(spec.model);
  for (const RunRow& row : library.runs(/*with_archived=*/true)) {
    if (row.missing || row.step < 2 || !row.host.empty()) continue;  // a mirror: another machine
    if (most_runs-- <= 0) break;
    try {
      const RunFolder folder = RunFolder::open(row.folder);
      const RunSpec other = folder.spec();
      if (model_fingerprint(other.model) != wanted || other.host.device != spec.host.device ||
          other.precision.recipe != spec.precision.recipe) {
        continue;
      }
      if (const auto speed = speed_of(row, folder, other)) return speed;
    } catch (const Error&) {
      continue;  // a run that cannot be read says nothing about speed
    }
  }
  return {};
}

}  // namespace tessera
