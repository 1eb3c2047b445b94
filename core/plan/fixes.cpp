// SPDX-License-Identifier: MIT
#include "core/plan/fixes.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/spec/batch_unit.h"
#include "core/spec/spec_table.h"

namespace tessera {

std::string Fix::text() const {
  if (!rename_to.empty()) return fmt::format("Rename to {}", rename_to);
  std::string text;
  for (const auto& [key, value] : settings) {
    text += fmt::format("{}{} to {}", text.empty() ? "Set " : ", ", key, value);
  }
  return text;
}

RunSpec with_fix(RunSpec spec, const Fix& fix) {
  for (const auto& [key, value] : fix.settings) {
    const std::vector<Problem> problems = spec::set_text(spec, key, value);
    if (!problems.empty()) throw Error("fix", problems.front().text());
  }
  return spec;
}

namespace {
using Settings = std::vector<std::pair<std::string, std::string>>;

/// The number that a message begins with: "1_000_000 is out of range".
std::optional<double> leading_number(std::string text) {
  text.resize(std::min(text.find(' '), text.size()));
  std::erase(text, '_');
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::string number_text(const spec::Key& key, double value) {
  return key.type == spec::KeyType::Integer ? spec::format_value(static_cast<std::int64_t>(value))
                                            : spec::format_value(value);
}

/// The nearest allowed number.
Settings into_range(const spec::Key& key, const Problem& problem) {
  const auto value = leading_number(problem.message);
  if (!value || key.above_least) return {};
  const double nearest = std::clamp(*value, key.least, key.most);
  if (!std::isfinite(nearest) || nearest == *value) return {};
  return {{problem.key, number_text(key, nearest)}};
}

std::int64_t largest_divisor(std::int64_t of, std::int64_t at_most) {
  for (std::int64_t d = std::min(of, at_most); d > 1; --d) {
    if (of % d == 0) return d;
  }
  return 1;
}

std::int64_t nearest_multiple(std::int64_t value, std::int64_t unit) {
  return std::max<std::int64_t>(1, (value + unit / 2) / unit) * unit;
}

/// "curriculum[2].steps" -> 2
std::size_t index_in(const std::string& path) {
  const auto open = path.find('[');
  return open == path.npos
             ? 0
             : static_cast<std::size_t>(std::strtoull(path.c_str() + open + 1, nullptr, 10));
}

std::string text_of(std::int64_t value) {
  return spec::format_value(value);
}

Settings model_fix(const RunSpec& spec, const std::string& key) {
  const ModelConfig& m = spec.model;
  if (key == "model.qk_rope_head_dim") return {{key, text_of(m.qk_rope_head_dim + 1)}};
  if (key == "model.intermediate_size") return {{key, text_of(4 * m.hidden_size)}};
  if (key == "model.n_group")
    return {{key, text_of(largest_divisor(m.n_routed_experts, m.n_group))}};
  if (key == "model.topk_group") return {{key, text_of(m.n_group)}};
  if (key == "model.num_experts_per_tok") {
    return {{key, text_of(m.n_routed_experts / m.n_group * m.topk_group)}};
  }
  if (key == "model.group_score") return {{key, "\"max\""}};
  if (key == "model.first_k_dense_replace") return {{key, text_of(m.num_hidden_layers - 1)}};
  return {};
}

/// The largest micro-batch below the present one that every batch of the curriculum can be split
/// into; nothing where that would be so small that training is slowed down.
Settings smaller_micro_batch(const RunSpec& spec) {
  const PipelineShape shape = pipeline_shape(spec.parallel);
  const std::int64_t data = std::max<std::int64_t>(1, spec.parallel.data);
  const std::int64_t replicas = data * shape.micro_batch_multiple();
  std::int64_t common = 0, most = spec.parallel.micro_batch_sequences;
  for (const CurriculumStage& stage : spec.curriculum) {
    if (stage.batch_sequences < 1 || stage.batch_sequences % replicas != 0) return {};
    common = std::gcd(common, stage.batch_sequences / replicas);
    most = std::min(most, stage.batch_sequences / (data * shape.fewest_micro_batches()));
  }
  if (common == 0 || most == 0) return {};
  const std::int64_t micro = largest_divisor(common, most);
  if (micro == spec.parallel.micro_batch_sequences) return {};
  const bool slow = 4 * micro < spec.parallel.micro_batch_sequences && micro != common;
  if (slow) return {};
  return {{"parallel.micro_batch_sequences", text_of(micro)}};
}

/// A batch that cannot be split: the micro-batch changes nothing but speed and memory, so it gives
/// way, unless it is what was just asked for.
Settings batch_fix(const RunSpec& spec, std::size_t index, const std::string& keep) {
  if (keep != "parallel.micro_batch_sequences") {
    if (Settings settings = smaller_micro_batch(spec); !settings.empty()) return settings;
  }
  const BatchUnit unit = batch_unit(spec.parallel);
  const std::int64_t batch =
      nearest_multiple(spec.curriculum[index].batch_sequences, unit.multiple);
  return {
      {fmt::format("curriculum[{}].batch_sequences", index), text_of(std::max(batch, unit.least))}};
}

Settings stage_fix(const RunSpec& spec, const std::string& key, const std::string& keep) {
  const std::size_t index = index_in(key);
  if (index >= spec.curriculum.size()) return {};
  const CurriculumStage& s = spec.curriculum[index];
  const std::string path = fmt::format("curriculum[{}].", index);
  if (!key.starts_with(path)) return {};
  const std::string name = key.substr(path.size());
  const auto set = [&](const char* k, std::string v) { return Settings{{path + k, std::move(v)}}; };
  if (name == "steps" && s.tokens > 0) return set("steps", "0");
  if (name == "steps") return set("steps", "1_000");
  if (name == "batch_sequences") return batch_fix(spec, index, keep);
  if (name == "batch_ramp_from" && s.batch_ramp_from > s.batch_sequences) {
    return set("batch_ramp_from", text_of(s.batch_sequences));
  }
  if (name == "batch_ramp_from") return set("batch_ramp_tokens", "0");
  if (name == "batch_ramp_tokens") return set("batch_ramp_from", "0");
  if (name == "sequence_length") {
    const ModelConfig model = stage_model(spec, s);
    if (model.yarn.factor > 1) {
      const double reach = model.yarn.factor * static_cast<double>(model.yarn.original_length);
      return set("sequence_length", text_of(static_cast<std::int64_t>(reach)));
    }
    return {{"model.max_position_embeddings", text_of(s.sequence_length)}};
  }
  return {};
}

Settings other_fix(const RunSpec& spec, const std::string& key) {
  if (key == "tokenizer.vocab_size") return {{key, text_of(spec.model.vocab_size)}};
  if (key == "parallel.schedule") return {{key, "\"1f1b\""}};
  if (key == "parallel.sums") return {{key, "\"quick\""}};
  if (key == "parallel.recompute") return {};  // which of the words is meant, people know
  if (key.starts_with("parallel.")) return {{key, "1"}};
  if (key == "host.kind") return {{key, "\"local\""}};
  if (key == "tokenizer.byte_fallback") return {{key, "true"}};
  if (key == "stability.rollback" && spec.checkpoint.every_steps == 0) return {{key, "false"}};
  if (key == "checkpoint.on_finish") return {{key, "true"}};
  return {};
}

bool still_there(const RunSpec& spec, const Problem& problem) {
  const std::vector<Problem> problems = check_spec(spec);
  return std::any_of(problems.begin(), problems.end(), [&](const Problem& p) {
    return p.key == problem.key && p.message == problem.message;
  });
}

Settings settings_for(const RunSpec& spec, const Problem& problem, const std::string& keep) {
  const spec::Key* key = spec::find_key(problem.key);
  if (!problem.nearest.empty() && key && key->type == spec::KeyType::Choice) {
    return {{problem.key, "\"" + problem.nearest + "\""}};
  }
  const bool number = key && (key->type == spec::KeyType::Integer ||  //
                              key->type == spec::KeyType::Number);
  if (!problem.nearest.empty() && number) return {{problem.key, problem.nearest}};
  if (problem.message.find("is out of range") != std::string::npos && key) {
    return into_range(*key, problem);
  }
  if (Settings settings = model_fix(spec, problem.key); !settings.empty()) return settings;
  if (Settings settings = stage_fix(spec, problem.key, keep); !settings.empty()) return settings;
  return other_fix(spec, problem.key);
}
}  // namespace

std::optional<Fix> find_fix(const RunSpec& spec, const Problem& problem, const std::string& keep) {
  if (problem.message == "unknown key") {
    if (problem.nearest.empty() || problem.nearest.find('.') != std::string::npos) return {};
    return Fix{.rename_to = problem.nearest};
  }
  Fix fix{.settings = settings_for(spec, problem, keep)};
  if (fix.empty()) return {};
  try {
    if (still_there(with_fix(spec, fix), problem)) return {};
  } catch (const Error&) {
    return {};  // a value that the key does not take
  }
  return fix;
}

}  // namespace tessera
