// SPDX-License-Identifier: MIT
// The run spec: everything a training run is told. One TOML file; spec_table.cpp describes each key
// once, and reading, writing, checking, `tessera spec --describe` and the studio's forms follow.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/dtype.h"
#include "core/config/model_config.h"
#include "core/config/pipeline.h"
#include "core/config/precision.h"
#include "core/config/recompute.h"
#include "kernels/balance/bias_update.h"

namespace tessera {

enum class TokenizerKind : std::uint8_t { Unigram, Bpe };
/// In which order gradients of micro-batches and outputs of experts are added up.
enum class SumOrder : std::uint8_t {
  Quick,      ///< as is quickest for the layout of ranks
  Canonical,  ///< one order that no layout changes
};
enum class HostKind : std::uint8_t { Local, Ssh, Slurm };

using PrecisionRecipe = Recipe;
using BiasRule = kernels::BiasUpdate;

enum class RateKind : std::uint8_t {
  Warmup,    ///< straight line from `from` to `to`
  Constant,  ///< `to` throughout; as the last piece, the tail
  Cosine,    ///< half a cosine from `from` to `to`
};

/// One piece of a learning-rate schedule. Its length is in tokens or in steps; where both are 0, it
/// is what is left of the stage (the last piece only).
struct RatePiece {
  RateKind kind = RateKind::Constant;
  std::int64_t tokens = 0, steps = 0;
  std::optional<double> from{};  ///< absent: where the piece before ended, 0 at the very start
  double to = 1e-3;
};

/// Source name and weight.
using Mixture = std::vector<std::pair<std::string, double>>;

struct CurriculumStage {
  std::string name = "train";
  std::int64_t tokens = 0, steps = 0;  ///< the length: exactly one of them is above 0
  std::int64_t sequence_length = 256;
  std::int64_t batch_sequences = 16;
  std::int64_t batch_ramp_from = 0;    ///< sequences at the start of the stage; 0: no ramp
  std::int64_t batch_ramp_tokens = 0;  ///< tokens until `batch_sequences` is reached
  std::vector<RatePiece> learning_rate;
  double bias_speed = 0.001;  ///< 0: biases stand still
  BiasRule bias_rule = BiasRule::Sign;
  double mtp_lambda = 0.3;                ///< weight of the multi-token prediction loss
  double balance_alpha = 0;               ///< weight of the sequence-wise balance loss; 0: off
  std::optional<double> yarn_factor;      ///< absent: model.yarn.factor; see stage_model()
  std::int64_t yarn_original_length = 0;  ///< 0: model.yarn.original_length
  Mixture mixture;                        ///< weights by source; empty: the sources' own
};

struct DataSource {
  std::string name;
  std::string domain = "web";       ///< web, code, mathematics, multilingual
  std::vector<std::string> paths;   ///< files and folders; see resolve_path()
  double weight = 1;                ///< share of tokens, relative to the other sources
  std::string text_field = "text";  ///< the field of JSON objects that holds the text
};

/// Thresholds that are absent are those of the source's domain (core/data/filter.h).
struct DataFilters {
  bool on = true;
  bool deduplicate = true;       ///< equal documents
  bool deduplicate_near = true;  ///< nearly equal documents
  std::optional<double> min_characters, max_characters;
  std::optional<double> min_letters;           ///< share of letters, white space not counted
  std::optional<double> max_symbols;           ///< neither letter, digit nor white space
  std::optional<double> max_mean_word;         ///< characters
  std::optional<double> max_repeated_lines;    ///< share of bytes in lines seen before
  std::optional<double> max_repeated_phrases;  ///< share of words in 5-grams seen before
};

struct RunSpec {
  struct Run {
    std::string name = "run";
    std::string preset;  ///< where the spec came from; for people, changes nothing
    std::int64_t seed = 1;
    std::vector<std::string> tags;
    std::string notes;
  } run;

  ModelConfig model;

  struct Tokenizer {
    std::string path;  ///< a SentencePiece model; empty: train one from the data
    TokenizerKind kind = TokenizerKind::Unigram;
    std::int64_t vocab_size = 8192;
    bool byte_fallback = true;
    std::int64_t training_bytes = 50'000'000;  ///< at most this much text, spread over the sources
  } tokenizer;

  struct Data {
    std::string shards;  ///< folder of token shards; empty: the run folder's own
    double held_out_fraction = 0.01;
    double fim_rate = 0;         ///< documents rearranged for fill-in-the-middle (PSM)
    bool packing = true;         ///< false: one document a sequence, padded
    bool document_mask = false;  ///< true: packed documents do not attend to each other
    DataFilters filters;
    std::vector<DataSource> sources;
  } data;

  std::vector<CurriculumStage> curriculum;

  struct Optimiser {
    double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
    double weight_decay = 0.1;   ///< not on norms and biases
    double clip = 1.0;           ///< largest global gradient norm; 0: no limit
    DType moments = DType::F32;  ///< F32 or BF16
  } optimiser;

  struct Precision {
    PrecisionRecipe recipe = PrecisionRecipe::Fp32;
  } precision;

