// SPDX-License-Identifier: MIT
// Every key of a run spec, once. Order here is order in written files and forms; tables and lists
// come after the plain keys of their table, as TOML wants it.
#include "core/spec/spec_table.h"

#include <algorithm>
#include <type_traits>

namespace tessera::spec {

namespace {

constexpr double kMostSteps = 1e12, kMostTokens = 1e17, kMostSize = 1 << 20;

/// A key under construction; the calls chain.
struct K : Key {
  K& in(std::string u) { return unit = std::move(u), *this; }
  K& about(std::string t) { return term = std::move(t), *this; }
  K& from(double a) { return least = a, *this; }
  K& above(double a) { return least = a, above_least = true, *this; }
  K& to(double b) { return most = b, *this; }
  K& shown() { return basic = true, *this; }
};

template <class Object, class Member>
Member& member_of(void* object, Member Object::*m) {
  return static_cast<Object*>(object)->*m;
}
template <class Object, class Member>
const Member& member_of(const void* object, Member Object::*m) {
  return static_cast<const Object*>(object)->*m;
}

template <class Object, class Member>
K plain(KeyType type, const char* name, Member Object::*m, const char* help) {
  K k;
  k.name = name;
  k.type = type;
  k.help = help;
  k.get = [m](const void* o) { return Value(member_of(o, m)); };
  k.set = [m](void* o, const Value& v) { member_of(o, m) = std::get<Member>(v); };
  return k;
}

template <class Object>
K key(const char* name, bool Object::*m, const char* help) {
  return plain(KeyType::Bool, name, m, help);
}
template <class Object>
K key(const char* name, std::int64_t Object::*m, const char* help) {
  return plain(KeyType::Integer, name, m, help).from(0).to(kMostSize);
}
template <class Object>
K key(const char* name, double Object::*m, const char* help) {
  return plain(KeyType::Number, name, m, help).from(0);
}
template <class Object>
K key(const char* name, std::string Object::*m, const char* help) {
  return plain(KeyType::Text, name, m, help);
}
template <class Object>
K key(const char* name, std::vector<std::string> Object::*m, const char* help) {
  return plain(KeyType::TextList, name, m, help);
}
template <class Object>
K key(const char* name, Mixture Object::*m, const char* help) {
  K k = plain(KeyType::Weights, name, m, help).from(0);
  k.set = [m](void* o, const Value& v) {
    Mixture sorted = std::get<Mixture>(v);
    std::sort(sorted.begin(), sorted.end());
    member_of(o, m) = std::move(sorted);
  };
  return k;
}
template <class Object>
K key(const char* name, std::optional<double> Object::*m, const char* help) {
  K k;
  k.name = name;
  k.type = KeyType::Number;
  k.help = help;
  k.optional = true;
  k.get = [m](const void* o) {
    const auto& number = member_of(o, m);
    return number ? Value(*number) : Value();
  };
  k.set = [m](void* o, const Value& v) {
    auto& number = member_of(o, m);
    number.reset();
    if (const double* d = std::get_if<double>(&v)) number = *d;
  };
  return k.from(0);
}

template <class Object>
K path(const char* name, std::string Object::*m, const char* help) {
  K k = key(name, m, help);
  k.type = KeyType::Path;
  return k;
}
template <class Object>
K paths(const char* name, std::vector<std::string> Object::*m, const char* help) {
  K k = key(name, m, help);
  k.type = KeyType::PathList;
  return k;
}

template <class Object, class Enum>
K choice(const char* name, Enum Object::*m, const char* help,
         std::vector<std::pair<std::string, std::type_identity_t<Enum>>> words) {
  K k;
  k.name = name;
  k.type = KeyType::Choice;
  k.help = help;
  for (const auto& word : words) k.choices.push_back(word.first);
  k.get = [m, words](const void* o) {
    for (const auto& [word, value] : words) {
      if (member_of(o, m) == value) return Value(word);
    }
    return Value(words.front().first);
  };
  k.set = [m, words](void* o, const Value& v) {
    for (const auto& [word, value] : words) {
      if (std::get<std::string>(v) == word) member_of(o, m) = value;
    }
  };
  return k;
}

template <class Object, class Member>
K table(const char* name, Member Object::*m, const char* help, const Schema& child) {
  K k;
  k.name = name;
  k.type = KeyType::Table;
  k.help = help;
  k.child = &child;
  k.table = [m](void* o) -> void* { return &member_of(o, m); };
  return k;
}

template <class Object, class Element>
K list(const char* name, std::vector<Element> Object::*m, const char* help, const Schema& child) {
  K k;
  k.name = name;
  k.type = KeyType::List;
  k.help = help;
  k.child = &child;
  k.count = [m](const void* o) { return member_of(o, m).size(); };
  k.resize = [m](void* o, std::size_t n) { member_of(o, m).resize(n); };
  k.element = [m](void* o, std::size_t i) -> void* { return &member_of(o, m).at(i); };
  return k;
}

template <class Object>
Schema schema(std::vector<Key> keys) {
  Schema s;
  s.keys = std::move(keys);
  s.default_of = [](const Key& k) {
    const Object defaults{};
    return k.get(&defaults);
  };
  return s;
}

const Schema& run_schema() {
  using T = RunSpec::Run;
  static const Schema s = schema<T>({
      key("name", &T::name, "begins the name of the run folder").shown(),
      key("preset", &T::preset, "the preset the spec started from; changes nothing"),
      key("seed", &T::seed, "where random numbers begin: initial weights, order of data, samples")
          .to(9e15)
          .about("seed")
          .shown(),
      key("tags", &T::tags, "words to find the run by").shown(),
      key("notes", &T::notes, "free text"),
  });
  return s;
}

const Schema& yarn_schema() {
  using T = YarnConfig;
  static const Schema s = schema<T>({
      key("factor", &T::factor, "how much longer the context becomes; 1 is off")
          .from(1)
          .to(4096)
          .about("yarn"),
      key("original_length", &T::original_length, "sequence length before the extension")
          .in("tokens")
          .from(1)
          .to(1 << 24),
      key("beta_fast", &T::beta_fast,
          "rotations over the original length above which nothing changes")
          .above(0),
      key("beta_slow", &T::beta_slow, "rotations below which positions are interpolated").above(0),
      key("mscale", &T::mscale, "scales the magnitude of the rotary part"),
      key("mscale_all_dim", &T::mscale_all_dim, "scales the softmax; 0 leaves it as it is"),
  });
  return s;
}

std::vector<Key> attention_keys() {
  using T = ModelConfig;
  return {
      key("num_attention_heads", &T::num_attention_heads, "attention heads")
          .from(1)
          .to(65536)
          .about("attention-head")
          .shown(),
      key("q_lora_rank", &T::q_lora_rank, "size of the query latent; 0 is none").about("mla"),
      key("kv_lora_rank", &T::kv_lora_rank,
          "size of the key and value latent, which the cache holds per token and layer")
          .from(1)
          .about("mla")
          .shown(),
      key("qk_nope_head_dim", &T::qk_nope_head_dim, "per head, the part of keys without position")
          .from(1)
          .about("mla"),
      key("qk_rope_head_dim", &T::qk_rope_head_dim, "the rotary part of keys; even")
          .from(2)
          .about("rope"),
      key("v_head_dim", &T::v_head_dim, "per head, the size of values").from(1).about("mla"),
      key("rope_theta", &T::rope_theta, "base of the rotary frequencies").above(0).about("rope"),
  };
}

std::vector<Key> expert_keys() {
  using T = ModelConfig;
  using kernels::GroupScore;
  using kernels::Scoring;
  return {
      key("first_k_dense_replace", &T::first_k_dense_replace,
          "how many of the first layers are dense")
          .in("layers")
          .about("dense-layer"),
      key("intermediate_size", &T::intermediate_size, "width of a dense feed-forward")
          .to(1 << 24)
          .about("swiglu"),
      key("moe_intermediate_size", &T::moe_intermediate_size, "width of one expert")
          .from(1)
          .to(1 << 24)
          .about("expert")
          .shown(),
      key("n_routed_experts", &T::n_routed_experts, "routed experts of a layer; 0 is a dense model")
          .to(65536)
          .about("expert")
          .shown(),
      key("n_shared_experts", &T::n_shared_experts, "experts that every token passes")
          .to(1024)
          .about("shared-expert"),
      key("num_experts_per_tok", &T::num_experts_per_tok, "routed experts of one token")
          .from(1)
          .to(1024)
          .about("top-k")
          .shown(),
      key("n_group", &T::n_group, "groups the experts are split into")
          .from(1)
          .to(65536)
          .about("group-limit"),
      key("topk_group", &T::topk_group, "groups that one token may choose from")
          .from(1)
          .to(65536)
          .about("group-limit"),
      choice("scoring_func", &T::scoring_func, "affinity of a token to an expert",
             {{"sigmoid", Scoring::Sigmoid}, {"softmax", Scoring::Softmax}})
          .about("gate"),
      choice("group_score", &T::group_score, "how a group is rated",
             {{"top2_sum", GroupScore::TopTwoSum}, {"max", GroupScore::Max}})
          .about("group-limit"),
      key("norm_topk_prob", &T::norm_topk_prob, "the weights of a token's experts sum to one")
          .about("gate"),
      key("routed_scaling_factor", &T::routed_scaling_factor,
          "factor on the sum of the routed experts")
          .above(0)
          .about("gate"),
      key("transformers_group_masking", &T::transformers_group_masking,
          "dropped groups score 0 instead of minus infinity, as the transformers library has it"),
  };
}

const Schema& model_schema() {
  using T = ModelConfig;
  static const Schema s = [] {
    std::vector<Key> keys = {
        key("vocab_size", &T::vocab_size, "rows of the token table")
            .from(2)
            .to(1 << 24)
            .about("vocabulary")
            .shown(),
        key("hidden_size", &T::hidden_size, "width of the residual stream")
            .from(1)
            .about("hidden-size")
            .shown(),
        key("num_hidden_layers", &T::num_hidden_layers, "blocks, without the MTP module")
            .from(1)
            .to(4096)
            .in("layers")
            .about("layer")
            .shown(),
        key("max_position_embeddings", &T::max_position_embeddings, "longest sequence without YaRN")
            .in("tokens")
            .from(1)
            .to(1 << 24)
            .about("context-length"),
    };
    for (Key& k : attention_keys()) keys.push_back(std::move(k));
    for (Key& k : expert_keys()) keys.push_back(std::move(k));
    keys.push_back(key("num_nextn_predict_layers", &T::num_nextn_predict_layers,
                       "multi-token prediction modules: 0 or 1")
                       .to(1)
                       .about("mtp"));
    keys.push_back(key("rms_norm_eps", &T::rms_norm_eps, "added to the mean square in RMSNorm")
                       .above(0)
                       .to(1));
    keys.push_back(
        key("initializer_range", &T::initializer_range, "standard deviation of initial weights")
            .to(10));
    keys.push_back(
        key("tie_word_embeddings", &T::tie_word_embeddings, "the output head is the token table")
            .about("tied-embeddings"));
    keys.push_back(table("yarn", &T::yarn, "Length extension of the model itself", yarn_schema()));
    return schema<T>(std::move(keys));
  }();
  return s;
}

const Schema& tokenizer_schema() {
  using T = RunSpec::Tokenizer;
  static const Schema s = schema<T>({
      path("path", &T::path, "a SentencePiece model; empty trains one from the data"),
      choice("kind", &T::kind, "how a tokenizer that is trained here cuts text",
             {{"unigram", TokenizerKind::Unigram}, {"bpe", TokenizerKind::Bpe}})
          .about("tokenizer"),
      key("vocab_size", &T::vocab_size, "pieces of a trained tokenizer")
          .from(2)
          .to(1 << 24)
          .about("vocabulary"),
      key("byte_fallback", &T::byte_fallback, "unknown characters become bytes")
          .about("byte-fallback"),
      key("training_bytes", &T::training_bytes, "how much text a tokenizer is trained from at most")
          .in("bytes")
          .from(1)
          .to(1e12),
  });
  return s;
}

const Schema& filters_schema() {
  using T = DataFilters;
  const auto share = [](const char* name, std::optional<double> T::*m, const char* help) {
    return key(name, m, help).to(1);
  };
  static const Schema s = schema<T>({
      key("on", &T::on,
          "leaves out poor and repeated documents; off: every document that can be read is kept")
          .about("data-filter"),
      key("deduplicate", &T::deduplicate, "only the first of equal documents is kept")
          .about("deduplication"),
      key("deduplicate_near", &T::deduplicate_near,
          "only the first of nearly equal documents is kept")
          .about("deduplication"),
      key("min_characters", &T::min_characters, "shortest document; absent is the domain's own"),
      key("max_characters", &T::max_characters, "longest document; 0 is any"),
      share("min_letters", &T::min_letters, "smallest share of letters among visible characters"),
      share("max_symbols", &T::max_symbols,
            "largest share of signs that are neither letters, digits nor space"),
      key("max_mean_word", &T::max_mean_word, "largest mean length of words").in("characters"),
      share("max_repeated_lines", &T::max_repeated_lines, "largest share of repeated lines"),
      share("max_repeated_phrases", &T::max_repeated_phrases,
            "largest share of words in repeated phrases"),
  });
  return s;
}

K domain_key() {
  K k = key("domain", &DataSource::domain, "kind of text; the filters depend on it");
  k.type = KeyType::Choice;
  k.choices = {"web", "code", "mathematics", "multilingual"};
  return k.about("mixture");
}

const Schema& source_schema() {
  using T = DataSource;
  static const Schema s = schema<T>({
      key("name", &T::name, "unique; letters, digits, - and _").shown(),
      domain_key(),
      paths("paths", &T::paths, "files, folders and patterns: text, JSON, gzip, zstd").shown(),
      key("weight", &T::weight, "share of the tokens, relative to the other sources")
          .to(1e9)
          .about("mixture")
          .shown(),
      key("text_field", &T::text_field, "field of JSON objects that holds the text"),
  });
  return s;
}

const Schema& data_schema() {
  using T = RunSpec::Data;
  static const Schema s = schema<T>({
      path("shards", &T::shards, "folder of token shards; empty is the run's own"),
      key("held_out_fraction", &T::held_out_fraction,
          "share of the documents of each source that is kept for validation")
          .to(0.5),
      key("fim_rate", &T::fim_rate,
          "share of documents that are rearranged for fill-in-the-middle (PSM)")
          .to(1)
          .about("fim"),
      key("packing", &T::packing,
          "sequences are filled with several documents; false: one each, cut at its length")
          .about("packing"),
      key("document_mask", &T::document_mask, "packed documents do not attend to each other")
          .about("packing"),
      table("filters", &T::filters, "Which documents are kept", filters_schema()),
      list("sources", &T::sources, "Where the text comes from", source_schema()),
  });
  return s;
}

const Schema& piece_schema() {
  using T = RatePiece;
  static const Schema s = schema<T>({
      choice("kind", &T::kind, "shape of the piece",
             {{"warmup", RateKind::Warmup},
              {"constant", RateKind::Constant},
              {"cosine", RateKind::Cosine}})
          .about("learning-rate"),
      key("tokens", &T::tokens, "length; 0 with steps 0 is the rest of the stage")
          .in("tokens")
          .to(kMostTokens),
      key("steps", &T::steps, "length; 0 with tokens 0 is the rest of the stage")
          .in("steps")
          .to(kMostSteps),
      key("from", &T::from, "rate at its start; absent is where the piece before ended").to(10),
      key("to", &T::to, "rate at its end").to(10),
  });
  return s;
}

K learning_rate_key() {
  using T = CurriculumStage;
  K k = list("learning_rate", &T::learning_rate, "pieces, one after another; or one number",
             piece_schema());
  k.written_inline = true;
  k.from_number = [](void* object, double rate) {
    static_cast<T*>(object)->learning_rate = {RatePiece{.to = rate}};
  };
  return k.about("learning-rate").shown();
}

const Schema& stage_schema() {
  using T = CurriculumStage;
  static const Schema s = schema<T>({
      key("name", &T::name, "name of the stage").shown(),
      key("tokens", &T::tokens, "length in tokens; or give steps")
          .in("tokens")
          .to(kMostTokens)
          .shown(),
      key("steps", &T::steps, "length in steps; or give tokens").in("steps").to(kMostSteps).shown(),
      key("sequence_length", &T::sequence_length, "tokens of one sequence")
          .in("tokens")
          .from(1)
          .to(1 << 24)
          .about("sequence-length")
          .shown(),
      key("batch_sequences", &T::batch_sequences, "sequences of one step")
          .in("sequences")
          .from(1)
          .about("batch")
          .shown(),
      key("batch_ramp_from", &T::batch_ramp_from, "sequences at the start of a ramp; 0 is no ramp")
          .in("sequences")
          .about("batch-ramp"),
      key("batch_ramp_tokens", &T::batch_ramp_tokens, "tokens until the ramp is over")
          .in("tokens")
          .to(kMostTokens)
          .about("batch-ramp"),
      learning_rate_key(),
      key("bias_speed", &T::bias_speed,
          "how far the experts' selection biases move in a step; 0 holds them")
          .to(10)
          .about("loss-free-balance"),
      choice("bias_rule", &T::bias_rule, "how the biases move",
             {{"sign", BiasRule::Sign}, {"utilisation", BiasRule::Utilisation}})
          .about("loss-free-balance"),
      key("mtp_lambda", &T::mtp_lambda, "weight of the multi-token prediction loss")
          .to(100)
          .about("mtp"),
      key("balance_alpha", &T::balance_alpha, "weight of the sequence-wise balance loss; 0 is off")
          .to(100)
          .about("balance-loss"),
      key("yarn_factor", &T::yarn_factor, "length extension of the stage; absent is the model's")
          .from(1)
          .to(4096)
          .about("yarn"),
      key("yarn_original_length", &T::yarn_original_length,
          "sequence length before the extension; 0 is the model's")
          .in("tokens")
          .to(1 << 24)
          .about("yarn"),
      key("mixture", &T::mixture, "weights by source for this stage; empty is the sources' own")
          .to(1e9)
          .about("mixture"),
  });
  return s;
}

const Schema& optimiser_schema() {
  using T = RunSpec::Optimiser;
  static const Schema s = schema<T>({
      key("beta1", &T::beta1, "decay of the first moment").to(0.999999).about("adamw"),
      key("beta2", &T::beta2, "decay of the second moment").to(0.999999).about("adamw"),
      key("epsilon", &T::epsilon, "added to the root of the second moment")
          .above(0)
          .to(1)
          .about("adamw"),
      key("weight_decay", &T::weight_decay, "how fast weights shrink; norms and biases do not")
          .to(10)
          .about("weight-decay"),
      key("clip", &T::clip, "largest norm of the gradient; 0 is off").to(1e9).about("clip"),
      choice("moments", &T::moments, "how the moments are stored",
             {{"f32", DType::F32}, {"bf16", DType::BF16}})
          .about("adamw"),
  });
  return s;
}

const Schema& precision_schema() {
  using T = RunSpec::Precision;
  static const Schema s = schema<T>({
      choice("recipe", &T::recipe, "number formats of the products of a layer",
             {{"fp32", PrecisionRecipe::Fp32},
              {"bf16", PrecisionRecipe::Bf16},
              {"tensorwise", PrecisionRecipe::Tensorwise},
              {"blockwise", PrecisionRecipe::Blockwise}})
          .about("precision")
          .shown(),
  });
  return s;
}

/// Words for the members of a Recompute.
K recompute_key() {
  using T = RunSpec::Parallel;
  K k;
  k.name = "recompute";
  k.type = KeyType::TextList;
  k.help = "what backward makes again instead of keeping it: less memory, more work, same result";
  k.choices = recompute_words();
  k.get = [](const void* o) { return Value(words_of(member_of(o, &T::recompute))); };
  k.set = [](void* o, const Value& v) {
    member_of(o, &T::recompute) = recompute_of(std::get<std::vector<std::string>>(v));
  };
  return k.about("recomputation");
}

const Schema& parallel_schema() {
  using T = RunSpec::Parallel;
  static const Schema s = schema<T>({
      key("data", &T::data, "replicas that share each batch")
          .in("ranks")
          .from(1)
          .about("data-parallel"),
      key("pipeline", &T::pipeline, "parts the layers are split into")
          .in("ranks")
          .from(1)
          .about("pipeline-parallel"),
      key("expert", &T::expert, "ranks that the experts of a layer are spread over")
          .in("ranks")
          .from(1)
          .about("expert-parallel"),
      key("context", &T::context, "ranks that share each sequence")
          .in("ranks")
          .from(1)
          .about("context-parallel"),
      key("micro_batch_sequences", &T::micro_batch_sequences,
          "sequences of one forward and backward")
          .in("sequences")
          .from(1)
          .about("micro-batch"),
      recompute_key(),
      choice("sums", &T::sums,
             "order of adding up: the quickest one, or one that is the same on any number of ranks",
             {{"quick", SumOrder::Quick}, {"canonical", SumOrder::Canonical}}),
      key("zero", &T::zero, "1: replicas share out the moments of the optimiser; 0: each has all")
          .to(1)
          .about("zero"),
      choice("schedule", &T::schedule, "order of forwards and backwards in a pipeline",
             {{"1f1b", PipelineSchedule::OneForwardOneBackward},
              {"interleaved", PipelineSchedule::Interleaved},
              {"zb1p", PipelineSchedule::ZeroBubble},
              {"dualpipe", PipelineSchedule::DualPipe},
              {"dualpipev", PipelineSchedule::DualPipeV}})
          .about("pipeline-schedule"),
      key("stages_per_rank", &T::stages_per_rank,
          "parts of the model on each rank of an interleaved pipeline")
          .from(2)
          .about("pipeline-schedule"),
  });
  return s;
}

const Schema& checkpoint_schema() {
  using T = RunSpec::Checkpoint;
  static const Schema s = schema<T>({
      path("start_from", &T::start_from,
           "checkpoint whose weights the run begins with; empty is random"),
      key("every_steps", &T::every_steps, "steps between checkpoints; 0 is none on the way")
          .in("steps")
          .to(kMostSteps)
          .about("checkpoint")
          .shown(),
      key("keep", &T::keep, "newest checkpoints that are kept; 0 is all"),
      key("on_finish", &T::on_finish, "a checkpoint is written at the end"),
  });
  return s;
}

const Schema& validation_schema() {
  using T = RunSpec::Validation;
  static const Schema s = schema<T>({
      key("every_steps", &T::every_steps, "steps between validations; 0 is none")
          .in("steps")
          .to(kMostSteps)
          .about("validation-loss")
          .shown(),
      key("sequences", &T::sequences, "held-out sequences of each source").from(1).in("sequences"),
  });
  return s;
}

const Schema& samples_schema() {
  using T = RunSpec::Samples;
  static const Schema s = schema<T>({
      key("every_steps", &T::every_steps, "steps between samples; 0 is none")
          .in("steps")
          .to(kMostSteps),
      key("prompts", &T::prompts, "beginnings that are continued"),
      key("tokens", &T::tokens, "how many tokens one sample has at most").in("tokens").from(1),
      key("temperature", &T::temperature, "how boldly tokens are drawn; 0 takes the likeliest")
          .to(100)
          .about("temperature"),
  });
  return s;
}

const Schema& events_schema() {
  using T = RunSpec::Events;
  static const Schema s = schema<T>({
      key("steps_every", &T::steps_every, "steps between logged steps").from(1).in("steps"),
      key("experts_every", &T::experts_every, "steps between logged loads and biases; 0 is none")
          .in("steps"),
  });
  return s;
}

const Schema& stability_schema() {
  using T = RunSpec::Stability;
  static const Schema s = schema<T>({
      key("spike_window", &T::spike_window, "steps that the usual loss is taken from; 0 is off")
          .in("steps")
          .about("loss-spike"),
      key("spike_factor", &T::spike_factor,
          "a loss this many spreads above the usual one is a spike")
          .above(0)
          .to(1e9)
          .about("loss-spike"),
      key("rollback", &T::rollback, "after a spike the run goes back to its newest checkpoint")
          .about("rollback"),
      key("skip_steps", &T::skip_steps, "batches left out after a rollback").in("steps"),
      key("max_rollbacks", &T::max_rollbacks, "rollbacks to one checkpoint; then the run fails")
          .from(1)
          .about("rollback"),
  });
  return s;
}

const Schema& host_schema() {
  using T = RunSpec::Host;
  static const Schema s = schema<T>({
      choice("kind", &T::kind, "where it runs",
             {{"local", HostKind::Local}, {"ssh", HostKind::Ssh}, {"slurm", HostKind::Slurm}})
          .shown(),
      key("address", &T::address, "alias of ssh, or partition of Slurm"),
      key("threads", &T::threads, "processor threads; 0 is every core").to(4096).in("threads"),
      choice("device", &T::device, "what computes: the processor or a GPU",
             {{"cpu", Device::Cpu}, {"cuda", Device::Cuda}})
          .shown(),
      key("hang_limit_s", &T::hang_limit_s,
          "how long ranks wait for one that does not come; 0 is without end")
          .in("seconds")
          .to(1e6),
      key("restart", &T::restart,
          "how often a run on several ranks goes on from its newest checkpoint after a fault")
          .in("times")
          .to(1e6),
      key("cuda_graphs", &T::cuda_graphs,
          "on a GPU, micro-batches of equal shape are launched as one"),
  });
  return s;
}

}  // namespace

const Schema& root() {
  using T = RunSpec;
  static const Schema s = schema<T>({
      table("run", &T::run, "The run", run_schema()),
      table("model", &T::model, "The model; names as in a released config.json", model_schema()),
      table("tokenizer", &T::tokenizer, "The tokenizer", tokenizer_schema()),
      table("data", &T::data, "The text and its mixture", data_schema()),
      list("curriculum", &T::curriculum, "A stage of the curriculum", stage_schema()),
      table("optimiser", &T::optimiser, "AdamW", optimiser_schema()),
      table("precision", &T::precision, "Number formats", precision_schema()),
      table("parallel", &T::parallel, "How the run is spread over ranks", parallel_schema()),
      table("checkpoint", &T::checkpoint, "Checkpoints", checkpoint_schema()),
      table("validation", &T::validation, "Loss on held-out text", validation_schema()),
      table("samples", &T::samples, "Text written on the way", samples_schema()),
      table("events", &T::events, "What is logged how often", events_schema()),
      table("stability", &T::stability, "Loss spikes", stability_schema()),
      table("host", &T::host, "The machine", host_schema()),
  });
  return s;
}

}  // namespace tessera::spec
