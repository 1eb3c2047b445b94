// SPDX-License-Identifier: MIT
#include "core/data/batch_stream.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/data/document_stream.h"

namespace tessera::data {

using nlohmann::json;

Batch::Batch(std::int64_t sequences, std::int64_t row_length, int extra)
    : memory(static_cast<std::size_t>(sequences * (row_length + 1 + extra)) * sizeof(std::int32_t)),
      tokens(memory.view(DType::I32, {sequences, row_length + 1 + extra})),
      length(row_length),
      valid(static_cast<std::size_t>(sequences), 0),
      document_starts(static_cast<std::size_t>(sequences)),
      source(static_cast<std::size_t>(sequences), 0) {}

void Batch::write_targets(int depth, const Tensor& out) const {
  require(depth >= 0 && length + 1 + depth <= tokens.size(1), "batch",
          "no targets of depth {} in {} with rows of {}", depth, tokens.describe(), length);
  require(out.rank() == 2 && out.size(0) == tokens.size(0) && out.size(1) == length &&
              out.dtype() == DType::I32,
          "batch", "expected I32({}, {}) for targets, got {}", tokens.size(0), length,
          out.describe());
  for (std::int64_t row = 0; row < tokens.size(0); ++row) {
    const std::int32_t* from = tokens.data<std::int32_t>() + row * tokens.stride(0) + 1 + depth;
    std::int32_t* to = out.data<std::int32_t>() + row * out.stride(0);
    const std::int64_t count =
        std::clamp<std::int64_t>(valid[static_cast<std::size_t>(row)] - 1 - depth, 0, length);
    std::copy(from, from + count, to);
    std::fill(to + count, to + length, -1);
  }
}

namespace {

/// Copies a row and its marks into the batch.
void put_row(Batch& batch, std::int64_t row, const std::vector<std::int32_t>& tokens,
             std::vector<std::int32_t> starts, std::int32_t source, std::int32_t pad) {
  const std::int64_t width = batch.tokens.size(1);
  std::int32_t* to = batch.tokens.data<std::int32_t>() + row * width;
  std::copy(tokens.begin(), tokens.end(), to);
  std::fill(to + tokens.size(), to + width, pad);
  if (starts.empty() || starts.front() != 0) starts.insert(starts.begin(), 0);
  const auto at = static_cast<std::size_t>(row);
  batch.document_starts[at] = std::move(starts);
  batch.valid[at] = static_cast<std::int32_t>(tokens.size());
  batch.source[at] = source;
}

json to_json(const Cursor& cursor, std::int64_t documents) {
  return {{"epoch", cursor.epoch},
          {"document", cursor.index},
          {"offset", cursor.offset},
          {"tokens", cursor.tokens},
          {"of_documents", documents}};
}

Cursor cursor_from(const json& value, const DocumentStream& stream, const std::string& name) {
  Cursor cursor{value.at("epoch"), value.at("document"), value.at("offset"), value.at("tokens")};
  const std::int64_t documents = value.at("of_documents");
  if (documents != stream.documents())
    throw Error("data position",
                fmt::format("source '{}' has {} documents, but had {} when the position was saved",
                            name, stream.documents(), documents),
                "go on with the data the run was started with");
  require(cursor.epoch >= 0 && cursor.index >= 0 && cursor.index < documents &&
              cursor.offset >= 0 && cursor.tokens >= 0 &&
              cursor.offset < stream.place(cursor.epoch, cursor.index).stream_length(),
          "data position", "no such place in source '{}': {}", name, value.dump());
  return cursor;
}

}  // namespace

struct BatchStream::State {
  std::shared_ptr<const Dataset> dataset;
  SpecialTokens specials;
  BatchStreamOptions options;
  std::vector<std::string> names;
  std::vector<double> weights;            ///< normalised
  std::map<std::string, Cursor> cursors;  ///< one for every source that was ever read
  std::map<std::string, DocumentStream> streams;
  std::int64_t rows = 0;
  std::vector<std::int32_t> scratch;

  std::int32_t pad() const { return specials.pad >= 0 ? specials.pad : specials.eos; }

