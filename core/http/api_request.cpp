// SPDX-License-Identifier: MIT
#include "core/http/api_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <random>
#include <utility>

#include "core/http/answer_format.h"
#include "core/http/api_error.h"
#include "core/http/api_fields.h"
#include "core/http/chat_prompt.h"
#include "core/http/tool_request.h"

namespace tessera {

using nlohmann::json;

namespace {
constexpr std::int64_t kMostChoices = 128;  ///< in one request, over all prompts
constexpr std::int64_t kMostLogprobs = 20, kMostStops = 64;
constexpr std::int64_t kMostWhole = std::numeric_limits<std::int64_t>::max();

std::uint64_t seed_of(const json& body) {
  const ApiFields fields(body);
  const json* seed = fields.find("seed");
  if (!seed) {
    std::random_device random;
    return (static_cast<std::uint64_t>(random()) << 32) | random();
  }
  if (seed->is_number_unsigned()) return seed->get<std::uint64_t>();
  // -1 is what some clients send for a seed of the server's choice, and is a seed like any other.
  return static_cast<std::uint64_t>(
      *fields.whole("seed", std::numeric_limits<std::int64_t>::min(), kMostWhole));
}

std::vector<std::string> stops_of(const json& body) {
  const ApiFields fields(body);
  const json* stop = fields.find("stop");
  if (!stop) return {};
  const auto refuse = [&] {
    fields.refuse("stop", fmt::format("a string, or a list of at most {} strings, each of one "
                                      "character or more",
                                      kMostStops));
  };
  std::vector<std::string> stops;
  if (stop->is_string()) {
    stops.push_back(stop->get<std::string>());
  } else {
    if (!stop->is_array() || std::ssize(*stop) > kMostStops) refuse();
    for (const json& one : *stop) {
      if (!one.is_string()) refuse();
      stops.push_back(one.get<std::string>());
    }
  }
  if (std::find(stops.begin(), stops.end(), "") != stops.end()) refuse();
  return stops;
}

constexpr float kBan = -static_cast<float>(kMostBias);

float bias_of(const json& value, const ApiFields& fields) {
  if (value.is_boolean() && !value.get<bool>()) return kBan;  // as llama.cpp's clients write it
  if (!value.is_number()) fields.refuse("logit_bias", "numbers from -100 to 100 for ids of tokens");
  return value.get<float>();
}

/// {"15043": -100}, or [[15043, -100], ["text", false]] with the tokens of a text.
std::vector<std::pair<std::int32_t, float>> logit_bias_of(const json& body,
                                                          const Tokenizer& tokenizer) {
  const ApiFields fields(body);
  std::vector<std::pair<std::int32_t, float>> made;
  const json* bias = fields.find("logit_bias");
  if (!bias) return made;
  const auto refuse = [&] { fields.refuse("logit_bias", "an object of ids and numbers"); };
  const auto add = [&](std::int64_t id, const json& value) {
    if (id < 0 || id >= tokenizer.vocab_size()) {
      throw wrong_request(fmt::format("`logit_bias` names token {}, and the vocabulary has {}", id,
                                      tokenizer.vocab_size()),
                          "logit_bias");
    }
    made.emplace_back(static_cast<std::int32_t>(id), bias_of(value, fields));
  };
  if (bias->is_object()) {
    for (const auto& [key, value] : bias->items()) {
      std::int64_t id = 0;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size()) refuse();
      add(id, value);
    }
    return made;
  }
  if (!bias->is_array()) refuse();
  for (const json& pair : *bias) {
    if (!pair.is_array() || pair.size() != 2) refuse();
    if (pair[0].is_number_integer()) {
      add(pair[0].get<std::int64_t>(), pair[1]);
    } else if (pair[0].is_string()) {
      for (const std::int32_t id : tokenizer.encode(pair[0].get<std::string>())) add(id, pair[1]);
    } else {
      refuse();
    }
  }
  return made;
}

SamplingOptions sampling_in(const json& body, const Tokenizer& tokenizer) {
  const ApiFields fields(body);
  SamplingOptions sampling;
  sampling.temperature = fields.number("temperature", 1.0, 0.0, kMostTemperature);
  sampling.top_p = fields.number("top_p", 1.0, 0.0, 1.0);
  if (sampling.top_p == 0) fields.refuse("top_p", "a number above 0, up to 1");
  sampling.top_k = std::max<std::int64_t>(fields.whole("top_k", -1, kMostWhole).value_or(0), 0);
  sampling.min_p = fields.number("min_p", 0.0, 0.0, 1.0);
  sampling.repetition_penalty =
      fields.number("repetition_penalty", 1.0, kLeastPenalty, kMostPenalty);
  sampling.presence_penalty =
      fields.number("presence_penalty", 0.0, -kMostRepeatCost, kMostRepeatCost);
  sampling.frequency_penalty =
      fields.number("frequency_penalty", 0.0, -kMostRepeatCost, kMostRepeatCost);
  sampling.logit_bias = logit_bias_of(body, tokenizer);
  for (const auto& [id, bias] : sampling.logit_bias) {
    if (!(std::abs(bias) <= kMostBias)) {
      fields.refuse("logit_bias", "numbers from -100 to 100 for ids of tokens");
    }
  }
  return sampling;
}

/// What this server does not do, where a request asks for it: silence would look like an answer.
void refuse_what_is_missing(const json& body) {
  const ApiFields fields(body);
  for (const char* key : {"guided_json", "guided_regex", "guided_choice", "guided_grammar",
                          "structured_outputs", "suffix"}) {
    const json* value = fields.find(key);
    if (value && *value != "") {
      throw wrong_request(fmt::format("`{}` is not something that this server does", key), key);
    }
  }
}

/// What both kinds of request have in common.
ApiRequest common_request(const json& body, const ServedModel& model) {
  check_model_name(body, model);
  refuse_what_is_missing(body);
  const ApiFields fields(body);
  ApiRequest request;
  request.stream = fields.boolean("stream", false);
  const ApiFields stream(fields.object("stream_options"), "stream_options.");
  request.include_usage = stream.boolean("include_usage", false);
  request.continuous_usage = stream.boolean("continuous_usage_stats", false);
  request.choices = fields.whole("n", 1, kMostChoices).value_or(1);
  const auto best_of = fields.whole("best_of", 1, kMostChoices);
  if (best_of && *best_of != request.choices) {
    fields.refuse("best_of", "the same as `n`: all answers are given");
  }
  request.seed = seed_of(body);
  request.form.generate.sampling = sampling_in(body, *model.text->tokenizer);
  request.form.stop_texts = stops_of(body);
  request.form.ignore_ends = fields.boolean("ignore_eos", false);
  return request;
}

void check_prompts(const ApiRequest& request, const ServedModel& model) {
  if (std::ssize(request.prompts) > kMostChoices / request.choices) {
    throw wrong_request(fmt::format("{} prompts with {} choices each are more than {} answers",
                                    request.prompts.size(), request.choices, kMostChoices),
                        "n");
  }
  for (const auto& prompt : request.prompts) {
    if (prompt.empty()) throw wrong_request("the prompt is empty", "prompt");
    if (std::ssize(prompt) >= model.context + (request.form.generate.max_tokens == 0 ? 1 : 0)) {
      throw too_long(std::ssize(prompt), model.context);
    }
  }
}

bool is_id(const json& value) {
  return value.is_number_integer();
}

/// One prompt, or a list of prompts: [1, 2] is one of ids, ["a", "b"] are two.
std::vector<const json*> prompts_in(const json& body) {
  const ApiFields fields(body);
  const json* prompt = fields.find("prompt");
  const auto refuse = [&] {
    fields.refuse("prompt", "a string, a list of ids of tokens, or a list of prompts");
  };
  if (!prompt) refuse();
  if (prompt->is_string()) return {prompt};
  if (!prompt->is_array() || prompt->empty()) refuse();
  const bool one = std::any_of(prompt->begin(), prompt->end(), is_id);
  if (one) return {prompt};
  std::vector<const json*> all;
  for (const json& each : *prompt) {
    if (!each.is_string() && !each.is_array()) refuse();
    all.push_back(&each);
  }
  return all;
}
}  // namespace

