// SPDX-License-Identifier: MIT
#include "core/tokenizer/train.h"

#include <sentencepiece_trainer.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include "core/base/error.h"
#include "core/tokenizer/child_process.h"
#include "core/tokenizer/sentencepiece_tokenizer.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {

constexpr std::size_t kMaxSentenceBytes = 4096;

/// Hands SentencePiece one sentence at a time.
class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& sentences) : sentences_(sentences) {}
  bool done() const override { return at_ >= sentences_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return sentences_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& sentences_;
  std::size_t at_ = 0;
};

/// Splits a text into sentences for training: at line ends, at bytes that are not UTF-8, at control
/// characters, after 4 KiB (at a space where there is one), and at the bars and blanks that special
/// tokens are spelled with, and after "<": no learned piece can then equal a special or byte token.
class Splitter {
 public:
  explicit Splitter(std::vector<std::string>& out) : out_(out) {}

  void split(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const utf8::Character character = utf8::next(text, at);
      if (!character.valid || character.code < 0x20 || is_reserved(character.code)) {
        flush();
      } else {
        const bool at_space = character.code == ' ' && sentence_.size() >= kMaxSentenceBytes / 2;
        if (at_space || sentence_.size() >= kMaxSentenceBytes) flush();
        sentence_.append(text, at, character.bytes);
        if (sentence_.ends_with("<0x")) {
          sentence_.resize(sentence_.size() - 2);
          flush();
          sentence_ = "0x";
        }
      }
      at += character.bytes;
    }
    flush();
  }

 private:
  static bool is_reserved(char32_t code) { return code == 0xFF5C || code == 0x2581; }
  void flush() {
    if (!sentence_.empty()) out_.push_back(std::move(sentence_));
    sentence_.clear();
  }
  std::vector<std::string>& out_;
  std::string sentence_;
};

/// The texts with the smallest hashes, as many as fit: a sample that depends on neither order nor
/// repetition.
std::vector<std::string> choose_sentences(const std::vector<std::string>& texts,
                                          std::int64_t max_bytes) {
  std::vector<std::pair<std::uint64_t, const std::string*>> order;
  for (const std::string& text : texts)
    if (!text.empty()) order.emplace_back(XXH3_64bits(text.data(), text.size()), &text);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : *a.second < *b.second;
  });
  std::vector<std::string> sentences;
  std::int64_t bytes = 0;
  for (const auto& [hash, text] : order) {
    const auto room = static_cast<std::size_t>(max_bytes - bytes);
    const std::string_view part = std::string_view(*text).substr(0, room);
    Splitter(sentences).split(part);
    bytes += static_cast<std::int64_t>(part.size());
    if (bytes >= max_bytes) break;
  }
  return sentences;
}

std::string join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (std::string_view part : parts) text.append(text.empty() ? "" : ",").append(part);
  return text;
}

/// Characters with a token of their own whatever the sample holds: printable ASCII and the blank
/// that stands for a space (byte tokens in its place would come back as the blank itself).
std::string required_characters() {
  std::string text = "\xE2\x96\x81";
  for (char c = '!'; c <= '~'; ++c) text.push_back(c);
  return text;
}

std::unordered_map<std::string, std::string> trainer_flags(const TokenizerTrainOptions& options) {
  return {
      {"model_type", options.algorithm == TokenizerAlgorithm::Bpe ? "bpe" : "unigram"},
      {"vocab_size", std::to_string(options.vocab_size)},
      {"character_coverage", fmt::format("{}", options.character_coverage)},
      {"split_digits", options.split_digits ? "true" : "false"},
      {"max_sentencepiece_length", std::to_string(options.max_piece_length)},
      {"max_sentence_length", std::to_string(2 * kMaxSentenceBytes)},
      // Text comes back exactly.
      {"byte_fallback", "true"},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"add_dummy_prefix", "false"},
      // Indentation of code as one token.
      {"allow_whitespace_only_pieces", "true"},
      {"user_defined_symbols", "\n,\n\n,\t,\t\t"},
      // Control symbols, unlike user-defined ones, are never found in text.
      {"control_symbols", join({special::kFimBegin, special::kFimHole, special::kFimEnd,
                                special::kUser, special::kAssistant})},
      {"unk_id", "0"},
      {"bos_id", "1"},
      {"eos_id", "2"},
      {"pad_id", "3"},
      {"unk_piece", std::string(special::kUnknown)},
      {"bos_piece", std::string(special::kBos)},
      {"eos_piece", std::string(special::kEos)},
      {"pad_piece", std::string(special::kPad)},
      {"required_chars", required_characters()},
      {"hard_vocab_limit", "false"},
      // NOTE: sums of the unigram model depend on the number of threads: it is part of the result.
      {"num_threads", "4"},
      {"minloglevel", "0"},  // its log is read for progress
  };
}

