// SPDX-License-Identifier: MIT
#include "core/infer/engine.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "kernels/convert/convert.h"
#include "kernels/embedding/embedding.h"
#include "kernels/few_rows/few_rows.h"
#include "kernels/product/rows_alone.h"

namespace tessera {

namespace {
constexpr std::int64_t kPage = LatentCache::kPageTokens;

std::int64_t pages_for(std::int64_t tokens) {
  return (tokens + kPage - 1) / kPage;
}
}  // namespace

CachedSequence::CachedSequence(CachedSequence&& other) noexcept
    : cache_(std::exchange(other.cache_, nullptr)),
      pages_(std::move(other.pages_)),
      length_(std::exchange(other.length_, 0)) {}

CachedSequence& CachedSequence::operator=(CachedSequence&& other) noexcept {
  std::swap(cache_, other.cache_);
  std::swap(pages_, other.pages_);
  std::swap(length_, other.length_);
  return *this;
}

CachedSequence::~CachedSequence() {
  if (cache_) cache_->give_back(pages_);
}

void CachedSequence::truncate(std::int64_t length) {
  require(length >= 0 && length <= length_, "engine", "cannot cut {} tokens to {}", length_,
          length);
  length_ = length;
  const auto kept = static_cast<std::size_t>(pages_for(length));
  cache_->give_back({pages_.begin() + static_cast<std::ptrdiff_t>(kept), pages_.end()});
  pages_.resize(kept);
}

namespace {
std::int64_t rows_of(const Append& item) {
  return std::min(item.logit_rows, std::ssize(item.tokens));
}
}  // namespace

namespace {
/// What a pass over `count` tokens takes from both arenas: a dry run of it.
struct PassMemory {
  std::size_t keep = 0, scratch = 0;

  /// `few`: by the kernels for few rows besides.
  PassMemory(const Model& model, const LatentCache& cache, std::int64_t count, std::int64_t pages,
             bool few, bool alone) {
    if (!alone) measure(model, cache, count, pages, false);
    if (few || alone) {
      const std::int64_t most = alone ? count : std::min(count, kernels::kFewRows);
      measure(model, cache, most, pages, true);
    }
  }

