// SPDX-License-Identifier: MIT
#include "core/train/prepare.h"

#include "core/base/error.h"
#include "core/run/paths.h"
#include "core/tokenizer/train.h"

namespace tessera {

namespace fs = std::filesystem;

std::vector<data::Source> data_sources(const RunSpec& spec) {
  std::vector<data::Source> sources;
  for (const DataSource& from : spec.data.sources) {
    data::Source source;
    source.name = from.name;
    source.domain = data::domain_from_name(from.domain);
    for (const std::string& path : from.paths) source.paths.push_back(resolve_path(path));
    source.weight = from.weight;
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

namespace {
void say(const PrepareOptions& options, const std::string& text) {
  if (options.message) options.message(text);
}

/// Text that the program wrote itself is no text of the world, and whoever trains on it should
/// know.
void say_what_is_generated(const RunSpec& spec, const PrepareOptions& options) {
  std::string names;
  for (const DataSource& source : spec.data.sources) {
    for (const std::string& path : source.paths) {
      if (!settled_path(path).starts_with("generated:")) continue;
      names += (names.empty() ? "" : ", ") + source.name;
    }
  }
  if (!names.empty()) {
    say(options,
        "text written by the program itself, as no sample of other text is here: " + names);
  }
}

std::shared_ptr<const Tokenizer> train_vocabulary(const RunSpec& spec,
                                                  const PrepareOptions& options) {
  say(options, fmt::format("training a vocabulary of {} tokens", spec.tokenizer.vocab_size));
  TokenizerTrainOptions training;
  training.algorithm = spec.tokenizer.kind == TokenizerKind::Bpe ? TokenizerAlgorithm::Bpe
                                                                 : TokenizerAlgorithm::Unigram;
  training.vocab_size = static_cast<std::int32_t>(spec.tokenizer.vocab_size);
  training.max_sample_bytes = spec.tokenizer.training_bytes;
  const auto tokenizer = train_tokenizer(
      data::sample_text(data_sources(spec), spec.tokenizer.training_bytes, data_filters(spec)),
      training);
  const fs::path folder = options.tokenizer_file.parent_path();
  fs::create_directories(folder);
  tokenizer->save(folder);
  return tokenizer;
}

std::shared_ptr<const Tokenizer> find_tokenizer(const RunSpec& spec, const PrepareOptions& options,
                                                const fs::path& shards) {
  if (!spec.tokenizer.path.empty()) return Tokenizer::load(resolve_path(spec.tokenizer.path));
  if (fs::exists(shards / "manifest.json")) return Tokenizer::load(shards / "tokenizer.model");
  if (fs::exists(options.tokenizer_file)) return Tokenizer::load(options.tokenizer_file);
  return train_vocabulary(spec, options);
}
}  // namespace

PreparedData prepare_data(const RunSpec& spec, const PrepareOptions& options) {
  const bool own_shards = spec.data.shards.empty();
  const fs::path shards = own_shards ? options.shards : resolve_path(spec.data.shards);
  PreparedData prepared;
  if (!fs::exists(shards / "manifest.json")) say_what_is_generated(spec, options);
  prepared.tokenizer = find_tokenizer(spec, options, shards);
  if (prepared.tokenizer->vocab_size() > spec.model.vocab_size) {
    throw Error("model.vocab_size",
                fmt::format("{} rows are fewer than the vocabulary's {} tokens",
                            spec.model.vocab_size, prepared.tokenizer->vocab_size()),
                "raise model.vocab_size or choose a smaller vocabulary");
  }
  if (own_shards || !fs::exists(shards / "manifest.json")) {
    say(options, "building token shards");
    data::BuildOptions build;
    build.sources = data_sources(spec);
    build.folder = shards;
    build.tokenizer = prepared.tokenizer;
    build.filters = data_filters(spec);
    build.dedup.exact = spec.data.filters.deduplicate;
    build.dedup.near = spec.data.filters.deduplicate_near;
    build.held_out = spec.data.held_out_fraction;
    build.progress = options.progress;
    build.stop = options.stop;
    const data::BuildReport report = data::build(build);
    if (!report.was_complete) say(options, report.table());
    for (const std::string& warning : report.warnings) say(options, "warning: " + warning);
  }
  prepared.dataset = data::Dataset::open(shards);
  if (prepared.dataset->tokenizer_hash() != prepared.tokenizer->hash()) {
    throw Error(shards.string(), "the shards are of another vocabulary than tokenizer.path",
                "build them anew with `tessera data build`");
  }
  return prepared;
}

}  // namespace tessera
