// SPDX-License-Identifier: MIT
#include "core/checkpoint/model_tensors.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <set>

#include "core/checkpoint/internal.h"
#include "core/model/model.h"

namespace tessera {

namespace {
constexpr std::string_view kModel = "model.";
constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";
constexpr const char* kBias = "gate.e_score_correction_bias";

std::string layer_prefix(std::int64_t layer) {
  return "model.layers." + std::to_string(layer) + ".";
}

/// How the folder's names differ from the released ones: "language_model." before all of them, or
/// "language_model." behind "model.".
class Naming {
 public:
  explicit Naming(const WeightSource& source) {
    if (source.has(kEmbedding)) return;
    for (const std::string& name : source.folder().names()) {
      constexpr std::string_view kEnd = "embed_tokens.weight";
      if (!name.ends_with(kEnd) || name.find("layers.") != std::string::npos) continue;
      const std::string before = name.substr(0, name.size() - kEnd.size());
      if (before.ends_with("." + std::string(kModel))) {
        outer_ = before.substr(0, before.size() - kModel.size());
      } else if (before.starts_with(kModel) && before.size() > kModel.size()) {
        inner_ = before.substr(kModel.size());
      }
      return;
    }
  }

  std::string stored(const std::string& released) const {
    if (!inner_.empty() && released.starts_with(kModel)) {
      return std::string(kModel) + inner_ + released.substr(kModel.size());
    }
    return outer_ + released;
  }

  /// The released name; empty: the tensor is of another part.
  std::string released(const std::string& stored) const {
    if (!outer_.empty()) return stored.starts_with(outer_) ? stored.substr(outer_.size()) : "";
    if (inner_.empty() || !stored.starts_with(kModel)) return stored;
    const std::string rest = stored.substr(kModel.size());
    return rest.starts_with(inner_) ? std::string(kModel) + rest.substr(inner_.size()) : "";
  }

 private:
  std::string outer_, inner_;
};

/// N of "model.layers.N."; -1: another name.
std::int64_t layer_of(std::string_view released) {
  constexpr std::string_view kLayers = "model.layers.";
  std::int64_t layer = -1;
  if (!released.starts_with(kLayers)) return -1;
  std::from_chars(released.data() + kLayers.size(), released.data() + released.size(), layer);
  return layer;
}

std::int64_t mtp_layers_in(const HfConfig& config, const WeightSource& source,
                           const Naming& naming) {
  std::int64_t count = 0;
  while (source.has_prefix(naming.stored(layer_prefix(config.model.num_hidden_layers + count)))) {
    ++count;
  }
  return count;
}

/// Whether two tensors of one shape hold the same numbers, in whatever types.
bool equal_values(WeightSource& source, const std::string& a, const std::string& b) {
  const StoredTensor &first = source.folder().at(a), &second = source.folder().at(b);
  const std::vector<std::int64_t>& shape = first.shape;
  if (shape != second.shape || shape.size() != 2) return false;
  if (first.dtype == second.dtype && source.scales_name(a).empty() &&
      source.scales_name(b).empty()) {
    return std::equal(first.bytes.begin(), first.bytes.end(), second.bytes.begin());
  }
  const std::size_t row_bytes = static_cast<std::size_t>(shape[1]) * sizeof(float);
  const Buffer memory(std::max<std::size_t>(2 * row_bytes, 1));
  const Tensor rows = memory.view(DType::F32, {2, 1, shape[1]});
  for (std::int64_t row = 0; row < shape[0]; ++row) {
    source.read_part(a, row, 0, rows[0]);
    source.read_part(b, row, 0, rows[1]);
    if (std::memcmp(rows[0].raw(), rows[1].raw(), row_bytes) != 0) return false;
  }
  return true;
}

bool has_own_head(WeightSource& source, const Naming& naming) {
  const std::string head = naming.stored(kHead), embedding = naming.stored(kEmbedding);
  return source.has(head) && source.has(embedding) && !equal_values(source, head, embedding);
}

/// Why a stored tensor that the model has no place for is no mistake; null: it may be one; "": it
/// is as usual, and nothing to tell.
const char* harmless_kind(const std::string& released, const StoredTensor& tensor,
                          const HfConfig& config, MtpTensors mtp) {
  const std::int64_t layers = config.model.num_hidden_layers, layer = layer_of(released);
  if (released.empty()) return "of the model's other parts, such as one that reads pictures";
  if (tensor.numel() == 0) return "without elements";
  for (const char* end :
       {"rotary_emb.inv_freq", "rotary_emb.cos_cached", "rotary_emb.sin_cached"}) {
    if (released.ends_with(end)) return "of rotary tables, which follow from config.json";
  }
  for (const char* end : {".input_scale", ".activation_scale", ".output_scale", ".q_scale",
                          ".k_scale", ".v_scale", ".kv_scale", ".prob_scale"}) {
    if (released.ends_with(end)) return "of scales of activations, which are not rounded here";
  }
  if (layer >= layers && mtp == MtpTensors::PassOver) return "";
  if (layer > layers && mtp == MtpTensors::Repeated) return "of MTP layers behind the first one";
  return nullptr;
}

class Matcher {
 public:
  Matcher(const Model& model, const HfConfig& config, WeightSource& source, MtpTensors mtp)
      : model_(model), config_(config), source_(source), mtp_(mtp), naming_(source) {}