 private:
  void measure(const Model& model, const LatentCache& cache, std::int64_t count, std::int64_t pages,
               bool few) {
    const DType type = model.precision().activation;
    const ModelConfig& config = model.config();
    Arena keep_arena = Arena::measuring(model.device());
    Arena scratch_arena = Arena::measuring(model.device());
    Arena logits = Arena::measuring(model.device());  // they have memory of their own
    Context context{.device = model.device(), .scratch = &scratch_arena, .dry_run = true};
    Pass pass{context, keep_arena, model.precision()};
    pass.few_rows = few;
    const auto column = [&] { return keep_arena.take(DType::I32, {count}); };
    for (const bool fresh : {true, false}) {
      Arena::Frame frame(keep_arena);
      const CachedTokens tokens{
          .sequences = {column(), column(), keep_arena.take(DType::I32, {count + 1}), count},
          .pages = keep_arena.take(DType::I32, {count, pages}),
          .lengths = column(),
          .slots = column(),
          .fresh = fresh};
      column();  // the rows whose logits are wanted
      const Tensor x = keep_arena.take(type, {count, config.hidden_size});
      for (const ModelPart& part : model.parts()) {
        model.forward_cached(pass, part, tokens, cache, x);
      }
      if (!model.parts().back().stage().is_last) continue;
      const Tensor last = keep_arena.take(type, {count, config.hidden_size});
      model.logits_of(pass, last, logits.take(type, {count, config.vocab_size}));
    }
    constexpr std::size_t kSpare = 4096;
    keep = std::max(keep, keep_arena.peak_bytes() + kSpare);
    scratch = std::max(scratch, scratch_arena.peak_bytes() + kSpare);
  }
};

/// On the CPU address space: pages are touched as calls need them. On the GPU all that a pass over
/// the most tokens can need.
Arena pass_arena(Device device, std::size_t bytes) {
  return Arena(device == Device::Cuda ? bytes : std::size_t{1} << 36, device);
}
}  // namespace

namespace {
/// Where the model keeps what is within a layer in BF16, so does the cache, unless told otherwise.
DType cache_type(const Model& model, DType wanted) {
  return wanted == DType::F32 && model.precision().narrow ? DType::BF16 : wanted;
}
}  // namespace

namespace {
bool has_steps(const Model& model, const EngineOptions& options) {
  return !options.pipeline && (model.device() == Device::Cuda || options.steps_of_gpu);
}

/// On the GPU rows are alone in the kernels for few rows only.
bool is_alone(const Model& model, const EngineOptions& options) {
  if (model.device() == Device::Cpu) return options.rows_alone;
  if (!options.rows_alone_on_gpu) return false;
  if (!options.pipeline && model.takes_few_rows()) return true;
  throw Error("engine",
              "text that does not depend on what runs beside it needs BF16 on a GPU, and sizes "
              "that are multiples of 8",
              "use the precision bf16, or leave the option out");
}
}  // namespace

Engine::Engine(const Model& model, const EngineOptions& options, Profile* profile)
    : model_(model),
      options_(options),
      cache_(model.config(), pages_for(options.cache_tokens) + (has_steps(model, options) ? 1 : 0),
             cache_type(model, options.cache_dtype), model.device()),
      keep_(Arena::measuring(model.device())),
      scratch_(Arena::measuring(model.device())),
      context_{.device = model.device(), .scratch = &scratch_, .profile = profile},
      rows_alone_(is_alone(model, options)),
      in_steps_(has_steps(model, options)),
      stream_(model.device()),
      step_inputs_(model.device()),
      rest_inputs_(model.device()) {
  require(options.chunk_tokens > 0, "engine", "chunk_tokens is {}", options.chunk_tokens);
  // NOTE: what others launch on the device's own stream is waited for, and waits.
  context_.stream = stream_.handle();
  recordings_.enable(options.graphs);
  if (in_steps_) nobodys_page_ = cache_.take_page();
  const bool on_gpu = model.device() == Device::Cuda;
  const std::int64_t pages =
      pages_for(std::min(options.cache_tokens, model.config().max_position_embeddings));
  const PassMemory memory(model, cache_, options.chunk_tokens, pages,
                          in_steps_ && model.takes_few_rows(), on_gpu && rows_alone_);
  keep_ = pass_arena(model.device(), memory.keep);
  scratch_ = pass_arena(model.device(), memory.scratch);
}

CachedSequence Engine::open() {
  return CachedSequence(cache_);
}

CachedSequence Engine::fork(const CachedSequence& sequence, std::int64_t length) {
  require(length >= 0 && length <= sequence.length_, "engine", "cannot share {} tokens of {}",
          length, sequence.length_);
  CachedSequence made = open();
  made.length_ = length;
  made.pages_.assign(sequence.pages_.begin(),
                     sequence.pages_.begin() + static_cast<std::ptrdiff_t>(pages_for(length)));
  for (const std::int32_t page : made.pages_) cache_.share(page);
  return made;
}

/// New tokens that a sequence must have room for.
struct Engine::Need {
  CachedSequence* sequence = nullptr;
  std::int64_t tokens = 0;