ScheduledRequest ApiRequest::of(std::size_t answer) const {
  ScheduledRequest made = form;
  const std::size_t choice = answer % static_cast<std::size_t>(choices);
  made.prompt = prompts[answer / static_cast<std::size_t>(choices)];
  made.generate.sampling.seed = seed + choice * 0x9E3779B97F4A7C15ull;
  return made;
}

void check_model_name(const json& body, const ServedModel& model) {
  const ApiFields fields(body);
  const std::string name = fields.text("model", model.name);
  if (name == model.name || name.empty()) return;
  ApiError error(
      404, "not_found_error",
      fmt::format("there is no model \"{}\" here; this server has \"{}\"", name, model.name));
  error.param = "model";
  error.code = "model_not_found";
  throw error;
}

std::vector<std::int32_t> prompt_ids(const json& prompt, const Tokenizer& tokenizer,
                                     bool with_bos) {
  std::vector<std::int32_t> ids;
  const auto add_text = [&](const std::string& text, bool begins) {
    if (begins && with_bos && tokenizer.adds_bos()) ids.push_back(tokenizer.specials().bos);
    const std::vector<std::int32_t> more = tokenizer.encode(text);
    ids.insert(ids.end(), more.begin(), more.end());
  };
  if (prompt.is_string()) {
    add_text(prompt.get<std::string>(), true);
    return ids;
  }
  bool begins = true;
  for (const json& part : prompt) {
    if (part.is_string()) {
      add_text(part.get<std::string>(), begins);
    } else if (is_id(part)) {
      const double id = part.get<double>();
      if (id < 0 || id >= tokenizer.vocab_size()) {
        throw wrong_request(fmt::format("token {} is outside of the vocabulary of {}", part.dump(),
                                        tokenizer.vocab_size()),
                            "prompt");
      }
      ids.push_back(part.get<std::int32_t>());
    } else {
      throw wrong_request(
          fmt::format("a prompt holds {}, expected ids of tokens and strings", describe_json(part)),
          "prompt");
    }
    begins = false;
  }
  return ids;
}

