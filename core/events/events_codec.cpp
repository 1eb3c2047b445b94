// SPDX-License-Identifier: MIT
// Events as CBOR payloads and as JSON. The fields of each event are listed once.
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/events/events.h"
#include "core/events/events_flat.h"

namespace tessera {

using nlohmann::json;
static_assert(std::endian::native == std::endian::little, "arrays of events.log are little endian");

namespace {

template <class V>
void fields(V& v, StateEvent& e) {
  v("state", e.state);
  v("reason", e.reason);
  v("rank", e.rank);
  v("ranks", e.ranks);
  v("ranks_ready", e.ranks_ready);
  v("step", e.step);
}
template <class V>
void fields(V& v, StepEvent& e) {
  v("step", e.step);
  v("tokens", e.tokens);
  v("stage", e.stage);
  v("sequence_length", e.sequence_length);
  v("batch_sequences", e.batch_sequences);
  v("loss", e.loss);
  v("mtp_loss", e.mtp_loss);
  v("balance_loss", e.balance_loss);
  v("learning_rate", e.learning_rate);
  v("grad_norm", e.grad_norm);
  v("clip", e.clip);
  v("seconds", e.seconds);
  v("tokens_per_second", e.tokens_per_second);
  v("mfu", e.mfu);
  v("memory_bytes", e.memory_bytes);
  v("bias_speed", e.bias_speed);
  v("mtp_lambda", e.mtp_lambda);
  v("max_vio", e.max_vio);
  v("exchange_bytes", e.exchange_bytes);
  v("ranks_per_token", e.ranks_per_token);
  v("rank_tokens", e.rank_tokens);
}
template <class V>
void fields(V& v, ExpertsEvent& e) {
  v("step", e.step);
  v("tokens", e.tokens);
  v("layers", e.layers);
  v("experts", e.experts);
  v("counts", e.counts);
  v("biases", e.biases);
}
template <class V>
void fields(V& v, ValidationEvent::Source& s) {
  v("name", s.name);
  v("loss", s.loss);
}
template <class V>
void fields(V& v, ValidationEvent& e) {
  v("step", e.step);
  v("tokens", e.tokens);
  v("loss", e.loss);
  v("sources", e.sources);
}
template <class V>
void fields(V& v, SampleEvent& e) {
  v("step", e.step);
  v("prompt", e.prompt);
  v("text", e.text);
}
template <class V>
void fields(V& v, CheckpointEvent& e) {
  v("step", e.step);
  v("tokens", e.tokens);
  v("path", e.path);
  v("bytes", e.bytes);
  v("seconds", e.seconds);
}
template <class V>
void fields(V& v, SpikeEvent& e) {
  v("step", e.step);
  v("loss", e.loss);
  v("usual", e.usual);
  v("spread", e.spread);
}
template <class V>
void fields(V& v, RollbackEvent& e) {
  v("from_step", e.from_step);
  v("to_step", e.to_step);
  v("skip_steps", e.skip_steps);
  v("checkpoint", e.checkpoint);
  v("reason", e.reason);
  v("number", e.number);
  v("most", e.most);
}
template <class V>
void fields(V& v, ResumeEvent& e) {
  v("step", e.step);
  v("tokens", e.tokens);
  v("checkpoint", e.checkpoint);
}
template <class V>
void fields(V& v, HeartbeatEvent& e) {
  v("pid", e.pid);
  v("host", e.host);
  v("boot_id", e.boot_id);
  v("state", e.state);
  v("step", e.step);
}
template <class V>
void fields(V& v, MessageEvent& e) {
  v("level", e.level);
  v("text", e.text);
  v("rank", e.rank);
}
template <class V>
void fields(V& v, PhaseEvent& e) {
  v("phase", e.phase);
  v("done", e.done);
  v("total", e.total);
  v("unit", e.unit);
}
template <class V>
void fields(V& v, RanksEvent& e) {
  v("step", e.step);
  v("steps", e.steps);
  v("seconds", e.seconds);
  v("work", e.work);
  v("memory_bytes", e.memory_bytes);
}
template <class V>
void fields(V&, UnknownEvent&) {}

constexpr const char* kKinds[] = {"state",      "step",  "experts",  "validation", "sample",
                                  "checkpoint", "spike", "rollback", "resume",     "heartbeat",
                                  "message",    "phase", "ranks"};
static_assert(std::size(kKinds) + 1 == std::variant_size_v<EventBody>, "one name for each event");

/// Puts fields into an object. Arrays become byte strings (CBOR) or lists (JSON).
template <class Json>
class FieldWriter {
 public:
  FieldWriter(Json& object, bool binary) : object_(object), binary_(binary) {}

