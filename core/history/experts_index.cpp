// SPDX-License-Identifier: MIT
#include "core/history/experts_index.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/events/events_flat.h"

namespace tessera {

namespace {
constexpr std::size_t kCacheBytes = 96u << 20;

std::size_t bytes_of(const ExpertsIndex::Experts& e) {
  return sizeof *e + e->counts.size() * sizeof e->counts[0] +
         e->biases.size() * sizeof e->biases[0];
}
}  // namespace

ExpertsIndex::ExpertsIndex(std::filesystem::path log) : reader_(std::move(log)) {
  reader_.set_kinds({"experts"});
}

Event ExpertsIndex::head_of(std::uint64_t sequence, std::string_view payload) {
  auto map = events::FlatMap::read(payload);
  if (!map) {
    Event whole = decode_payload(sequence, payload);
    auto* e = std::get_if<ExpertsEvent>(&whole.body);
    if (!e) throw Error("events.log", "an event of experts was expected");
    e->counts.clear();
    e->biases.clear();
    return whole;
  }
  Event event;
  event.sequence = sequence;
  const auto integer = [&map](std::string_view name) -> std::int64_t {
    const events::FlatValue* value = map->find(name);
    return value && value->type == events::FlatValue::Type::Integer ? value->integer : 0;
  };
  if (const auto* t = map->find("t"); t && t->type == events::FlatValue::Type::Number) {
    event.time = t->number;
  }
  ExpertsEvent e;
  e.step = integer("step");
  e.tokens = integer("tokens");
  e.layers = static_cast<int>(integer("layers"));
  e.experts = static_cast<int>(integer("experts"));
  event.body = std::move(e);
  return event;
}

void ExpertsIndex::add(std::int64_t step, std::uint64_t offset) {
  truncate_after(step - 1);
  places_.push_back({step, offset});
}

void ExpertsIndex::truncate_after(std::int64_t step) {
  while (!places_.empty() && places_.back().step > step) {
    forget(places_.back().offset);
    places_.pop_back();
  }
}

void ExpertsIndex::clear() {
  places_.clear();
  cache_.clear();
  cache_bytes_ = 0;
}

/// What is kept of the event at a place, which is then the last to be forgotten; null: nothing.
ExpertsIndex::Experts ExpertsIndex::kept(std::uint64_t offset) {
  const auto found = std::find_if(cache_.begin(), cache_.end(),
                                  [offset](const Kept& k) { return k.offset == offset; });
  if (found == cache_.end()) return nullptr;
  cache_.splice(cache_.begin(), cache_, found);
  return cache_.front().experts;
}

void ExpertsIndex::keep(std::uint64_t offset, Experts experts) {
  const std::size_t bytes = bytes_of(experts);
  if (bytes > kCacheBytes) return;
  cache_.push_front({offset, std::move(experts)});
  cache_bytes_ += bytes;
  while (cache_bytes_ > kCacheBytes) forget(cache_.back().offset);
}

void ExpertsIndex::forget(std::uint64_t offset) {
  if (!kept(offset)) return;
  cache_bytes_ -= bytes_of(cache_.front().experts);
  cache_.pop_front();
}

const ExpertsIndex::Place* ExpertsIndex::find(std::int64_t step) const {
  if (places_.empty()) return nullptr;
  if (step < 0) return &places_.back();
  const auto after = std::upper_bound(places_.begin(), places_.end(), step,
                                      [](std::int64_t s, const Place& p) { return s < p.step; });
  return after == places_.begin() ? nullptr : &*(after - 1);
}

ExpertsIndex::Experts ExpertsIndex::read(const Place& place) {
  reader_.seek_offset(place.offset);
  std::vector<Event> events = reader_.poll(1);
  if (events.empty()) return nullptr;
  auto* e = std::get_if<ExpertsEvent>(&events.front().body);
  const auto values = e ? static_cast<std::size_t>(e->layers) * static_cast<std::size_t>(e->experts)
                        : std::size_t{0};
  // Past a damaged place the reader finds a later event.
  if (!e || e->step != place.step || e->counts.size() != values || e->biases.size() != values) {
    return nullptr;
  }
  return std::make_shared<const ExpertsEvent>(std::move(*e));
}

ExpertsIndex::Experts ExpertsIndex::at(std::int64_t step) {
  const Place* place = find(step);
  if (!place) return nullptr;
  if (Experts known = kept(place->offset)) return known;
  Experts experts = read(*place);
  if (experts) keep(place->offset, experts);
  return experts;
}

std::vector<std::int64_t> ExpertsIndex::spread(std::int64_t from, std::int64_t to, int most) const {
  const auto by_step = [](const Place& p, std::int64_t s) { return p.step < s; };
  const auto first = std::lower_bound(places_.begin(), places_.end(), from, by_step);
  const auto last = std::lower_bound(first, places_.end(), to + 1, by_step);
  const auto count = last - first, wanted = std::min<std::ptrdiff_t>(count, std::max(most, 0));
  std::vector<std::int64_t> steps;
  for (std::ptrdiff_t i = 0; i < wanted; ++i) {
    const auto index = wanted == 1 ? count - 1 : i * (count - 1) / (wanted - 1);
    steps.push_back((first + index)->step);
  }
  return steps;
}

std::optional<ExpertsEvent> ExpertsIndex::layer_at(std::int64_t step, int layer) {
  const Place* place = find(step);
  if (!place || place->step != step) return {};
  // A fan passes over hundreds of events: it must not push what is scrubbed out of the cache.
  const Experts known = kept(place->offset);
  const Experts whole = known ? known : read(*place);
  if (!whole || layer < 0 || layer >= whole->layers) return {};
  ExpertsEvent one;
  one.step = whole->step;
  one.tokens = whole->tokens;
  one.layers = 1;
  one.experts = whole->experts;
  const auto begin = static_cast<std::ptrdiff_t>(layer) * whole->experts;
  const auto end = begin + whole->experts;
  one.counts.assign(whole->counts.begin() + begin, whole->counts.begin() + end);
  one.biases.assign(whole->biases.begin() + begin, whole->biases.begin() + end);
  return one;
}

}  // namespace tessera