  std::int64_t length() const { return sequence->length_ + tokens; }
  /// Pages that it lacks at its end.
  std::int64_t pages() const {
    const auto held = static_cast<std::int64_t>(sequence->pages_.size());
    return std::max<std::int64_t>(pages_for(length()) - held, 0);
  }
};

/// The page that the next token goes to has other holders: it is written to in a copy.
bool Engine::writes_to_shared_page(const CachedSequence& sequence) const {
  const auto at = static_cast<std::size_t>(sequence.length_ / kPage);
  return at < sequence.pages_.size() && cache_.is_shared(sequence.pages_[at]);
}

std::int64_t Engine::pages_needed(const CachedSequence& sequence, std::int64_t tokens) const {
  const auto held = static_cast<std::int64_t>(sequence.pages_.size());
  return std::max<std::int64_t>(pages_for(sequence.length_ + tokens) - held, 0) +
         (writes_to_shared_page(sequence) ? 1 : 0);
}

/// Gives every sequence the pages it will need, or none of them any.
void Engine::reserve(std::span<const Need> needs) {
  std::int64_t wanted = 0;
  for (const Need& need : needs) {
    require(need.tokens > 0, "engine", "a sequence is given no tokens");
    if (need.length() > model_.config().max_position_embeddings) {
      throw Error("engine",
                  fmt::format("{} tokens are more than the model's {}", need.length(),
                              model_.config().max_position_embeddings),
                  "shorten the conversation");
    }
    wanted += pages_needed(*need.sequence, need.tokens);
  }
  if (wanted > cache_.free_pages()) {
    throw Error("engine",
                fmt::format("the cache has room for {} more tokens, {} are needed", free_tokens(),
                            wanted * kPage),
                "shorten the conversation or give the cache more memory");
  }
  for (const Need& need : needs) {
    if (writes_to_shared_page(*need.sequence)) {
      std::int32_t& page =
          need.sequence->pages_[static_cast<std::size_t>(need.sequence->length_ / kPage)];
      const std::int32_t copy = cache_.take_page();
      cache_.copy_page(context_, page, copy);
      cache_.give_back({std::exchange(page, copy)});
    }
    for (std::int64_t left = need.pages(); left > 0; --left) {
      need.sequence->pages_.push_back(cache_.take_page());
    }
  }
}

void Engine::reserve(CachedSequence& sequence, std::int64_t tokens) {
  const Need one{&sequence, tokens};
  reserve(std::span(&one, 1));
}

std::int64_t Engine::room(const CachedSequence& sequence) const {
  const auto held = static_cast<std::int64_t>(sequence.pages_.size()) * kPage;
  return std::min(model_.config().max_position_embeddings, held + free_tokens()) - sequence.length_;
}

const Tensor& Engine::append(std::span<const Append> work) {
  std::vector<Need> needs;
  for (const Append& item : work) {
    needs.push_back({item.sequence, static_cast<std::int64_t>(item.tokens.size())});
  }
  reserve(needs);
  chosen_.assign(work.size(), {});
  std::int64_t rows = 0;
  for (const Append& item : work) rows += rows_of(item);
  // A router's observer is told of every token there is, and of no padding.
  if (chooses()) {
    take_logits(rows, options_.chunk_tokens);
    append_in_steps(work);
  } else {
    require(std::none_of(work.begin(), work.end(), [](const Append& item) { return item.draw; }),
            "engine", "tokens are not chosen on the device here");
    take_logits(rows, 0);
    append_in_chunks(work, 0, /*apart=*/false);
  }
  return logits_;
}

/// Room for logits, and behind them for those of up to `padding` rows that a step adds.
void Engine::take_logits(std::int64_t rows, std::int64_t padding) {
  const DType type = model_.precision().activation;
  const std::int64_t vocabulary = model_.config().vocab_size;
  // A step has at most half as many rows more, and is not padded past a chunk.
  const std::int64_t all = std::max<std::int64_t>(rows + std::min(rows / 2 + 1, padding), 1);
  const std::size_t bytes = static_cast<std::size_t>(all * vocabulary) * size_of(type);
  if (logits_memory_.bytes() < bytes) {
    logits_memory_ = {};  // before the larger one is taken
    logits_memory_ = Buffer(bytes, model_.device());
    recordings_.clear();
  }
  logits_ = logits_memory_.view(type, {rows, vocabulary});
}

/// In passes of at most a chunk; logits go to rows from `logit_row` on. `apart`: a pass either
/// begins sequences or goes on with them, since those that begin have the fast form of attention.
void Engine::append_in_chunks(std::span<const Append> work, std::int64_t logit_row, bool apart) {
  std::vector<Piece> chunk;
  std::int64_t in_chunk = 0, row = logit_row;
  const auto flush = [&] {
    if (!chunk.empty()) row += run_chunk(chunk, row);
    chunk.clear();
    in_chunk = 0;
  };
  for (const Append& item : work) {
    std::span<const std::int32_t> left = item.tokens;
    const bool begins = item.sequence->length_ == 0;
    const bool fits = chunk.empty() || (chunk.front().sequence->length_ == 0) == begins;
    if (apart && !fits) flush();
    while (!left.empty()) {
      const auto room = static_cast<std::size_t>(options_.chunk_tokens - in_chunk);
      const std::size_t count = std::min(room, left.size());
      const auto behind = static_cast<std::int64_t>(left.size() - count);
      chunk.push_back({item.sequence, left.first(count),
                       std::clamp<std::int64_t>(item.logit_rows - behind, 0,
                                                static_cast<std::int64_t>(count))});
      in_chunk += static_cast<std::int64_t>(count);
      left = left.subspan(count);
      // The next piece of a sequence reads this one in the cache.
      if (in_chunk == options_.chunk_tokens) flush();
    }
  }
  flush();
}

const Tensor& Engine::append(CachedSequence& sequence, std::span<const std::int32_t> tokens) {
  const Append one{&sequence, tokens};
  return append(std::span(&one, 1));
}

void Engine::warm_up() {
  constexpr std::int64_t kSteps = 2;  // a step is recorded when it comes the second time
  const std::int64_t most =
      std::min({options_.chunk_tokens, model_.config().max_position_embeddings - kSteps,
                free_tokens() - LatentCache::kPageTokens});
  if (most < 1) return;
  CachedSequence sequence = open();
  const std::vector<std::int32_t> tokens(static_cast<std::size_t>(most), 0);
  for (std::int64_t step = 0; step <= kSteps; ++step) {
    Append one{&sequence, std::span(tokens).first(static_cast<std::size_t>(step == 0 ? most : 1))};
    if (chooses()) one.draw = DeviceDraw{};
    append(std::span(&one, 1));
  }
}

namespace {
/// The integer inputs of one pass, filled on the host.
struct Inputs {
  std::vector<std::int32_t> tokens, positions, pages, lengths, slots, starts{0};