  DocumentStream& stream(const std::string& name) {
    const auto found = streams.find(name);
    if (found != streams.end()) return found->second;
    const DocumentStream::Order order{options.seed, true, options.fim_rate};
    const DatasetSource& source = dataset->source(name);
    return streams.emplace(name, DocumentStream(source.train, name, specials, order)).first->second;
  }

  std::size_t source_of_row(std::int64_t row) const {
    static constexpr std::uint64_t kStream = stream_of("mixture");
    double draw = Random(options.seed, kStream).uniform(static_cast<std::uint64_t>(row));
    std::size_t at = 0;
    while (at + 1 < weights.size() && draw >= weights[at]) draw -= weights[at++];
    return at;
  }

  void skip_rows(std::int64_t count, std::int64_t length) {
    for (; count > 0; --count, ++rows) {
      const std::string& name = names[source_of_row(rows)];
      Cursor& cursor = cursors[name];
      if (options.packing)
        stream(name).skip(cursor, length);
      else
        cursor.tokens += stream(name).take_document(cursor, length, nullptr);
    }
  }

  void take_row(Batch& batch, std::int64_t row) {
    const std::size_t source = source_of_row(rows);
    const std::int64_t width = batch.tokens.size(1);
    scratch.clear();
    std::vector<std::int32_t> starts;
    Cursor ahead = cursors[names[source]];
    if (options.packing)
      stream(names[source]).take(ahead, width, scratch, starts);
    else
      stream(names[source]).take_document(ahead, width, &scratch);
    put_row(batch, row, scratch, std::move(starts), static_cast<std::int32_t>(source), pad());
    skip_rows(1, batch.length);
  }
};

BatchStream::BatchStream(std::shared_ptr<const Dataset> dataset, const SpecialTokens& specials,
                         BatchStreamOptions options)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  require(dataset != nullptr, "batches", "no data given");
  require(specials.bos >= 0 && specials.eos >= 0, "batches",
          "the vocabulary has no BOS or EOS token, which documents are packed with");
  require(options.fim_rate >= 0 && options.fim_rate <= 1, "batches",
          "fim_rate = {} is not in [0, 1]", options.fim_rate);
  if (options.fim_rate > 0 &&
      (specials.fim_begin < 0 || specials.fim_hole < 0 || specials.fim_end < 0))
    throw Error("batches", "the vocabulary has no fill-in-the-middle tokens", "set fim_rate to 0");
  require(options.extra >= 0, "batches", "extra = {} is negative", options.extra);
  require(options.ranks >= 1 && options.rank >= 0 && options.rank < options.ranks, "batches",
          "rank {} of {}", options.rank, options.ranks);
  s.dataset = std::move(dataset);
  s.specials = specials;
  s.options = std::move(options);
  set_mixture(s.options.mixture);
}

BatchStream::~BatchStream() = default;
BatchStream::BatchStream(BatchStream&&) noexcept = default;
BatchStream& BatchStream::operator=(BatchStream&&) noexcept = default;

void BatchStream::set_mixture(std::vector<MixturePart> mixture) {
  State& s = *state_;
  if (mixture.empty())
    for (const DatasetSource& source : s.dataset->sources())
      if (source.train.documents() > 0 && source.weight > 0)
        mixture.push_back({source.name, source.weight});
  if (mixture.empty())
    throw Error("batches", "no source with documents and a weight above 0",
                "look at the report of the data build");
  std::vector<std::string> names;
  std::vector<double> weights;
  double sum = 0;
  for (const MixturePart& part : mixture) {
    if (s.dataset->source(part.source).train.documents() == 0)
      throw Error("batches", fmt::format("source '{}' has no documents to train on", part.source),
                  "look at what the data build dropped, or leave the source out of the mixture");
    require(part.weight > 0 && std::isfinite(part.weight), "batches",
            "source '{}' has the weight {}; leave it out instead", part.source, part.weight);
    require(std::find(names.begin(), names.end(), part.source) == names.end(), "batches",
            "source '{}' is twice in the mixture", part.source);
    names.push_back(part.source);
    weights.push_back(part.weight);
    sum += part.weight;
  }
  for (double& weight : weights) weight /= sum;
  s.names = std::move(names);
  s.weights = std::move(weights);
}

