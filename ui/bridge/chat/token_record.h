// SPDX-License-Identifier: MIT
// TokenRecord: what a model said about every token of an answer, packed: probabilities, the
// likeliest alternatives, experts and gate weights. Tens of bytes a token, so that long
// conversations stay in memory.
#pragma once

#include <QByteArray>
#include <QHash>
#include <QJsonObject>
#include <QString>
#include <cstdint>
#include <span>
#include <vector>

namespace tessera::ui {

struct ChatAlternative {
  int id = 0;
  QString shown;
  float probability = 0;
};

/// One token as it comes from a model.
struct ChatToken {
  int id = 0;
  QString text;   ///< the characters that it completes; may be empty
  QString shown;  ///< for people, where `text` is not enough
  float probability = 0;
  std::vector<ChatAlternative> alternatives;  ///< likeliest first
  std::vector<quint16> experts;               ///< (layers, top-k)
  std::vector<float> gates;                   ///< (layers, top-k)
};

class TokenRecord {
 public:
  /// `layers`: what the experts of the token are divided into. Tokens may lack theirs.
  void append(const ChatToken& token, int layers);
  int size() const { return static_cast<int>(m_ids.size()); }
  bool empty() const { return m_ids.empty(); }

  int id(int token) const { return m_ids[at(token)]; }
  float probability(int token) const { return m_probabilities[at(token)]; }
  /// Where the token's characters begin in the answer, and how many they are (UTF-16 units).
  int begin(int token) const { return m_begins[at(token)]; }
  int length(int token) const { return begin(token + 1) - begin(token); }
  /// The token of the character at `position`; -1: none.
  int tokenAt(int position) const;
  QString shown(int token, const QString& text) const;
  std::vector<ChatAlternative> alternatives(int token) const;

  int layers() const { return m_layers; }  ///< with experts; 0: not recorded
  int topK() const { return m_topK; }
  bool hasExperts(int token) const;
  std::span<const quint16> experts(int token, int layer) const;
  std::span<const float> gates(int token, int layer) const;
  /// (layers, experts): tokens of [from, to) that went to each; weighted sums the gate weights.
  std::vector<double> usage(int from, int to, int experts, bool weighted = false) const;

  /// The first `count` tokens.
  TokenRecord first(int count) const;
  std::vector<int> ids() const { return {m_ids.begin(), m_ids.end()}; }

  /// Bytes of alternatives and experts, which a file may leave out.
  std::size_t detailBytes() const;
  QJsonObject toJson(bool withDetails) const;
  /// What is damaged is left out: the text of the answer never depends on it.
  static TokenRecord fromJson(const QJsonObject& json);

 private:
  static std::size_t at(int token) { return static_cast<std::size_t>(token); }
  bool consistent() const;

  std::vector<qint32> m_ids, m_begins{0};
  std::vector<float> m_probabilities;
  int m_alternatives = 0;  ///< a token
  std::vector<qint32> m_alternativeIds;
  std::vector<float> m_alternativeProbabilities;
  int m_layers = 0, m_topK = 0;
  std::vector<quint16> m_experts;
  std::vector<float> m_gates;
  QHash<int, QString> m_shown;  ///< spelling of ids
};

}  // namespace tessera::ui