  Tensor upload(const std::vector<std::int32_t>& values, Arena& arena,
                std::initializer_list<std::int64_t> shape) const {
    const Tensor tensor = arena.take(DType::I32, shape);
    if (tensor.device() == Device::Cuda) {
      cuda_memory().copy(tensor.raw(), values.data(), tensor.bytes());
    } else {
      std::copy(values.begin(), values.end(), tensor.data<std::int32_t>());
    }
    return tensor;
  }
};
}  // namespace

std::int64_t Engine::run_chunk(std::span<const Piece> pieces, std::int64_t logit_row) {
  Inputs in;
  std::size_t most_pages = 0;
  bool fresh = true;
  std::int64_t longest = 0;
  std::vector<std::int64_t> wanted;  // rows whose logits are
  for (const Piece& piece : pieces) {
    most_pages = std::max(most_pages, piece.sequence->pages_.size());
    fresh = fresh && piece.sequence->length_ == 0;
    longest = std::max(longest, static_cast<std::int64_t>(piece.tokens.size()));
  }
  std::int64_t all = 0;
  for (const Piece& piece : pieces) all += std::ssize(piece.tokens);
  fresh = fresh && !rows_alone_ && !takes_few(all);
  // Nothing in the cache is read then.
  if (fresh) most_pages = 1;
  for (const Piece& piece : pieces) {
    CachedSequence& s = *piece.sequence;
    for (const std::int32_t token : piece.tokens) {
      const auto position = static_cast<std::int32_t>(s.length_++);
      const std::int32_t page = s.pages_[static_cast<std::size_t>(position / kPage)];
      in.tokens.push_back(token);
      in.positions.push_back(position);
      in.lengths.push_back(position + 1);
      in.slots.push_back(static_cast<std::int32_t>(page * kPage + position % kPage));
      if (!fresh) in.pages.insert(in.pages.end(), s.pages_.begin(), s.pages_.end());
      in.pages.resize(in.tokens.size() * most_pages, 0);
    }
    in.starts.push_back(static_cast<std::int32_t>(in.tokens.size()));
    const auto end = static_cast<std::int64_t>(in.tokens.size());
    for (std::int64_t row = end - piece.logits; row < end; ++row) wanted.push_back(row);
  }

  Arena::Frame frame(keep_);
  const auto count = static_cast<std::int64_t>(in.tokens.size());
  const CachedTokens tokens{
      .sequences = {in.upload(in.tokens, keep_, {count}), in.upload(in.positions, keep_, {count}),
                    in.upload(in.starts, keep_, {static_cast<std::int64_t>(in.starts.size())}),
                    longest},
      .pages = in.upload(in.pages, keep_, {count, static_cast<std::int64_t>(most_pages)}),
      .lengths = in.upload(in.lengths, keep_, {count}),
      .slots = in.upload(in.slots, keep_, {count}),
      .fresh = fresh};
  run_model(tokens, wanted, logit_row);
  return std::ssize(wanted);
}

void Engine::run_model(const CachedTokens& tokens, const std::vector<std::int64_t>& wanted,
                       std::int64_t logit_row) {
  const kernels::RowsAlone alone(rows_alone_);
  Pass pass = pass_over(tokens.sequences.count());
  pass.observer = observer_;
  const std::int64_t hidden = model_.config().hidden_size;
  const DType type = model_.precision().activation;
  const Tensor x = keep_.take(type, {tokens.sequences.count(), hidden});
  run_stages(pass, tokens, x);
  if (wanted.empty()) return;
  const Tensor logits = logits_.slice(0, logit_row, logit_row + std::ssize(wanted));
  Communicator* pipeline = options_.pipeline;
  const int last = pipeline ? options_.route.back() : 0;
  if (!pipeline || pipeline->rank() == last) logits_of_rows(pass, x, wanted, logits);
  if (pipeline) pipeline->broadcast(context_, logits, last);
}

/// The tokens through the stages that this rank holds, from and to those of others.
void Engine::run_stages(Pass& pass, const CachedTokens& tokens, const Tensor& x) {
  Communicator* pipeline = options_.pipeline;
  if (!pipeline) return model_.forward_cached(pass, tokens, cache_, x);
  const std::vector<std::int32_t>& route = options_.route;
  const int here = pipeline->rank();
  for (std::size_t stage = 0; stage < route.size(); ++stage) {
    if (route[stage] != here) continue;
    if (stage > 0 && route[stage - 1] != here) pipeline->receive(context_, x, route[stage - 1]);
    model_.forward_cached(pass, model_.part_of_stage(static_cast<std::int64_t>(stage)), tokens,
                          cache_, x);
    const bool goes_on = stage + 1 < route.size() && route[stage + 1] != here;
    if (goes_on) pipeline->send(context_, x, route[stage + 1]);
  }
}

void Engine::logits_of_rows(Pass& pass, const Tensor& x, const std::vector<std::int64_t>& wanted,
                            const Tensor& logits) {
  const std::int64_t rows = std::ssize(wanted);
  const Tensor last = keep_.take(x.dtype(), {rows, x.size(1)});
  if (model_.device() == Device::Cuda) {
    Inputs in;
    in.tokens.assign(wanted.begin(), wanted.end());
    kernels::embedding_forward(context_, in.upload(in.tokens, keep_, {rows}), x, last);
  } else {
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t from = wanted[static_cast<std::size_t>(i)];
      kernels::convert(context_, x.slice(0, from, from + 1), last.slice(0, i, i + 1));
    }
  }
  model_.logits_of(pass, last, logits);
}

}  // namespace tessera