Batch BatchStream::next(std::int64_t sequences, std::int64_t length) {
  require(sequences > 0 && length > 0, "batches", "{} sequences of {} tokens asked for", sequences,
          length);
  State& s = *state_;
  Batch batch(sequences, length, s.options.extra);
  const std::int64_t run = s.options.consecutive ? sequences : 1;
  for (std::int64_t row = 0; row < sequences; ++row) {
    if (row % run == 0) s.skip_rows(s.options.rank * run, length);
    s.take_row(batch, row);
    if ((row + 1) % run == 0) s.skip_rows((s.options.ranks - 1 - s.options.rank) * run, length);
  }
  return batch;
}

json BatchStream::state() const {
  State& s = *state_;
  json sources = json::object();
  for (const auto& [name, cursor] : s.cursors)
    sources[name] = to_json(cursor, s.stream(name).documents());
  return {{"version", 1}, {"seed", s.options.seed}, {"rows", s.rows}, {"sources", sources}};
}

void BatchStream::restore(const json& state) {
  State& s = *state_;
  try {
    require(state.at("version") == 1, "data position", "version {}, this program reads 1",
            state.at("version").dump());
    const std::uint64_t seed = state.at("seed");
    require(seed == s.options.seed, "data position", "saved with seed {}, the run has {}", seed,
            s.options.seed);
    const std::int64_t rows = state.at("rows");
    require(rows >= 0, "data position", "{} rows", rows);
    std::map<std::string, Cursor> cursors;
    for (const auto& [name, value] : state.at("sources").items())
      cursors[name] = cursor_from(value, s.stream(name), name);
    s.cursors = std::move(cursors);
    s.rows = rows;
  } catch (const json::exception& error) {
    throw Error("data position", fmt::format("malformed: {}", error.what()),
                "use another checkpoint");
  }
}

std::int64_t BatchStream::rows() const {
  return state_->rows;
}
const std::vector<std::string>& BatchStream::sources() const {
  return state_->names;
}

std::vector<SourceProgress> BatchStream::progress() const {
  const State& s = *state_;
  std::vector<SourceProgress> progress;
  for (std::size_t at = 0; at < s.names.size(); ++at) {
    const auto found = s.cursors.find(s.names[at]);
    const Cursor cursor = found == s.cursors.end() ? Cursor{} : found->second;
    const auto documents = s.dataset->source(s.names[at]).train.documents();
    progress.push_back({s.names[at], s.weights[at], cursor.tokens,
                        static_cast<double>(cursor.epoch) +
                            static_cast<double>(cursor.index) / static_cast<double>(documents)});
  }
  return progress;
}

Batch BatchStream::validation_batches(const std::string& source, std::int64_t sequences,
                                      std::int64_t length) const {
  require(sequences > 0 && length > 0, "batches", "{} sequences of {} tokens asked for", sequences,
          length);
  const State& s = *state_;
  const DocumentStore& store = s.dataset->source(source).held_out;
  if (store.documents() == 0)
    throw Error("batches", fmt::format("source '{}' has no held-out document", source),
                "build the data with a larger held-out share or smaller parts of long texts");
  const DocumentStream stream(store, source, s.specials, {s.options.seed, false, 0.0});
  const int extra = s.options.extra;
  const std::int64_t available =
      s.options.packing ? (stream.pass_tokens() - 1 - extra) / length : stream.documents();
  Batch batch(std::clamp<std::int64_t>(available, 1, sequences), length, extra);
  const auto name = std::find(s.names.begin(), s.names.end(), source);
  const auto index = name == s.names.end() ? -1 : static_cast<std::int32_t>(name - s.names.begin());
  Cursor cursor;
  for (std::int64_t row = 0; row < batch.tokens.size(0); ++row) {
    std::vector<std::int32_t> tokens, starts;
    Cursor ahead = cursor;
    if (s.options.packing) {
      stream.take(ahead, length + 1 + extra, tokens, starts);
      stream.skip(cursor, length);
    } else {
      stream.take_document(cursor, length + 1 + extra, &tokens);
    }
    put_row(batch, row, tokens, std::move(starts), index, s.pad());
  }
  return batch;
}

}  // namespace tessera::data