  struct Parallel {
    std::int64_t data = 1, pipeline = 1, expert = 1;
    std::int64_t micro_batch_sequences = 1;
    Recompute recompute;  ///< made again in backward instead of kept
    SumOrder sums = SumOrder::Quick;
    std::int64_t zero = 1;  ///< 1: ranks that share weights share out their moments
    PipelineSchedule schedule = PipelineSchedule::OneForwardOneBackward;
    std::int64_t stages_per_rank = 2;  ///< read by PipelineSchedule::Interleaved alone
    std::int64_t context = 1;          ///< ranks that share each sequence
  } parallel;

  struct Checkpoint {
    std::string start_from;          ///< weights to begin with; empty: random
    std::int64_t every_steps = 500;  ///< 0: none on the way
    std::int64_t keep = 3;           ///< the newest; 0: all
    bool on_finish = true;
  } checkpoint;

  struct Validation {
    std::int64_t every_steps = 100;  ///< 0: none
    std::int64_t sequences = 32;     ///< per source
  } validation;

  struct Samples {
    std::int64_t every_steps = 0;  ///< 0: none
    std::vector<std::string> prompts;
    std::int64_t tokens = 64;
    double temperature = 0.8;
  } samples;

  struct Events {
    std::int64_t steps_every = 1;     ///< a step event every so many steps
    std::int64_t experts_every = 10;  ///< loads and biases of all experts; 0: none
  } events;

  struct Stability {
    std::int64_t spike_window = 64;  ///< steps the usual loss and its spread come from; 0: off
    double spike_factor = 6;         ///< spreads above the usual loss that make a spike
    bool rollback = false;           ///< go back to the newest checkpoint on a spike
    std::int64_t skip_steps = 10;    ///< batches left out after a rollback
    std::int64_t max_rollbacks = 3;  ///< to one checkpoint; then the run fails
  } stability;

  struct Host {
    HostKind kind = HostKind::Local;
    std::string address;       ///< ssh alias, or the Slurm partition
    std::int64_t threads = 0;  ///< 0: every core
    Device device = Device::Cpu;
    double hang_limit_s = 600;  ///< for a rank that others wait for; 0: no limit
    std::int64_t restart = 0;   ///< times that a run on several ranks goes on after a fault
    bool cuda_graphs = true;    ///< micro-batches of equal shapes are replayed as CUDA graphs
  } host;
};

/// The model as a stage trains it: with the stage's YaRN.
ModelConfig stage_model(const RunSpec& spec, const CurriculumStage& stage);
/// The model as a run makes it at its start: of the first stage, with positions for the longest.
ModelConfig run_model(const RunSpec& spec);

// ---- Problems -----------------------------------------------------------------------------------

enum class Severity : std::uint8_t { Warning, Error };

struct Problem {
  std::string file{};  ///< "run.toml", "preset demo", "command line"; empty: not from a text
  int line = 0, column = 0;
  std::string key{};       ///< "curriculum[0].sequence_length"
  std::string message{};   ///< "256 is out of range"
  std::string expected{};  ///< "a whole number from 1 to 128"; may be empty
  std::string nearest{};   ///< for unknown keys and words: the nearest valid one; may be empty
  Severity severity = Severity::Error;

  /// run.toml:12: curriculum[0].learning_rat: unknown key; did you mean "learning_rate"?
  std::string text() const;
};

struct SpecLocation {
  std::string file;
  int line = 0, column = 0;
};

/// A spec as far as it could be read, and everything that is wrong with it.
struct SpecReading {
  RunSpec spec;
  std::vector<Problem> problems;
  std::map<std::string, SpecLocation> locations;  ///< key -> where it was set last
  bool complete = true;  ///< false: a text or preset could not be read at all
  bool ok() const;       ///< no problem of severity Error
};

// ---- Reading ------------------------------------------------------------------------------------

/// `overrides` are "model.hidden_size=512" or "curriculum[0].steps=200": TOML values, where a bare
/// word stands for a string. They win over the file, which wins over its `preset`. A list of tables
/// in a file ([[curriculum]], [[data.sources]]) replaces the preset's as a whole.
/// All problems are collected, those of check_spec() included unless the reading is incomplete.
/// Only a file that cannot be read throws Error.
SpecReading read_spec(const std::filesystem::path& file,
                      const std::vector<std::string>& overrides = {});
/// `file` is the name for messages; a `preset` given as a path is looked up beside it.
SpecReading read_spec_text(std::string_view toml, const std::filesystem::path& file,
                           const std::vector<std::string>& overrides = {});
/// `preset` is a name in resources/presets/ or the path of a TOML file.
SpecReading read_preset(const std::string& preset, const std::vector<std::string>& overrides = {});

/// As read_spec(), or read_preset() where no such file exists. Throws Error with every problem of
/// severity Error in its text; warnings go to the log.
RunSpec load_spec(const std::string& file_or_preset,
                  const std::vector<std::string>& overrides = {});

struct PresetInfo {
  std::string name;     ///< "demo"
  std::string summary;  ///< the first comment of the file
  std::filesystem::path path;
};
/// In alphabetical order.
std::vector<PresetInfo> list_presets();

/// What single keys cannot show: settings that contradict each other. Keys only, no lines.
std::vector<Problem> check_spec(const RunSpec& spec);

// ---- Writing ------------------------------------------------------------------------------------

/// Every key with its value, unit and help as a comment, in the order of the table. Reading it back
/// gives the same spec to the last bit.
std::string write_spec(const RunSpec& spec);

/// Makes relative paths of the spec absolute, seen from `folder`.
void make_paths_absolute(RunSpec& spec, const std::filesystem::path& folder);

}  // namespace tessera