/// The number behind `name` in a line of SentencePiece's log; 0 where there is none.
std::int64_t number_after(std::string_view line, std::string_view name) {
  const std::size_t at = line.find(name);
  std::int64_t number = 0;
  if (at != std::string_view::npos)
    std::from_chars(line.data() + at + name.size(), line.data() + line.size(), number);
  return number;
}

/// Reads how far the training is from SentencePiece's log. BPE adds pieces up to the size asked
/// for; unigram starts with many and drops a quarter at a time.
class TrainingProgress {
 public:
  explicit TrainingProgress(const TokenizerTrainOptions& options) : options_(options) {}

  void line(std::string_view line) {
    const bool bpe = options_.algorithm == TokenizerAlgorithm::Bpe;
    if (line.find(bpe ? "Added: " : "sub_iter=") == std::string_view::npos) return;
    const std::int64_t size = number_after(line, " size=");
    if (bpe) {
      done_ = std::min<std::int64_t>(size, options_.vocab_size);
      total_ = options_.vocab_size;
      return;
    }
    first_ = std::max(first_, size);
    total_ = std::max<std::int64_t>(first_ - options_.vocab_size, 0);
    done_ = std::min(first_ - size, total_);
  }
  void report() {
    if (options_.progress && pace_.due())
      options_.progress({"vocabulary", done_, total_, total_ > 0 ? "pieces" : ""});
  }

 private:
  const TokenizerTrainOptions& options_;
  Pace pace_;
  std::int64_t first_ = 0, done_ = 0, total_ = 0;
};

/// The bytes of the model.
std::string train_in_child(const std::vector<std::string>& sentences,
                           const TokenizerTrainOptions& options) {
  TrainingProgress progress(options);
  const ChildResult result = run_in_child(
      [&] {
        Sentences iterator(sentences);
        std::string model;
        const auto status =
            sentencepiece::SentencePieceTrainer::Train(trainer_flags(options), &iterator, &model);
        if (!status.ok()) throw std::runtime_error(status.message());
        return model;
      },
      {.stopped =
           [&] {
             progress.report();
             return is_set(options.stop);
           },
       .error_line = [&](const std::string& line) { progress.line(line); }});
  if (result.stopped) throw Stopped("tokenizer");
  if (!result.failure.empty())
    throw Error("tokenizer",
                fmt::format("training failed: {} ({})", result.last_words, result.failure),
                "a larger vocab_size, a smaller character_coverage or more text");
  return result.output;
}

}  // namespace

std::shared_ptr<const Tokenizer> train_tokenizer(const std::vector<std::string>& texts,
                                                 const TokenizerTrainOptions& options) {
  require(
      options.vocab_size >= 364, "tokenizer",
      "a vocabulary of {} is too small: 256 bytes, printable ASCII and 13 special and white-space "
      "tokens need a place each; use 512 or more",
      options.vocab_size);
  auto sentences = choose_sentences(texts, options.max_sample_bytes);
  std::size_t bytes = 0;
  for (const auto& sentence : sentences) bytes += sentence.size();
  // NOTE: SentencePiece ends its process on samples of a few characters.
  if (bytes < 256)
    throw Error("tokenizer", fmt::format("{} bytes of text are too few to train on", bytes),
                "check the paths and the filters of the sources");
  // NOTE: SentencePiece ends its process when a required character is not in the sample.
  for (char c = '!'; c <= '~'; ++c) sentences.push_back(std::string(" ") + c);
  return make_sentencepiece_tokenizer(train_in_child(sentences, options), "trained vocabulary");
}

}  // namespace tessera