  template <class T>
  void operator()(const char* name, const T& value) {
    object_[name] = value;
  }
  void operator()(const char* name, const RunState& state) { object_[name] = name_of(state); }
  void operator()(const char* name, const std::vector<float>& values) { array(name, values); }
  void operator()(const char* name, const std::vector<std::int64_t>& values) {
    array(name, values);
  }
  void operator()(const char* name, std::vector<ValidationEvent::Source>& sources) {
    Json& list = object_[name] = Json::array();
    for (ValidationEvent::Source& source : sources) {
      FieldWriter writer(list.emplace_back(Json::object()), binary_);
      fields(writer, source);
    }
  }

 private:
  template <class T>
  void array(const char* name, const std::vector<T>& values) {
    if (!binary_) {
      object_[name] = values;
      return;
    }
    std::vector<std::uint8_t> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    object_[name] = Json::binary(std::move(bytes));
  }

  Json& object_;
  bool binary_;
};

/// Takes fields out of an object; those that are missing keep their defaults.
class FieldReader {
 public:
  explicit FieldReader(const json& object) : object_(object) {}

  void operator()(const char* name, std::string& value) {
    if (const json* j = find(name)) {
      check(j->is_string(), name, "text");
      value = j->get_ref<const std::string&>();
    }
  }
  void operator()(const char* name, std::int64_t& value) {
    if (const json* j = find(name)) {
      check(j->is_number_integer(), name, "a whole number");
      value = j->get<std::int64_t>();
    }
  }
  void operator()(const char* name, int& value) {
    std::int64_t wide = value;
    (*this)(name, wide);
    check(wide == static_cast<int>(wide), name, "a small number");
    value = static_cast<int>(wide);
  }
  void operator()(const char* name, double& value) {
    if (const json* j = find(name)) value = number(*j, name);
  }
  void operator()(const char* name, RunState& state) {
    std::string word;
    (*this)(name, word);
    if (!word.empty()) state = run_state_from_name(word);
  }
  void operator()(const char* name, std::vector<float>& values) {
    array(name, values, [&](const json& j) { return static_cast<float>(number(j, name)); });
  }
  void operator()(const char* name, std::vector<std::int64_t>& values) {
    array(name, values, [&](const json& j) {
      check(j.is_number_integer(), name, "whole numbers");
      return j.get<std::int64_t>();
    });
  }
  void operator()(const char* name, std::vector<ValidationEvent::Source>& sources) {
    const json* list = find(name);
    if (!list) return;
    check(list->is_array(), name, "a list");
    for (const json& entry : *list) {
      check(entry.is_object(), name, "a list of objects");
      FieldReader reader(entry);
      fields(reader, sources.emplace_back());
    }
  }

 private:
  const json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  static void check(bool good, const char* name, const char* expected) {
    if (!good) throw Error("events", fmt::format("field {} is not {}", name, expected));
  }
  static double number(const json& j, const char* name) {
    if (j.is_null()) return kNotMeasured;
    check(j.is_number(), name, "a number");
    return j.get<double>();
  }
  template <class T, class Convert>
  static void copy_list(const json& list, std::vector<T>& values, const Convert& convert) {
    for (const json& entry : list) values.push_back(convert(entry));
  }
  template <class T, class Convert>
  void array(const char* name, std::vector<T>& values, const Convert& convert) {
    const json* j = find(name);
    if (!j) return;
    if (!j->is_binary()) {
      check(j->is_array(), name, "an array");
      return copy_list(*j, values, convert);
    }
    const auto& bytes = j->get_binary();
    check(bytes.size() % sizeof(T) == 0, name, "a whole number of values");
    values.resize(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  }

  const json& object_;
};

/// As FieldReader, from a map that is read in place.
class FlatFieldReader {
 public:
  explicit FlatFieldReader(events::FlatMap& map) : map_(map) {}
  using Type = events::FlatValue::Type;