  ModelTensors run() {
    result_.notes = source_.folder().notes();
    for (const Parameter& parameter : model_.parameters().all()) place(parameter);
    if (mtp_ == MtpTensors::All) place_more_mtp();
    refuse_missing();
    pass_over_the_rest();
    return std::move(result_);
  }

 private:
  using Shape = std::vector<std::int64_t>;

  std::string where() const { return source_.folder().path().string(); }

  void place(const Parameter& parameter) {
    const bool split = parameter.parts.size() > 1;
    const bool whole = split && source_.has(naming_.stored(parameter.name)) &&
                       !source_.has(naming_.stored(parameter.parts[0].released_name));
    if (whole) check_shape(parameter.name, parameter.shape);
    for (const Parameter::Part& part : parameter.parts) {
      const Shape shape = checkpoint_internal::shape_of(part.value);
      if (whole) {
        use(parameter.name, part.released_name, shape, part.first / shape.back());
      } else {
        place_one(part.released_name, shape);
      }
    }
  }

  void place_one(const std::string& name, const Shape& shape) {
    if (source_.has(naming_.stored(name))) {
      check_shape(name, shape);
      use(name, name, shape, 0);
    } else if (name.ends_with(kBias) && config_.model.group_score == kernels::GroupScore::Max) {
      result_.places.push_back({name, shape, {}, 0});  // gates of DeepSeek-V2 have none
    } else {
      missing_.push_back(name);
    }
  }

  void use(const std::string& from, const std::string& name, const Shape& shape,
           std::int64_t first_row) {
    const std::string stored = naming_.stored(from);
    source_.mark_used(stored);
    source_.require_scales(stored);
    result_.places.push_back({name, shape, stored, first_row});
  }

  void check_shape(const std::string& name, const Shape& shape) const {
    const StoredTensor& stored = source_.folder().at(naming_.stored(name));
    if (stored.shape == shape) return;
    throw Error(where(),
                fmt::format("\"{}\" is {}, expected the shape ({})", stored.name, stored.describe(),
                            fmt::join(shape, ", ")),
                "config.json and the weights are of different models");
  }

  /// What released folders repeat for an MTP layer, and whole layers behind the first one.
  void place_more_mtp() {
    const std::int64_t layers = config_.model.num_hidden_layers;
    const std::string first = layer_prefix(layers);
    const std::vector<TensorPlace> main = result_.places;
    const Shape table{config_.model.vocab_size, config_.model.hidden_size};
    for (std::int64_t i = 0; i < config_.mtp_layers; ++i) {
      const std::string prefix = layer_prefix(layers + i);
      for (const TensorPlace& place : main) {
        if (i > 0 && place.name.starts_with(first)) {
          place_one(prefix + place.name.substr(first.size()), place.shape);
        }
      }
      for (const char* name : {"embed_tokens.weight", "shared_head.head.weight"}) {
        if (source_.has(naming_.stored(prefix + name))) place_one(prefix + name, table);
      }
    }
  }

