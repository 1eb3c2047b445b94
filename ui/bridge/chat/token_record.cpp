// SPDX-License-Identifier: MIT
#include "ui/bridge/chat/token_record.h"

#include <QFloat16>
#include <algorithm>
#include <cstring>

namespace tessera::ui {

namespace {
constexpr quint16 kUnknown = 0xFFFF;  ///< in place of experts that were not recorded
}

void TokenRecord::append(const ChatToken& token, int layers) {
  if (empty()) m_alternatives = static_cast<int>(token.alternatives.size());
  const bool hasExperts =
      layers > 0 && !token.experts.empty() && token.experts.size() == token.gates.size();
  if (hasExperts && m_layers == 0) {
    m_layers = layers;
    m_topK = static_cast<int>(token.experts.size()) / layers;
    m_experts.assign(m_ids.size() * token.experts.size(), kUnknown);
    m_gates.assign(m_experts.size(), 0);
  }
  m_ids.push_back(token.id);
  m_begins.push_back(m_begins.back() + static_cast<qint32>(token.text.size()));
  m_probabilities.push_back(token.probability);
  if (!token.shown.isEmpty()) m_shown.insert(token.id, token.shown);
  for (int i = 0; i < m_alternatives; ++i) {
    const bool there = at(i) < token.alternatives.size();
    const ChatAlternative one = there ? token.alternatives[at(i)] : ChatAlternative{-1, {}, 0};
    m_alternativeIds.push_back(one.id);
    m_alternativeProbabilities.push_back(one.probability);
    if (there) m_shown.insert(one.id, one.shown);
  }
  const std::size_t row = at(m_layers * m_topK);
  if (row == 0) return;
  if (hasExperts && token.experts.size() == row) {
    m_experts.insert(m_experts.end(), token.experts.begin(), token.experts.end());
    m_gates.insert(m_gates.end(), token.gates.begin(), token.gates.end());
  } else {
    m_experts.insert(m_experts.end(), row, kUnknown);
    m_gates.insert(m_gates.end(), row, 0);
  }
}

bool TokenRecord::hasExperts(int token) const {
  return m_layers > 0 && experts(token, 0)[0] != kUnknown;
}

int TokenRecord::tokenAt(int position) const {
  if (position < 0 || position >= m_begins.back()) return -1;
  const auto after = std::upper_bound(m_begins.begin(), m_begins.end(), position);
  return static_cast<int>(after - m_begins.begin()) - 1;
}

QString TokenRecord::shown(int token, const QString& text) const {
  const auto known = m_shown.find(id(token));
  return known != m_shown.end() ? *known : text.mid(begin(token), length(token));
}

std::vector<ChatAlternative> TokenRecord::alternatives(int token) const {
  std::vector<ChatAlternative> list;
  for (int i = token * m_alternatives; i < (token + 1) * m_alternatives; ++i) {
    if (at(i) >= m_alternativeIds.size() || m_alternativeIds[at(i)] < 0) continue;
    const int id = m_alternativeIds[at(i)];
    list.push_back({id, m_shown.value(id), m_alternativeProbabilities[at(i)]});
  }
  return list;
}

std::span<const quint16> TokenRecord::experts(int token, int layer) const {
  return std::span(m_experts).subspan(at((token * m_layers + layer) * m_topK), at(m_topK));
}

std::span<const float> TokenRecord::gates(int token, int layer) const {
  return std::span(m_gates).subspan(at((token * m_layers + layer) * m_topK), at(m_topK));
}

std::vector<double> TokenRecord::usage(int from, int to, int experts, bool weighted) const {
  std::vector<double> sums(at(m_layers) * at(experts));
  for (int token = std::max(from, 0); token < std::min(to, size()); ++token) {
    for (int layer = 0; layer < m_layers; ++layer) {
      const auto ids = this->experts(token, layer);
      const auto weights = gates(token, layer);
      for (std::size_t k = 0; k < ids.size(); ++k) {
        if (ids[k] < experts)
          sums[at(layer * experts + ids[k])] += weighted ? double(weights[k]) : 1;
      }
    }
  }
  return sums;
}

TokenRecord TokenRecord::first(int count) const {
  TokenRecord part = *this;
  count = std::clamp(count, 0, size());
  part.m_ids.resize(at(count));
  part.m_begins.resize(at(count) + 1);
  part.m_probabilities.resize(at(count));
  part.m_alternativeIds.resize(at(count * m_alternatives));
  part.m_alternativeProbabilities.resize(at(count * m_alternatives));
  part.m_experts.resize(at(count * m_layers * m_topK));
  part.m_gates.resize(at(count * m_layers * m_topK));
  return part;
}

std::size_t TokenRecord::detailBytes() const {
  return 8 * m_alternativeIds.size() + 4 * m_experts.size();
}

namespace {
template <class T>
QString packed(const std::vector<T>& values) {
  const QByteArray bytes(reinterpret_cast<const char*>(values.data()),
                         static_cast<qsizetype>(values.size() * sizeof(T)));
  return QString::fromLatin1(bytes.toBase64());
}

template <class T>
std::vector<T> unpacked(const QJsonValue& value) {
  const QByteArray bytes = QByteArray::fromBase64(value.toString().toLatin1());
  std::vector<T> values(static_cast<std::size_t>(bytes.size()) / sizeof(T));
  std::memcpy(values.data(), bytes.constData(), values.size() * sizeof(T));
  return values;
}

std::vector<quint16> halves(const std::vector<float>& values) {
  std::vector<qfloat16> half(values.size());
  qFloatToFloat16(half.data(), values.data(), static_cast<qsizetype>(values.size()));
  std::vector<quint16> bits(values.size());
  std::memcpy(bits.data(), half.data(), bits.size() * sizeof(quint16));
  return bits;
}

std::vector<float> floats(const std::vector<quint16>& bits) {
  std::vector<qfloat16> half(bits.size());
  std::memcpy(static_cast<void*>(half.data()), bits.data(), bits.size() * sizeof(quint16));
  std::vector<float> values(bits.size());
  qFloatFromFloat16(values.data(), half.data(), static_cast<qsizetype>(values.size()));
  return values;
}
}  // namespace

QJsonObject TokenRecord::toJson(bool withDetails) const {
  QJsonObject json{
      {"ids", packed(m_ids)}, {"begins", packed(m_begins)}, {"p", packed(m_probabilities)}};
  if (!withDetails) return json;
  QJsonObject spellings;
  for (auto it = m_shown.begin(); it != m_shown.end(); ++it) {
    spellings.insert(QString::number(it.key()), it.value());
  }
  json["shown"] = spellings;
  json["alternatives"] = m_alternatives;
  json["alternative_ids"] = packed(m_alternativeIds);
  json["alternative_p"] = packed(halves(m_alternativeProbabilities));
  if (m_layers == 0) return json;
  json["layers"] = m_layers;
  json["top_k"] = m_topK;
  json["experts"] = packed(m_experts);
  json["gates"] = packed(halves(m_gates));
  return json;
}

bool TokenRecord::consistent() const {
  const std::size_t count = m_ids.size();
  return m_begins.size() == count + 1 && m_begins.front() == 0 &&
         std::is_sorted(m_begins.begin(), m_begins.end()) && m_probabilities.size() == count;
}

TokenRecord TokenRecord::fromJson(const QJsonObject& json) {
  TokenRecord record;
  record.m_ids = unpacked<qint32>(json["ids"]);
  record.m_begins = unpacked<qint32>(json["begins"]);
  record.m_probabilities = unpacked<float>(json["p"]);
  if (record.m_begins.empty() || !record.consistent()) return {};
  const QJsonObject spellings = json["shown"].toObject();
  for (auto it = spellings.begin(); it != spellings.end(); ++it) {
    record.m_shown.insert(it.key().toInt(), it.value().toString());
  }
  const int alternatives = json["alternatives"].toInt();
  std::vector<qint32> ids = unpacked<qint32>(json["alternative_ids"]);
  std::vector<float> probabilities = floats(unpacked<quint16>(json["alternative_p"]));
  if (alternatives > 0 && ids.size() == record.m_ids.size() * at(alternatives) &&
      probabilities.size() == ids.size()) {
    record.m_alternatives = alternatives;
    record.m_alternativeIds = std::move(ids);
    record.m_alternativeProbabilities = std::move(probabilities);
  }
  const int layers = json["layers"].toInt(), topK = json["top_k"].toInt();
  std::vector<quint16> experts = unpacked<quint16>(json["experts"]);
  std::vector<float> gates = floats(unpacked<quint16>(json["gates"]));
  const std::size_t row = at(std::max(layers, 0)) * at(std::max(topK, 0));
  if (row > 0 && experts.size() == gates.size() && experts.size() == record.m_ids.size() * row) {
    record.m_layers = layers;
    record.m_topK = topK;
    record.m_experts = std::move(experts);
    record.m_gates = std::move(gates);
  }
  return record;
}

}  // namespace tessera::ui
