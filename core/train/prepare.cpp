// SPDX-License-Identifier: MIT
#include "core/train/prepare.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/data/fingerprint.h"
#include "core/spec/curriculum.h"
#include "core/tokenizer/train.h"
#include "core/train/data_cache.h"

namespace tessera {

namespace fs = std::filesystem;

std::vector<data::Source> data_sources(const RunSpec& spec) {
  std::vector<data::Source> sources;
  const Mixture weights = run_mixture(spec);
  for (const DataSource& from : spec.data.sources) {
    const auto weight = std::find_if(weights.begin(), weights.end(),
                                     [&](const auto& part) { return part.first == from.name; });
    if (weight == weights.end()) continue;
    data::Source source;
    source.name = from.name;
    source.domain = data::domain_from_name(from.domain);
    for (const std::string& path : from.paths) source.paths.push_back(resolve_path(path));
    source.weight = weight->second;
    source.text_field = from.text_field;
    sources.push_back(std::move(source));
  }
  return sources;
}

namespace {
/// What the spec sets wins over the domain's default.
void override_filters(const DataFilters& given, data::FilterOptions& options) {
  const auto set = [](const std::optional<double>& value, auto& option) {
    if (value) option = static_cast<std::remove_reference_t<decltype(option)>>(*value);
  };
  set(given.min_characters, options.min_characters);
  set(given.max_characters, options.max_characters);
  set(given.min_letters, options.min_letters);
  set(given.max_symbols, options.max_symbols);
  set(given.max_mean_word, options.max_mean_word);
  set(given.max_repeated_lines, options.max_repeated_lines);
  set(given.max_repeated_phrases, options.max_repeated_phrases);
}
}  // namespace

std::map<data::Domain, data::FilterOptions> data_filters(const RunSpec& spec) {
  using data::Domain, data::FilterOptions;
  std::map<Domain, FilterOptions> filters;
  for (const Domain domain :
       {Domain::Web, Domain::Code, Domain::Mathematics, Domain::Multilingual}) {
    FilterOptions options =
        spec.data.filters.on ? FilterOptions::for_domain(domain) : FilterOptions::none();
    if (spec.data.filters.on) override_filters(spec.data.filters, options);
    filters[domain] = options;
  }
  return filters;
}

data::DedupOptions data_dedup(const RunSpec& spec) {
  const DataFilters& filters = spec.data.filters;
  return {.exact = filters.on && filters.deduplicate,
          .near = filters.on && filters.deduplicate_near};
}

namespace {

/// What the filters and the search for duplicates took; faults of the text are warned of.
std::string left_out(const data::SourceReport& source) {
  std::string reasons;
  std::int64_t all = 0;
  for (const auto& [reason, count] : source.dropped) {
    if (reason != data::Drop::Empty && reason < data::Drop::TooShort) continue;
    reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", name_of(reason), count);
    all += count;
  }
  if (all == 0) return {};
  return fmt::format("source '{}': {} of {} documents are left out: {}", source.name, all,
                     source.documents_read, reasons);
}

/// Sources of text that the program wrote itself, as no sample of other people's text is here.
std::string generated_sources(const RunSpec& spec) {
  std::string names;
  for (const DataSource& source : spec.data.sources) {
    for (const std::string& path : source.paths) {
      if (!settled_path(path).starts_with("generated:")) continue;
      names += (names.empty() ? "" : ", ") + source.name;
    }
  }
  return names;
}

class Preparation {
 public:
  Preparation(const RunSpec& spec, const PrepareOptions& options)
      : spec_(spec),
        options_(options),
        own_shards_(spec.data.shards.empty()),
        shards_(own_shards_ ? options.shards : resolve_path(spec.data.shards)),
        cache_(options.cache) {}

  PreparedData prepare() {
    const std::string generated = generated_sources(spec_);
    if (!generated.empty() && !data::is_built(shards_)) {
      note("text written by the program itself, as no sample of other text is here: " + generated);
    }
    const bool first_start = !fs::exists(options_.tokenizer_file);
    data_.tokenizer = find_tokenizer();
    if (first_start) tell_alterations();
    check_rows();
    if (!goes_on()) check_start_from();
    make_shards();
    data_.dataset = data::Dataset::open(shards_);
    if (data_.dataset->tokenizer_hash() != data_.tokenizer->hash()) {
      throw Error(shards_.string(), "the shards are of another vocabulary than tokenizer.path",
                  "build them anew with `tessera data build`");
    }
    check_mixtures();
    check_held_out();
    return std::move(data_);
  }