  void operator()(const char* name, std::string& value) {
    if (const auto* v = find(name, Type::Text)) value = v->bytes;
  }
  void operator()(const char* name, std::int64_t& value) {
    if (const auto* v = find(name, Type::Integer)) value = v->integer;
  }
  void operator()(const char* name, int& value) {
    const auto* v = find(name, Type::Integer);
    if (!v) return;
    value = static_cast<int>(v->integer);
    if (value != v->integer) wrong(name);
  }
  void operator()(const char* name, double& value) {
    const auto* v = map_.find(name);
    if (!v) return;
    if (v->type == Type::Null) {
      value = kNotMeasured;
    } else if (v->type == Type::Integer) {
      value = static_cast<double>(v->integer);
    } else if (v->type == Type::Number) {
      value = v->number;
    } else {
      wrong(name);
    }
  }
  void operator()(const char* name, RunState& state) {
    if (const auto* v = find(name, Type::Text)) state = run_state_from_name(v->bytes);
  }
  void operator()(const char* name, std::vector<float>& values) { array(name, values); }
  void operator()(const char* name, std::vector<std::int64_t>& values) { array(name, values); }
  void operator()(const char* name, std::vector<ValidationEvent::Source>&) {
    if (map_.find(name)) wrong(name);  // a list: no flat map has one
  }

 private:
  [[noreturn]] static void wrong(const char* name) {
    throw Error("events", fmt::format("field {} has the wrong type", name));
  }
  const events::FlatValue* find(const char* name, Type type) {
    const auto* value = map_.find(name);
    if (value && value->type != type) wrong(name);
    return value;
  }
  template <class T>
  void array(const char* name, std::vector<T>& values) {
    const auto* v = find(name, Type::Bytes);
    if (!v) return;
    if (v->bytes.size() % sizeof(T) != 0) wrong(name);
    values.resize(v->bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), v->bytes.data(), v->bytes.size());
  }

  events::FlatMap& map_;
};

template <class Json>
Json to_object(double time, const EventBody& body, bool binary) {
  Json object = {{"t", time}, {"kind", kind_of(body)}};
  FieldWriter writer(object, binary);
  // The writer takes fields by reference and changes nothing.
  std::visit([&](const auto& e) { fields(writer, const_cast<std::decay_t<decltype(e)>&>(e)); },
             body);
  return object;
}

template <std::size_t I = 0, class Reader>
EventBody read_body(std::string_view kind, Reader& reader) {
  if constexpr (I == std::size(kKinds)) {
    return UnknownEvent{std::string(kind)};
  } else {
    if (kind != kKinds[I]) return read_body<I + 1>(kind, reader);
    std::variant_alternative_t<I, EventBody> event;
    fields(reader, event);
    return event;
  }
}

void check_shape(const ExpertsEvent& e) {
  const bool sound = e.layers >= 0 && e.experts >= 0;
  const auto size = static_cast<std::size_t>(e.layers) * static_cast<std::size_t>(e.experts);
  const bool matching = e.counts.size() == size && (e.biases.empty() || e.biases.size() == size);
  if (!sound || !matching) {
    throw Error("events", fmt::format("{} counts and {} biases are not {} layers of {} experts",
                                      e.counts.size(), e.biases.size(), e.layers, e.experts));
  }
}

Event event_from_object(std::uint64_t sequence, const json& object) {
  const auto kind = object.is_object() ? object.find("kind") : object.end();
  const auto time = object.is_object() ? object.find("t") : object.end();
  if (kind == object.end() || time == object.end() || !kind->is_string() || !time->is_number()) {
    throw Error("events", "an event lacks its kind or its time");
  }
  FieldReader reader(object);
  Event event{sequence, time->get<double>(),
              read_body(kind->get_ref<const std::string&>(), reader)};
  if (const auto* experts = std::get_if<ExpertsEvent>(&event.body)) check_shape(*experts);
  return event;
}

/// Builds a json value and gives up where it is nested too deeply for an event, before the parser's
/// recursion does harm.
class ShallowBuilder : public json::json_sax_t {
 public:
  json result;

