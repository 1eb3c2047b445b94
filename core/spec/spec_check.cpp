// SPDX-License-Identifier: MIT
// What single keys cannot show: settings that contradict each other.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/nearest_word.h"
#include "core/spec/batch_unit.h"
#include "core/spec/curriculum.h"
#include "core/spec/spec_internal.h"

namespace tessera {

namespace {

bool is_source_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) || c == '-' || c == '_');
  });
}

class Checker {
 public:
  explicit Checker(const RunSpec& spec) : spec_(spec) {}

  std::vector<Problem> check() {
    check_model();
    check_experts();
    check_data();
    for (std::size_t i = 0; i < spec_.curriculum.size(); ++i) check_stage(i);
    if (spec_.curriculum.empty()) {
      error("curriculum", "has no stages", "one [[curriculum]] or more");
    }
    check_parallel();
    check_what_this_build_does();
    check_paths();
    check_rest();
    check_filters();
    if (clean()) check_as_a_whole();
    return std::move(problems_);
  }

 private:
  void add(Severity severity, std::string key, std::string message, std::string expected) {
    problems_.push_back({.key = std::move(key),
                         .message = std::move(message),
                         .expected = std::move(expected),
                         .severity = severity});
  }
  void error(std::string key, std::string message, std::string expected = {}) {
    add(Severity::Error, std::move(key), std::move(message), std::move(expected));
  }
  void warn(std::string key, std::string message, std::string expected = {}) {
    add(Severity::Warning, std::move(key), std::move(message), std::move(expected));
  }
  bool clean() const {
    return std::none_of(problems_.begin(), problems_.end(),
                        [](const Problem& p) { return p.severity == Severity::Error; });
  }

  void check_model() {
    const ModelConfig& m = spec_.model;
    if (m.qk_rope_head_dim % 2 != 0) {
      error("model.qk_rope_head_dim", fmt::format("{} is odd", m.qk_rope_head_dim),
            "an even number: positions rotate pairs");
    }
    const bool has_dense = m.first_k_dense_replace > 0 || m.n_routed_experts == 0;
    if (has_dense && m.intermediate_size == 0) {
      error("model.intermediate_size", "is 0, but the model has dense layers", "1 or more");
    }
    if (m.n_routed_experts > 0 && m.first_k_dense_replace >= m.num_hidden_layers) {
      warn("model.first_k_dense_replace",
           fmt::format("{} leaves none of the {} layers for experts", m.first_k_dense_replace,
                       m.num_hidden_layers));
    }
    if (spec_.tokenizer.path.empty() && spec_.tokenizer.vocab_size > m.vocab_size) {
      error("tokenizer.vocab_size",
            fmt::format("{} pieces do not fit into a model with {} rows",
                        spec_.tokenizer.vocab_size, m.vocab_size),
            fmt::format("at most model.vocab_size, {}", m.vocab_size));
    }
  }

  void check_experts() {
    const ModelConfig& m = spec_.model;
    if (m.n_routed_experts == 0) return;
    if (m.n_routed_experts % m.n_group != 0) {
      error("model.n_group",
            fmt::format("{} does not divide the {} experts", m.n_group, m.n_routed_experts));
      return;
    }
    if (m.topk_group > m.n_group) {
      error("model.topk_group", fmt::format("{} is more than the groups there are", m.topk_group),
            fmt::format("at most model.n_group, {}", m.n_group));
      return;
    }
    const std::int64_t in_group = m.n_routed_experts / m.n_group;
    if (m.num_experts_per_tok > in_group * m.topk_group) {
      error("model.num_experts_per_tok",
            fmt::format("{} is more than the {} experts of the {} kept groups",
                        m.num_experts_per_tok, in_group * m.topk_group, m.topk_group),
            fmt::format("at most {}", in_group * m.topk_group));
    }
    if (m.group_score == kernels::GroupScore::TopTwoSum && m.n_group > 1 && in_group < 2) {
      error("model.group_score", "top2_sum needs two experts in each group",
            "max, or fewer groups");
    }
  }

