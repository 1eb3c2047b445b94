// SPDX-License-Identifier: MIT
// What tests/peers/gguf_llama_cpp.py compares with llama.cpp, of a folder in the released format:
//
//   gguf_peer FOLDER < request > answers
//       request: {"prompts": [text, ...], "tokens": 64, "text": text, "window": 128}
//       answers: {"prompts": [{"ids": [...], "answer": [...], "written": text, "margin": x}, ...],
//                 "text": [ids], "vocabulary": tokens, "bos": id, "loss": nats a token,
//                 "counted": tokens}
// Greedy and in F32. `margin` is the least distance of the best two logits of an answer. The loss
// is that of windows of the text, each behind BOS where there is one.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/infer/engine.h"
#include "core/infer/generate.h"
#include "core/infer/text_model.h"

namespace {
using namespace tessera;
using Json = nlohmann::json;
using Ids = std::vector<std::int32_t>;

struct Best {
  std::int32_t id = 0;
  float margin = 0.f;
};

Best best_of(const std::vector<float>& logits, std::int32_t vocabulary) {
  Best best;
  float first = -INFINITY, second = -INFINITY;
  for (std::int32_t id = 0; id < vocabulary; ++id) {
    const float logit = logits[static_cast<std::size_t>(id)];
    if (logit > first) {
      second = first;
      first = logit;
      best.id = id;
    } else {
      second = std::max(second, logit);
    }
  }
  best.margin = first - second;
  return best;
}

Json greedy_answer(Engine& engine, const Tokenizer& tokenizer, const Ids& prompt,
                   std::int64_t tokens) {
  CachedSequence sequence = engine.open();
  Ids answer;
  Ids next = prompt;
  float margin = INFINITY;
  for (std::int64_t i = 0; i < tokens; ++i) {
    const Best best = best_of(logits_row(engine.append(sequence, next), 0), tokenizer.vocab_size());
    margin = std::min(margin, best.margin);
    answer.push_back(best.id);
    next = {best.id};
  }
  const std::string text = tokenizer.decode(answer);
  return {{"ids", prompt}, {"answer", answer}, {"written", text}, {"margin", margin}};
}

double loss_of(const std::vector<float>& logits, std::int32_t id) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum) - logits[static_cast<std::size_t>(id)];
}

/// Losses of one window, added up.
double window_loss(Engine& engine, const Ids& window, std::int64_t& counted) {
  CachedSequence sequence = engine.open();
  double sum = 0;
  for (std::size_t at = 0; at + 1 < window.size(); ++at) {
    const Ids token{window[at]};
    sum += loss_of(logits_row(engine.append(sequence, token), 0), window[at + 1]);
    ++counted;
  }
  return sum;
}

Ids with_bos(const Tokenizer& tokenizer, Ids ids) {
  if (tokenizer.adds_bos()) ids.insert(ids.begin(), tokenizer.specials().bos);
  return ids;
}

Json answers(const std::string& folder, const Json& request) {
  TextModel text_model = TextModel::load(folder, Recipe::Fp32);
  const Tokenizer& tokenizer = *text_model.tokenizer();
  Engine engine(text_model.model(), EngineOptions{});
  Json prompts = Json::array();
  for (const Json& prompt : request.at("prompts")) {
    const Ids ids = with_bos(tokenizer, tokenizer.encode(prompt.get<std::string>()));
    prompts.push_back(greedy_answer(engine, tokenizer, ids, request.at("tokens")));
  }
  const Ids text = tokenizer.encode(request.at("text").get<std::string>());
  const auto window = request.at("window").get<std::size_t>();
  double sum = 0;
  std::int64_t counted = 0;
  for (std::size_t at = 0; at < text.size(); at += window) {
    const std::size_t end = std::min(at + window, text.size());
    const Ids part(text.begin() + static_cast<std::ptrdiff_t>(at),
                   text.begin() + static_cast<std::ptrdiff_t>(end));
    sum += window_loss(engine, with_bos(tokenizer, part), counted);
  }
  return {{"prompts", prompts},
          {"text", text},
          {"vocabulary", tokenizer.vocab_size()},
          {"bos", tokenizer.adds_bos() ? tokenizer.specials().bos : -1},
          {"loss", sum / static_cast<double>(std::max<std::int64_t>(counted, 1))},
          {"counted", counted}};
}
}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: gguf_peer FOLDER < request > answers\n", stderr);
    return 2;
  }
  try {
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    const std::string text = answers(arguments[1], Json::parse(input))
                                 .dump(-1, ' ', false, Json::error_handler_t::replace);
    std::puts(text.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