 private:
  /// A run whose own shards are there has begun, whatever became of what it began with.
  bool goes_on() const { return options_.keep_built && own_shards_ && data::is_built(shards_); }

  void info(const std::string& text) const {
    if (options_.tell) options_.tell("info", text);
  }
  void note(const std::string& text) const {
    if (options_.tell) options_.tell("note", text);
  }
  void warn(const std::string& text) const {
    if (options_.tell) options_.tell("warning", text);
  }

  std::shared_ptr<const Tokenizer> find_tokenizer();
  std::shared_ptr<const Tokenizer> make_vocabulary();
  std::shared_ptr<const Tokenizer> train_vocabulary() const;
  std::string vocabulary_key() const;
  std::string source_names() const;
  void keep(const std::string& key, const fs::path& folder,
            const std::vector<std::string>& files) const;
  void tell_alterations() const;
  void check_rows() const;
  void check_start_from() const;
  data::BuildOptions build_options() const;
  void make_shards() const;
  void tell_from_cache(bool shards) const;
  void tell_changes() const;
  void check_mixtures() const;
  void check_held_out() const;

  const RunSpec& spec_;
  const PrepareOptions& options_;
  const bool own_shards_;
  const fs::path shards_;
  const DataCache cache_;
  bool vocabulary_from_cache_ = false;
  PreparedData data_;
};

std::shared_ptr<const Tokenizer> Preparation::find_tokenizer() {
  if (!spec_.tokenizer.path.empty()) {
    return Tokenizer::load_for_training(resolve_path(spec_.tokenizer.path));
  }
  if (options_.rebuild) return make_vocabulary();
  if (data::is_built(shards_)) return Tokenizer::load(shards_ / "tokenizer.model");
  if (fs::exists(options_.tokenizer_file)) return Tokenizer::load(options_.tokenizer_file);
  return make_vocabulary();
}

/// All that decides what train_vocabulary() gives.
std::string Preparation::vocabulary_key() const {
  data::BuildOptions text;
  text.sources = data_sources(spec_);
  text.filters = data_filters(spec_);
  text.stop = options_.stop;
  std::string settings =
      fmt::format("{} {} {}", spec_.tokenizer.kind == TokenizerKind::Bpe ? "bpe" : "unigram",
                  spec_.tokenizer.vocab_size, spec_.tokenizer.training_bytes);
  for (const data::Source& source : text.sources) settings += fmt::format(" {}", source.weight);
  return "vocabulary-" + data::fingerprint_of(text, settings);
}

std::string Preparation::source_names() const {
  std::string names;
  for (const data::Source& source : data_sources(spec_)) {
    names += (names.empty() ? "" : ", ") + source.name;
  }
  return names;
}

/// What cannot be kept costs the next run time, and this one nothing.
void Preparation::keep(const std::string& key, const fs::path& folder,
                       const std::vector<std::string>& files) const {
  if (options_.cache.empty()) return;
  const std::string why = cache_.keep(key, folder, files, source_names());
  if (!why.empty()) info(fmt::format("not kept in the cache for other runs: {}", why));
}

std::shared_ptr<const Tokenizer> Preparation::make_vocabulary() {
  const fs::path& file = options_.tokenizer_file;
  const fs::path folder = file.parent_path();
  const std::string key = options_.cache.empty() ? "" : vocabulary_key();
  std::shared_ptr<const Tokenizer> tokenizer;
  vocabulary_from_cache_ = !key.empty() && cache_.fetch(key, folder);
  if (vocabulary_from_cache_) {
    tokenizer = Tokenizer::load(file);
  } else {
    tokenizer = train_vocabulary();
    fs::create_directories(folder);
    tokenizer->save(folder);
    keep(key, folder, {file.filename().string()});
  }
  if (tokenizer->vocab_size() < spec_.tokenizer.vocab_size) {
    warn(
        fmt::format("the vocabulary has {} tokens, not {} (tokenizer.vocab_size): the text is too "
                    "small for more; rows of the model beyond them stay unused",
                    tokenizer->vocab_size(), spec_.tokenizer.vocab_size));
  }
  return tokenizer;
}

std::shared_ptr<const Tokenizer> Preparation::train_vocabulary() const {
  constexpr std::int64_t kLeastBytes = 256;  // what train_tokenizer() asks for
  info(fmt::format("training a vocabulary of {} tokens", spec_.tokenizer.vocab_size));
  data::ReaderOptions reading;
  reading.stop = options_.stop;
  const data::Sample sample = data::sample_text(data_sources(spec_), spec_.tokenizer.training_bytes,
                                                data_filters(spec_), reading, options_.progress);
  if (sample.bytes() < kLeastBytes) {
    data::BuildReport report;
    report.sources = sample.sources;
    std::string why = report.table();
    for (const data::SourceReport& source : sample.sources) {
      for (const std::string& warning : source.warnings()) why += warning + "\n";
    }
    throw Error(
        "data.sources",
        fmt::format("{} bytes of text are left to train a vocabulary on\n{}", sample.bytes(), why),
        "check the paths, text_field and the filters of the sources");
  }
  TokenizerTrainOptions training;
  training.algorithm = spec_.tokenizer.kind == TokenizerKind::Bpe ? TokenizerAlgorithm::Bpe
                                                                  : TokenizerAlgorithm::Unigram;
  training.vocab_size = static_cast<std::int32_t>(spec_.tokenizer.vocab_size);
  training.max_sample_bytes = spec_.tokenizer.training_bytes;
  training.stop = options_.stop;
  training.progress = options_.progress;
  return train_tokenizer(sample.texts, training);
}

/// Text that the model can never see as it was written: a model of code, say, without its tabs.
void Preparation::tell_alterations() const {
  const std::string& what = data_.tokenizer->alterations();
  if (what.empty()) return;
  note(fmt::format("the vocabulary changes the text before it encodes it: {}", what));
}

void Preparation::check_rows() const {
  if (data_.tokenizer->vocab_size() <= spec_.model.vocab_size) return;
  throw Error("model.vocab_size",
              fmt::format("{} rows are fewer than the vocabulary's {} tokens",
                          spec_.model.vocab_size, data_.tokenizer->vocab_size()),
              "raise model.vocab_size or choose a smaller vocabulary");
}

/// Rows of a token table mean the tokens of one vocabulary.
void Preparation::check_start_from() const {
  if (spec_.checkpoint.start_from.empty()) return;
  const fs::path folder = resolve_path(spec_.checkpoint.start_from);
  const fs::path file = folder / "tokenizer.model";
  if (!fs::exists(file)) {
    return warn(
        fmt::format("checkpoint.start_from: {} holds no tokenizer.model, so it could not be "
                    "checked that its weights are of this vocabulary",
                    folder.string()));
  }
  const auto theirs = Tokenizer::load(file);
  if (theirs->hash() == data_.tokenizer->hash()) return;
  throw Error(
      "checkpoint.start_from",
      fmt::format("the weights are of the vocabulary {} ({}, {} tokens), the run has {} ({} "
                  "tokens): each row of the token table would mean another token",
                  theirs->hash(), file.string(), theirs->vocab_size(), data_.tokenizer->hash(),
                  data_.tokenizer->vocab_size()),
      fmt::format("set tokenizer.path to \"{}\"", file.string()));
}

data::BuildOptions Preparation::build_options() const {
  data::BuildOptions build;
  build.sources = data_sources(spec_);
  build.folder = shards_;
  build.tokenizer = data_.tokenizer;
  build.filters = data_filters(spec_);
  build.dedup = data_dedup(spec_);
  build.held_out = spec_.data.held_out_fraction;
  build.rebuild = options_.rebuild;
  build.progress = options_.progress;
  build.stop = options_.stop;
  return build;
}

void Preparation::make_shards() const {
  if (!own_shards_ && data::is_built(shards_)) return;
  if (goes_on()) return tell_changes();
  const data::BuildOptions build = build_options();
  const bool begun = data::is_built(shards_) || fs::exists(shards_ / "build-state.json");
  const std::string key =
      options_.cache.empty() || begun ? "" : "shards-" + data::fingerprint_of(build);
  const bool from_cache = !key.empty() && cache_.fetch(key, shards_);
  tell_from_cache(from_cache);
  if (!from_cache) info("building token shards");
  // Where all is complete, this only compares the settings.
  const data::BuildReport report = data::build(build);
  if (report.was_complete && !from_cache) return;
  if (!key.empty() && !from_cache) keep(key, shards_, data::files_of(shards_));
  // What stands before the first line, its time, would shift the columns of the heading.
  info("what was read and kept:\n" + report.table());
  for (const data::SourceReport& source : report.sources) {
    const std::string text = left_out(source);
    if (!text.empty()) note(text);
  }
  for (const std::string& warning : report.warnings) warn(warning);
}

void Preparation::tell_from_cache(bool shards) const {
  if (!shards && !vocabulary_from_cache_) return;
  const char* what = !shards                  ? "vocabulary"
                     : vocabulary_from_cache_ ? "vocabulary and shards"
                                              : "shards";
  note(fmt::format("{} from the cache ({})", what, options_.cache.string()));
}

/// A run goes on with the text it began with.
void Preparation::tell_changes() const {
  std::string changed;
  try {
    changed = data::difference_from(build_options());
  } catch (const Stopped&) {
    throw;
  } catch (const Error& error) {
    return warn(
        fmt::format("the text of the run cannot be found any more ({}: {}); the run goes on "
                    "with its own shards",
                    error.where(), error.what_failed()));
  }
  if (changed.empty()) return;
  warn(
      fmt::format("the text or its settings changed since the shards of the run were built (first "
                  "difference: {}); the run goes on with its own shards",
                  changed));
}

/// Every stage must find its sources before the first one begins.
void Preparation::check_mixtures() const {
  for (std::size_t i = 0; i < spec_.curriculum.size(); ++i) {
    const CurriculumStage& stage = spec_.curriculum[i];
    const std::string key =
        stage.mixture.empty() ? "data.sources" : fmt::format("curriculum[{}].mixture", i);
    for (const auto& [name, weight] : stage_mixture(spec_, stage)) {
      const data::DatasetSource* source = data_.dataset->find(name);
      if (source && source->train.documents() > 0) continue;
      throw Error(key,
                  source
                      ? fmt::format("source '{}' has no documents to train on", name)
                      : fmt::format("the shards in {} have no source '{}'", shards_.string(), name),
                  source ? "look at what the data build dropped, or leave the source out"
                         : "leave the source out, or build shards with it: `tessera data build`");
    }
  }
}

void Preparation::check_held_out() const {
  // A spec that holds nothing out was warned of when it was read.
  if (spec_.validation.every_steps == 0 || spec_.data.held_out_fraction == 0) return;
  if (!validation_mixture(spec_, *data_.dataset, 0).empty()) return;
  warn(
      "validation.every_steps asks for validation, but the text is too little to hold any of "
      "it out: the run is not validated");
}

}  // namespace

Mixture validation_mixture(const RunSpec& spec, const data::Dataset& dataset, std::int64_t step) {
  const auto stage = static_cast<std::size_t>(Curriculum(spec).at_step(step).stage);
  Mixture mixture = stage_mixture(spec, spec.curriculum.at(stage));
  std::vector<std::string> names;
  for (const DataSource& source : spec.data.sources) names.push_back(source.name);
  if (names.empty()) {
    for (const data::DatasetSource& source : dataset.sources()) {
      names.push_back(source.name);
      if (spec.curriculum[stage].mixture.empty()) mixture.emplace_back(source.name, source.weight);
    }
  }
  Mixture validated;
  double sum = 0;
  for (const std::string& name : names) {
    const data::DatasetSource* source = dataset.find(name);
    if (!source || source->held_out.documents() == 0) continue;
    const auto part = std::find_if(mixture.begin(), mixture.end(),
                                   [&](const auto& p) { return p.first == name; });
    validated.emplace_back(name, part == mixture.end() ? 0.0 : part->second);
    sum += validated.back().second;
  }
  if (sum == 0) {
    for (auto& part : validated) part.second = 1;
  }
  return validated;
}

PreparedData prepare_data(const RunSpec& spec, const PrepareOptions& options) {
  return Preparation(spec, options).prepare();
}

}  // namespace tessera
