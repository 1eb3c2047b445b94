// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/experts_index.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/events/events_flat.h"

namespace tessera::ui {

namespace {
constexpr qsizetype kCacheBytes = 96 << 20;

qsizetype bytesOf(const ExpertsEvent& e) {
  return static_cast<qsizetype>(sizeof e + e.counts.size() * sizeof e.counts[0] +
                                e.biases.size() * sizeof e.biases[0]);
}
}  // namespace

ExpertsIndex::ExpertsIndex(std::filesystem::path log) : m_reader(std::move(log)) {
  m_reader.set_kinds({"experts"});
  m_cache.setMaxCost(kCacheBytes);
}

Event ExpertsIndex::headOf(std::uint64_t sequence, std::string_view payload) {
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
  truncateAfter(step - 1);
  m_places.push_back({step, offset});
}

void ExpertsIndex::truncateAfter(std::int64_t step) {
  while (!m_places.empty() && m_places.back().step > step) {
    m_cache.remove(static_cast<qint64>(m_places.back().offset));
    m_places.pop_back();
  }
}

void ExpertsIndex::clear() {
  m_places.clear();
  m_cache.clear();
}

const ExpertsIndex::Place* ExpertsIndex::find(std::int64_t step) const {
  if (m_places.empty()) return nullptr;
  if (step < 0) return &m_places.back();
  const auto after = std::upper_bound(m_places.begin(), m_places.end(), step,
                                      [](std::int64_t s, const Place& p) { return s < p.step; });
  return after == m_places.begin() ? nullptr : &*(after - 1);
}

ExpertsIndex::Experts ExpertsIndex::read(const Place& place) {
  m_reader.seek_offset(place.offset);
  std::vector<Event> events = m_reader.poll(1);
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
  const auto key = static_cast<qint64>(place->offset);
  if (const Experts* known = m_cache.object(key)) return *known;
  Experts experts = read(*place);
  if (experts) m_cache.insert(key, new Experts(experts), bytesOf(*experts));
  return experts;
}

std::vector<std::int64_t> ExpertsIndex::spread(std::int64_t from, std::int64_t to, int most) const {
  const auto byStep = [](const Place& p, std::int64_t s) { return p.step < s; };
  const auto first = std::lower_bound(m_places.begin(), m_places.end(), from, byStep);
  const auto last = std::lower_bound(first, m_places.end(), to + 1, byStep);
  const auto count = last - first, wanted = std::min<std::ptrdiff_t>(count, std::max(most, 0));
  std::vector<std::int64_t> steps;
  for (std::ptrdiff_t i = 0; i < wanted; ++i) {
    const auto index = wanted == 1 ? count - 1 : i * (count - 1) / (wanted - 1);
    steps.push_back((first + index)->step);
  }
  return steps;
}

std::optional<ExpertsEvent> ExpertsIndex::layerAt(std::int64_t step, int layer) {
  const Place* place = find(step);
  if (!place || place->step != step) return {};
  // A fan passes over hundreds of events: it must not push what is scrubbed out of the cache.
  const Experts* known = m_cache.object(static_cast<qint64>(place->offset));
  const Experts whole = known ? *known : read(*place);
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

}  // namespace tessera::ui
