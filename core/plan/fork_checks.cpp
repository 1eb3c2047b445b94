// SPDX-License-Identifier: MIT
// What stands in the way of a fork, told before it starts.
#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/checkpoint/checkpoint.h"
#include "core/model/model.h"
#include "core/plan/plan.h"
#include "core/spec/curriculum.h"
#include "core/spec/spec_table.h"

namespace tessera {

namespace {
using Shapes = std::map<std::string, std::vector<std::int64_t>>;

/// Every weight of a model by name; nothing for a configuration that makes no model.
std::optional<Shapes> shapes_of(const RunSpec& spec) {
  try {
    plan_parameters(spec.model);  // refuses what is too large to be counted
    const Model model(run_model(spec), {}, /*for_training=*/true, Device::Cpu, /*measuring=*/true);
    Shapes shapes;
    for (const Parameter& p : model.parameters().all()) shapes[p.name] = p.shape;
    return shapes;
  } catch (const Error&) {
    return {};
  }
}

bool is_number_in_list(const std::string& path, const std::string& ending) {
  return path.starts_with("data.sources[") && path.ends_with(ending);
}

/// Keys that decide what is in the shards, which a fork takes from its parent.
bool is_of_shards(const std::string& path) {
  static const std::set<std::string> kKeys = {"tokenizer.kind", "tokenizer.vocab_size",
                                              "tokenizer.byte_fallback", "tokenizer.training_bytes",
                                              "data.held_out_fraction"};
  return kKeys.count(path) > 0 || path.starts_with("data.filters.") ||
         is_number_in_list(path, ".domain") || is_number_in_list(path, ".paths") ||
         is_number_in_list(path, ".text_field");
}

class ForkChecker {
 public:
  ForkChecker(const RunSpec& spec, const ForkOf& from) : spec_(spec), from_(from) {}

  std::vector<PlanProblem> check() {
    differences_ = spec::differences(spec_, from_.parent);
    check_shapes();
    check_sources();
    check_others();
    check_length();
    return std::move(problems_);
  }

 private:
  void add(Severity severity, const std::string& key, std::string message, std::string expected,
           std::optional<Fix> fix) {
    problems_.push_back({{.key = key,
                          .message = std::move(message),
                          .expected = std::move(expected),
                          .severity = severity},
                         std::move(fix)});
  }

  /// The parent's value again.
  std::optional<Fix> parents(const spec::Difference& difference) const {
    const std::string value = spec::format_value(difference.theirs);
    if (value.empty()) return {};
    return Fix{.settings = {{difference.path, value}}};
  }

  void refuse(const spec::Difference& d, const std::string& why) {
    const std::string value = spec::format_value(d.theirs);
    add(Severity::Error, d.path, why,
        value.empty() ? "as in the run it is forked from"
                      : fmt::format("{}, as in the run it is forked from", value),
        parents(d));
  }

  /// Which of the changed keys of the model alone change the weights that a checkpoint must hold.
  void check_shapes() {
    std::vector<spec::Difference> changed;
    for (const spec::Difference& d : differences_) {
      if (d.path.starts_with("model.")) changed.push_back(d);
    }
    if (changed.empty()) return;
    const auto parent = shapes_of(from_.parent), child = shapes_of(spec_);
    if (!parent || !child || *parent == *child) return;
    bool named = false;
    for (const spec::Difference& d : changed) {
      RunSpec one = from_.parent;
      if (spec::set_value(one, d.path, d.ours)) continue;
      const auto shapes = shapes_of(one);
      if (shapes && *shapes == *parent) continue;
      named = true;
      refuse(d, "the weights of the checkpoint have another shape");
    }
    if (!named) refuse(changed.front(), "the weights of the checkpoint have another shape");
  }

  void check_sources() {
    std::set<std::string> ours, theirs;
    for (const DataSource& source : spec_.data.sources) ours.insert(source.name);
    for (const DataSource& source : from_.parent.data.sources) theirs.insert(source.name);
    const bool own_shards = spec_.data.shards != from_.parent.data.shards;
    for (std::size_t i = 0; i < spec_.data.sources.size() && !own_shards; ++i) {
      const std::string& name = spec_.data.sources[i].name;
      if (theirs.count(name)) continue;
      add(Severity::Error, fmt::format("data.sources[{}].name", i),
          fmt::format("the shards of the run it is forked from hold no source {}", name),
          "the sources of that run; train a new run for other data", {});
    }
    for (const std::string& name : theirs) {
      if (ours.count(name)) continue;
      add(Severity::Error, "data.sources",
          fmt::format("source {} is missing, and the checkpoint keeps a place in it", name),
          "the source with weight 0", {});
    }
  }

  void check_others() {
    const bool own_shards = spec_.data.shards != from_.parent.data.shards;
    for (const spec::Difference& d : differences_) {
      if (d.path == "run.seed") {
        refuse(d, "the order of the data goes on, and it follows from the seed");
      } else if (d.path == "checkpoint.start_from") {
        add(Severity::Warning, d.path, "has no effect: a fork starts from its checkpoint", {},
            parents(d));
      } else if (is_of_shards(d.path) && !own_shards && !is_new_element(d)) {
        add(Severity::Warning, d.path,
            "has no effect: a fork reads the tokens that its parent has built", {}, parents(d));
      }
    }
  }

  /// A key of a source that the parent does not have; the source is told of as a whole.
  static bool is_new_element(const spec::Difference& d) {
    return d.path.find('[') != std::string::npos &&
           std::holds_alternative<std::monostate>(d.theirs);
  }

  void check_length() {
    const std::int64_t before = steps_before_fork(from_);
    std::int64_t total = 0;
    try {
      total = Curriculum(spec_).total_steps();
    } catch (const Error&) {
      return;  // reading the spec has told of it
    }
    if (before == 0) {
      add(Severity::Error, "run", "the run it is forked from has no such checkpoint",
          "a checkpoint that is there; Monitor lists them", {});
    } else if (total <= before) {
      add(Severity::Error, "curriculum",
          fmt::format("nothing is left to train: it has {} steps, and the checkpoint is after {}",
                      total, before),
          "a longer stage, or one more", {});
    }
  }

  const RunSpec& spec_;
  const ForkOf& from_;
  std::vector<spec::Difference> differences_;
  std::vector<PlanProblem> problems_;
};
}  // namespace

std::vector<PlanProblem> check_fork(const RunSpec& spec, const ForkOf& from) {
  return ForkChecker(spec, from).check();
}

std::int64_t steps_before_fork(const ForkOf& from) {
  // NOTE: a checkpoint's folder is named by the step that comes next, logs by the last one done.
  std::int64_t steps = 0;
  for (const CheckpointInfo& checkpoint : list_checkpoints(from.folder)) {
    if (!checkpoint.damage.empty()) continue;
    if (from.step < 0) steps = std::max(steps, checkpoint.step);
    if (from.step >= 0 && checkpoint.step - 1 == from.step) return checkpoint.step;
  }
  return steps;
}

}  // namespace tessera