  void check_data() {
    const auto& sources = spec_.data.sources;
    if (sources.empty() && spec_.data.shards.empty()) {
      error("data.sources", "is empty and data.shards is not set", "one [[data.sources]] or more");
    }
    std::set<std::string> names;
    double sum = 0;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::string path = fmt::format("data.sources[{}]", i);
      if (!is_source_name(sources[i].name)) {
        error(path + ".name",
              fmt::format("{} cannot be part of a file name",
                          spec::quote(spec::printable(sources[i].name))),
              "letters, digits, - and _");
      } else if (!names.insert(sources[i].name).second) {
        error(path + ".name", fmt::format("{} is the name of another source",
                                          spec::quote(spec::printable(sources[i].name))));
      }
      if (sources[i].paths.empty()) error(path + ".paths", "is empty", "files or folders");
      if (!is_read(sources[i])) {
        warn(path + ".weight", "is 0 and no stage has the source in its mixture: it is not read");
      }
      sum += sources[i].weight;
    }
    const bool needed = std::any_of(spec_.curriculum.begin(), spec_.curriculum.end(),
                                    [](const CurriculumStage& s) { return s.mixture.empty(); });
    if (!sources.empty() && sum <= 0 && needed) {
      error("data.sources", "all weights are 0", "one weight above 0");
    }
  }

  bool is_read(const DataSource& source) const {
    if (source.weight > 0) return true;
    return std::any_of(
        spec_.curriculum.begin(), spec_.curriculum.end(), [&](const CurriculumStage& stage) {
          return std::any_of(stage.mixture.begin(), stage.mixture.end(), [&](const auto& part) {
            return part.first == source.name && part.second > 0;
          });
        });
  }

  void check_stage(std::size_t index) {
    const CurriculumStage& s = spec_.curriculum[index];
    const std::string path = fmt::format("curriculum[{}].", index);
    if (s.tokens > 0 && s.steps > 0) {
      error(path + "steps", "is given beside tokens", "one of them: the length of the stage");
    } else if (s.tokens == 0 && s.steps == 0) {
      error(path + "steps", "is 0, as is tokens", "a length in steps or in tokens");
    }
    check_length(s, path);
    check_batch(s, path);
    check_rates(index, path);
    check_mixture(s, path);
  }

  void check_length(const CurriculumStage& s, const std::string& path) {
    const ModelConfig model = stage_model(spec_, s);
    const double reach = model.yarn.factor > 1
                             ? model.yarn.factor * static_cast<double>(model.yarn.original_length)
                             : static_cast<double>(model.max_position_embeddings);
    if (static_cast<double>(s.sequence_length) <= reach) return;
    const auto most = static_cast<std::int64_t>(reach);
    if (model.yarn.factor > 1) {
      error(path + "sequence_length",
            fmt::format("{} is longer than the stage's YaRN reaches", s.sequence_length),
            fmt::format("at most {}", most));
    } else {
      error(path + "sequence_length",
            fmt::format("{} is longer than model.max_position_embeddings", s.sequence_length),
            fmt::format("at most {}, or a yarn_factor for the stage", most));
    }
  }

  void check_batch(const CurriculumStage& s, const std::string& path) {
    const std::int64_t unit = spec_.parallel.data * spec_.parallel.micro_batch_sequences;
    if (s.batch_sequences % unit != 0) {
      error(path + "batch_sequences",
            fmt::format("{} cannot be split into micro-batches", s.batch_sequences),
            fmt::format("a multiple of parallel.data * parallel.micro_batch_sequences, {}", unit));
    } else if (const PipelineShape shape = pipeline_shape(spec_.parallel);
               shape.refusal().empty() && !shape.refusal(s.batch_sequences / unit).empty()) {
      const BatchUnit allowed = batch_unit(spec_.parallel);
      error(path + "batch_sequences",
            fmt::format("{} make {}", s.batch_sequences, shape.refusal(s.batch_sequences / unit)),
            fmt::format("a multiple of {}, from {} on", allowed.multiple, allowed.least));
    }
    if ((s.batch_ramp_from > 0) != (s.batch_ramp_tokens > 0)) {
      const bool from = s.batch_ramp_from == 0;
      error(path + (from ? "batch_ramp_from" : "batch_ramp_tokens"),
            fmt::format("is 0, but {} is set", from ? "batch_ramp_tokens" : "batch_ramp_from"),
            "both, or none");
    } else if (s.batch_ramp_from > s.batch_sequences) {
      error(path + "batch_ramp_from",
            fmt::format("{} is above the batch it leads to", s.batch_ramp_from),
            fmt::format("at most batch_sequences, {}", s.batch_sequences));
    }
  }

  void check_rates(std::size_t index, const std::string& path) {
    const CurriculumStage& s = spec_.curriculum[index];
    if (s.learning_rate.empty() && index == 0) {
      error(path + "learning_rate", "is empty in the first stage", "one piece or more");
    }
    std::int64_t steps = 0, tokens = 0;
    for (std::size_t i = 0; i < s.learning_rate.size(); ++i) {
      const RatePiece& p = s.learning_rate[i];
      const std::string piece = fmt::format("{}learning_rate[{}].", path, i);
      if (p.tokens > 0 && p.steps > 0) {
        error(piece + "steps", "is given beside tokens", "one of them: the length of the piece");
      }
      const bool rest = p.tokens == 0 && p.steps == 0;
      if (rest && i + 1 < s.learning_rate.size()) {
        error(piece + "steps", "is 0, as is tokens, but only the last piece may be the rest",
              "a length in steps or in tokens");
      }
      if (p.to > 0.1) warn(piece + "to", fmt::format("{} is a very high learning rate", p.to));
      if (p.kind == RateKind::Warmup && p.from && *p.from > p.to) {
        warn(piece + "from", fmt::format("{} is above {}, where the warm-up ends", *p.from, p.to));
      }
      steps += p.steps;
      tokens += p.tokens;
    }
    if ((s.steps > 0 && steps > s.steps) || (s.tokens > 0 && tokens > s.tokens)) {
      warn(path + "learning_rate", "its pieces are longer than the stage");
    }
    const bool zero = std::all_of(s.learning_rate.begin(), s.learning_rate.end(),
                                  [](const RatePiece& p) { return p.to == 0 && !p.from; });
    if (zero && !s.learning_rate.empty() && index == 0) {
      warn(path + "learning_rate", "is 0: nothing is learned");
    }
  }

  void check_mixture(const CurriculumStage& s, const std::string& path) {
    std::vector<std::string> names;
    for (const DataSource& source : spec_.data.sources) names.push_back(source.name);
    double sum = 0;
    for (const auto& [name, weight] : s.mixture) {
      sum += weight;
      if (names.empty() || std::find(names.begin(), names.end(), name) != names.end()) continue;
      error(path + "mixture",
            fmt::format("there is no source {}", spec::quote(spec::printable(name))),
            fmt::format("names of data.sources: {}",
                        spec::printable(fmt::format("{}", fmt::join(names, ", ")))));
      problems_.back().nearest = nearest_word(name, names);
    }
    if (!s.mixture.empty() && sum <= 0) {
      error(path + "mixture", "all weights are 0", "one weight above 0");
    }
  }

  void check_schedule() {
    const PipelineShape shape = pipeline_shape(spec_.parallel);
    const std::int64_t layers = spec_.model.num_hidden_layers;
    if (const std::string refusal = shape.refusal(); !refusal.empty()) {
      error("parallel.schedule", refusal);
    } else if (shape.ranks <= layers && shape.stages() > layers) {
      error(
          "parallel.schedule",
          fmt::format("{} on {} ranks cuts the model into {} parts, which is more than the layers",
                      name_of(shape.schedule), shape.ranks, shape.stages()),
          fmt::format("at most model.num_hidden_layers, {}", layers));
    } else if (shape.ranks == 1 && shape.schedule != PipelineSchedule::OneForwardOneBackward) {
      warn("parallel.schedule", "is not used: parallel.pipeline is 1");
    }
  }

  void check_parallel() {
    check_schedule();
    const auto& p = spec_.parallel;
    const ModelConfig& m = spec_.model;
    if (p.pipeline > m.num_hidden_layers) {
      error("parallel.pipeline", fmt::format("{} is more than the layers", p.pipeline),
            fmt::format("at most model.num_hidden_layers, {}", m.num_hidden_layers));
    }
    if (p.expert > 1 && m.n_routed_experts == 0) {
      error("parallel.expert",
            fmt::format("{} ranks cannot share experts: a dense model has none", p.expert), "1");
    } else if (m.n_routed_experts % p.expert != 0) {
      error(
          "parallel.expert",
          fmt::format("{} does not divide the {} experts of a layer", p.expert, m.n_routed_experts),
          "a divisor of model.n_routed_experts");
    } else if (p.data > 1 && p.data * p.context % p.expert != 0) {
      error("parallel.expert",
            fmt::format("{} does not divide the {} replicas that share experts", p.expert,
                        p.data * p.context),
            p.context > 1 ? "a divisor of parallel.data * parallel.context"
                          : "a divisor of parallel.data");
    }
    if (p.context > 1) check_context();
  }

  /// Sequences are cut into two pieces for each rank.
  void check_context() {
    const std::int64_t context = spec_.parallel.context, pieces = 2 * context;
    for (std::size_t i = 0; i < spec_.curriculum.size(); ++i) {
      const std::int64_t length = spec_.curriculum[i].sequence_length;
      if (length % pieces == 0) continue;
      error("parallel.context",
            fmt::format("{} ranks cut a sequence into {} pieces, which {} tokens cannot be split "
                        "into",
                        context, pieces, length),
            fmt::format("curriculum[{}].sequence_length as a multiple of {}", i, pieces));
    }
    if (spec_.parallel.sums == SumOrder::Canonical) {
      error(
          "parallel.sums",
          fmt::format("\"canonical\" does not go with parallel.context = {}: sums over the tokens "
                      "of a sequence that ranks share have another order than on one rank",
                      context),
          "\"quick\"");
    }
    if (spec_.host.device == Device::Cuda) {
      error("parallel.context",
            fmt::format("{} ranks share a sequence, but attention on GPUs takes whole sequences "
                        "alone",
                        context),
            "1, or host.device = \"cpu\"");
    }
  }

  /// Settings with a meaning that no code stands behind yet are refused, not passed over.
  void check_what_this_build_does() {
    if (spec_.host.kind != HostKind::Local) {
      error(
          "host.kind",
          fmt::format("\"{}\" can be planned, and a run of its own trains on this machine alone; "
                      "`tessera launch SPEC {}` trains there",
                      spec_.host.kind == HostKind::Ssh ? "ssh" : "slurm",
                      spec_.host.kind == HostKind::Ssh ? "--hosts HOST:RANKS" : "--slurm PROFILE"),
          "\"local\" for a run");
    }
    if (spec_.host.kind == HostKind::Local && !spec_.host.address.empty()) {
      warn("host.address", "is not used: host.kind is local");
    }
    if (!spec_.tokenizer.byte_fallback) {
      error("tokenizer.byte_fallback",
            "is false, but vocabularies of this program spell unknown characters in bytes, so that "
            "every text comes back as it was",
            "true");
    }
  }

  void check_home(const std::string& key, const std::string& path) {
    const bool in_home = path == "~" || path.starts_with("~/");
    const char* home = std::getenv("HOME");
    if (!in_home || (home && *home)) return;
    error(key, fmt::format("{} begins with ~, and HOME is not set", spec::quote(path)),
          "the path in full, or HOME set to your home folder");
  }

  void check_paths() {
    for (std::size_t i = 0; i < spec_.data.sources.size(); ++i) {
      for (const std::string& path : spec_.data.sources[i].paths) {
        check_home(fmt::format("data.sources[{}].paths", i), path);
      }
    }
    check_home("data.shards", spec_.data.shards);
    check_home("tokenizer.path", spec_.tokenizer.path);
    check_home("checkpoint.start_from", spec_.checkpoint.start_from);
  }

  void check_rest() {
    const auto& c = spec_.checkpoint;
    if (spec_.stability.rollback && c.every_steps == 0) {
      error("stability.rollback", "has no checkpoints to go back to",
            "checkpoint.every_steps above 0");
    }
    if (c.every_steps == 0 && !c.on_finish) {
      warn("checkpoint.on_finish", "is false and every_steps is 0: nothing will be saved");
    }
    if (spec_.samples.every_steps > 0 && spec_.samples.prompts.empty()) {
      warn("samples.prompts", "is empty: no samples will be written");
    }
    if (spec_.validation.every_steps > 0 && spec_.data.held_out_fraction == 0 &&
        spec_.data.shards.empty()) {
      warn("data.held_out_fraction",
           fmt::format(
               "is 0, so that no text is held out, but validation.every_steps is {}: the run "
               "is not validated",
               spec_.validation.every_steps),
           "a share above 0, or validation.every_steps = 0");
    }
  }

  /// Thresholds that are set, and do nothing while the filters are off.
  void check_filters() {
    const DataFilters& f = spec_.data.filters;
    if (f.on) return;
    const std::pair<const char*, const std::optional<double>*> thresholds[] = {
        {"min_characters", &f.min_characters},
        {"max_characters", &f.max_characters},
        {"min_letters", &f.min_letters},
        {"max_symbols", &f.max_symbols},
        {"max_mean_word", &f.max_mean_word},
        {"max_repeated_lines", &f.max_repeated_lines},
        {"max_repeated_phrases", &f.max_repeated_phrases}};
    for (const auto& [name, value] : thresholds) {
      if (!value->has_value()) continue;
      warn(std::string("data.filters.") + name,
           "does nothing: data.filters.on is false, so that every document is kept",
           "data.filters.on = true");
    }
  }

  /// What the model and the schedule say for themselves, once the parts above are sound.
  void check_as_a_whole() {
    try {
      spec_.model.validate();
    } catch (const Error& problem) {
      error("model", problem.what_failed());
    }
    try {
      const Curriculum curriculum(spec_);
    } catch (const Error& problem) {
      error(problem.where(), problem.what_failed());
    }
  }

  const RunSpec& spec_;
  std::vector<Problem> problems_;
};
}  // namespace

std::vector<Problem> check_spec(const RunSpec& spec) {
  return Checker(spec).check();
}

bool SpecReading::ok() const {
  return std::none_of(problems.begin(), problems.end(),
                      [](const Problem& p) { return p.severity == Severity::Error; });
}

std::string Problem::text() const {
  std::string out = file;
  if (line > 0) out += fmt::format(":{}", line);
  if (!file.empty()) out += ": ";
  if (severity == Severity::Warning) out += "warning: ";
  if (!key.empty()) out += key + ": ";
  out += message;
  if (!expected.empty()) out += "; expected " + expected;
  if (!nearest.empty()) out += fmt::format("; did you mean \"{}\"?", nearest);
  return out;
}

}  // namespace tessera