ApiRequest chat_request(const json& body, const std::string& text, const ServedModel& model) {
  ApiRequest request = common_request(body, model);
  const ApiFields fields(body);
  request.chat = true;
  const auto limit = fields.whole("max_completion_tokens", 1, kMostWhole);
  request.form.generate.max_tokens =
      limit ? *limit : fields.whole("max_tokens", 1, kMostWhole).value_or(kNoTokenLimit);
  const auto best = fields.whole("top_logprobs", 0, kMostLogprobs);
  const bool logprobs = fields.boolean("logprobs", false);
  if (best && !logprobs) {
    throw wrong_request("`top_logprobs` needs `logprobs` to be true", "top_logprobs");
  }
  if (logprobs) request.form.logprobs = best.value_or(0);
  check_tools(body, text);
  ChatPrompt prompt = chat_prompt(body, text, *model.text);
  request.prompts.push_back(std::move(prompt.ids));
  request.thinking = prompt.thinking;
  request.form.constraint = constraint_of(body, text, *model.formats, prompt.thinking);
  if (request.form.constraint && prompt.continues_last) {
    throw wrong_request(
        "`continue_final_message` goes on with what was said, and a form is asked for that begins "
        "with the answer",
        "continue_final_message");
  }
  add_tools(request, body, text, model, prompt.continues_last);
  check_prompts(request, model);
  return request;
}

ApiRequest completion_request(const json& body, const std::string& text, const ServedModel& model) {
  constexpr std::int64_t kUsualTokens = 16;  // the default of this API
  ApiRequest request = common_request(body, model);
  const ApiFields fields(body);
  for (const char* key : {"tools", "tool_choice"}) {
    const json* value = fields.find(key);
    if (value && *value != "none" && *value != "auto") {
      throw wrong_request(fmt::format("`{}` belongs to /v1/chat/completions", key), key);
    }
  }
  request.echo = fields.boolean("echo", false);
  const auto limit = fields.whole("max_tokens", request.echo ? 0 : 1, kMostWhole);
  request.form.generate.max_tokens = limit.value_or(kUsualTokens);
  const json* logprobs = fields.find("logprobs");
  if (logprobs && logprobs->is_boolean()) {
    request.form.logprobs = logprobs->get<bool>() ? 0 : -1;
  } else {
    request.form.logprobs = fields.whole("logprobs", 0, kMostLogprobs).value_or(-1);
  }
  request.form.constraint = constraint_of(body, text, *model.formats, Thinking::Never);
  request.form.prompt_logprobs = request.echo && request.form.logprobs >= 0;
  for (const json* prompt : prompts_in(body)) {
    request.prompts.push_back(prompt_ids(*prompt, *model.text->tokenizer, true));
  }
  check_prompts(request, model);
  return request;
}

}  // namespace tessera