  bool null() override { return add(nullptr); }
  bool boolean(bool v) override { return add(v); }
  bool number_integer(number_integer_t v) override { return add(v); }
  bool number_unsigned(number_unsigned_t v) override { return add(v); }
  bool number_float(number_float_t v, const string_t&) override { return add(v); }
  bool string(string_t& v) override { return add(std::move(v)); }
  bool binary(binary_t& v) override { return add(std::move(v)); }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool key(string_t& v) override {
    key_ = std::move(v);
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool add(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json value) {
    if (open_.size() == 4) return false;
    json* placed = place(std::move(value));
    open_.push_back(placed);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  json* place(json value) {
    if (open_.empty()) {
      result = std::move(value);
      return &result;
    }
    if (open_.back()->is_array()) return &open_.back()->emplace_back(std::move(value));
    return &((*open_.back())[key_] = std::move(value));
  }

  std::vector<json*> open_;
  std::string key_;
};

constexpr std::string_view kStates[] = {"draft",    "checking", "queued", "starting",
                                        "running",  "saving",   "paused", "stopping",
                                        "finished", "stopped",  "failed", "lost contact"};
}  // namespace

std::string_view name_of(RunState state) {
  return kStates[static_cast<std::size_t>(state)];
}

RunState run_state_from_name(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kStates); ++i) {
    if (kStates[i] == name) return static_cast<RunState>(i);
  }
  throw Error("events", fmt::format("unknown state \"{}\"", name.substr(0, 40)));
}

bool is_final(RunState state) {
  return state == RunState::Finished || state == RunState::Stopped || state == RunState::Failed;
}

std::string_view kind_of(const EventBody& body) {
  if (const auto* unknown = std::get_if<UnknownEvent>(&body)) return unknown->kind;
  return kKinds[body.index()];
}

json to_json(const Event& event) {
  json object = to_object<json>(event.time, event.body, false);
  object["seq"] = event.sequence;
  return object;
}

std::string to_json_line(const Event& event) {
  return to_json(event).dump(-1, ' ', false, json::error_handler_t::replace);
}

Event event_from_json(const json& object) {
  std::uint64_t sequence = 0;
  if (object.is_object() && object.contains("seq") && object["seq"].is_number_unsigned()) {
    sequence = object["seq"].get<std::uint64_t>();
  }
  return event_from_object(sequence, object);
}

std::string encode_payload(double time, const EventBody& body) {
  if (const auto* experts = std::get_if<ExpertsEvent>(&body)) check_shape(*experts);
  std::string payload;
  // In order, so that the kind stands at the front: see kind_of_payload().
  using Ordered = nlohmann::ordered_json;
  Ordered::to_cbor(to_object<Ordered>(time, body, true), payload);
  return payload;
}

std::string_view kind_of_payload(std::string_view payload) {
  constexpr std::string_view kKey = "\x64kind";  // a CBOR text of four bytes
  const auto at = payload.substr(0, 32).find(kKey);
  if (at == payload.npos) return {};
  const std::string_view rest = payload.substr(at + kKey.size());
  const std::size_t length = rest.empty() ? 0 : static_cast<unsigned char>(rest[0]) - 0x60u;
  return length < 24 && rest.size() > length ? rest.substr(1, length) : std::string_view();
}

namespace {
Event event_from_flat(std::uint64_t sequence, events::FlatMap& map) {
  Event event{.sequence = sequence, .time = kNotMeasured, .body = {}};
  FlatFieldReader reader(map);
  std::string kind;
  reader("t", event.time);
  reader("kind", kind);
  if (kind.empty() || !map.find("t")) {
    throw Error("events", "an event lacks its kind or its time");
  }
  event.body = read_body(kind, reader);
  if (const auto* experts = std::get_if<ExpertsEvent>(&event.body)) check_shape(*experts);
  return event;
}
}  // namespace

Event decode_payload(std::uint64_t sequence, std::string_view payload) {
  if (auto map = events::FlatMap::read(payload)) return event_from_flat(sequence, *map);
  ShallowBuilder builder;
  if (!json::sax_parse(payload.begin(), payload.end(), &builder, json::input_format_t::cbor)) {
    throw Error("events", fmt::format("the payload of event {} is not CBOR", sequence));
  }
  return event_from_object(sequence, builder.result);
}

}  // namespace tessera