  std::string hint_for_missing() const {
    const std::string& first = missing_.front();
    if (missing_.size() == 1 && first == kHead) {
      return "where the head is the embedding, config.json must say tie_word_embeddings true";
    }
    if (layer_of(first) >= config_.model.num_hidden_layers) {
      return "the MTP layer is incomplete: without it, num_nextn_predict_layers is 0";
    }
    const std::string nearest =
        checkpoint_internal::nearest_hint(naming_.stored(first), source_.unused());
    return nearest.empty() ? "fetch or copy all files of the folder" : nearest;
  }

  void refuse_missing() const {
    if (missing_.empty()) return;
    const std::string what =
        missing_.size() == 1
            ? fmt::format("holds no tensor \"{}\"", missing_.front())
            : fmt::format(
                  "lacks {} tensors of the model that config.json describes, such as "
                  "\"{}\"",
                  missing_.size(), missing_.front());
    throw Error(where(), what, hint_for_missing());
  }

  void pass_over_the_rest() {
    struct Kind {
      std::size_t count = 0;
      std::string example;
    };
    std::map<std::string, Kind> kinds;
    for (const std::string& name : source_.unused()) {
      const char* kind = kind_of(name);
      if (!kind) continue;
      source_.mark_used(name);
      if (*kind == '\0') continue;
      Kind& of_kind = kinds[kind];
      if (of_kind.count++ == 0) of_kind.example = name;
    }
    source_.require_all_used();
    for (const auto& [kind, found] : kinds) {
      result_.notes.push_back(fmt::format("passed over: {} tensor{} {}, such as \"{}\"",
                                          found.count, found.count == 1 ? "" : "s", kind,
                                          found.example));
    }
  }

  /// As harmless_kind(); "" also for what the model has elsewhere with the same numbers.
  const char* kind_of(const std::string& stored) {
    const std::string name = naming_.released(stored);
    const StoredTensor& tensor = source_.folder().at(stored);
    const std::string mtp = layer_prefix(config_.model.num_hidden_layers);
    const bool repeats = mtp_ == MtpTensors::Repeated;
    if (name == kHead && config_.model.tie_word_embeddings) return "";  // settled before: equal
    if (repeats && name == mtp + "embed_tokens.weight") return repeated(stored, kEmbedding);
    if (repeats && name == mtp + "shared_head.head.weight") {
      return repeated(stored, config_.model.tie_word_embeddings ? kEmbedding : kHead);
    }
    return harmless_kind(name, tensor, config_, mtp_);
  }

  const char* repeated(const std::string& stored, const char* of) {
    if (equal_values(source_, stored, naming_.stored(of))) return "";
    return "of the MTP layer that are not the model's own embedding and head, which it shares here";
  }

  const Model& model_;
  const HfConfig& config_;
  WeightSource& source_;
  MtpTensors mtp_;
  Naming naming_;
  ModelTensors result_;
  std::vector<std::string> missing_;
};
}  // namespace

ModelTensors match_tensors(const Model& model, const HfConfig& config, WeightSource& source,
                           MtpTensors mtp) {
  return Matcher(model, config, source, mtp).run();
}

void settle_config(HfConfig& config, WeightSource& source) {
  const Naming naming(source);
  config.mtp_layers = mtp_layers_in(config, source, naming);
  config.model.num_nextn_predict_layers = std::min<std::int64_t>(config.mtp_layers, 1);
  if (!config.model.tie_word_embeddings || !has_own_head(source, naming)) return;
  config.model.tie_word_embeddings = false;
  config.notes.push_back(
      "tie_word_embeddings is true in config.json, and the folder holds an lm_head.weight that is "
      "not the embedding: the stored head is used");
}

}  // namespace tessera
