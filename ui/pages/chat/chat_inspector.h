// SPDX-License-Identifier: MIT
// Beside the messages: how tokens are chosen, what else a token might have been, and the experts
// that read it.
#pragma once

#include <QAbstractTableModel>
#include <QWidget>
#include <memory>

#include "ui/bridge/chat/chat_engine.h"
#include "ui/bridge/chat/conversation.h"

class QCheckBox;
class QDoubleSpinBox;
class QPushButton;
class QSpinBox;
class QTableView;

namespace tessera::ui {

class ExpertStrip;
class TextLabel;
class UsageMap;

/// What a token might have been: token, probability.
class AlternativesModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  using QAbstractTableModel::QAbstractTableModel;
  /// `chosen`: id of the token that was taken.
  void assign(std::vector<ChatAlternative> alternatives, int chosen);
  const ChatAlternative& at(int row) const { return m_rows[static_cast<std::size_t>(row)]; }
  int chosen() const { return m_chosen; }

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  std::vector<ChatAlternative> m_rows;
  int m_chosen = -1;
};

class ChatInspector : public QWidget {
  Q_OBJECT
 public:
  explicit ChatInspector(QWidget* parent = nullptr);

  void setSampling(const ChatSampling& sampling, bool freshSeed);
  ChatSampling sampling() const;
  bool freshSeed() const;
  void setRecording(bool experts);
  bool recording() const;
  /// Why nothing is known of experts: a dense model; empty: it is not.
  void setExpertNote(const QString& note);

  /// A token of an answer; `experts` and `firstLayer` are of the model that wrote it.
  void showToken(const ChatMessage& message, int index, int token, int firstLayer);
  void showSpan(const ChatMessage& message, int from, int to, int experts, int firstLayer);
  void showNothing();
  void setBusy(bool busy);

  ExpertStrip* strip() const { return m_strip; }
  UsageMap* usage() const { return m_usage; }
  AlternativesModel* alternatives() const { return m_alternatives; }
  QTableView* alternativesView() const { return m_view; }
  QPushButton* regrowButton() const { return m_regrow; }

 Q_SIGNALS:
  void samplingChanged();
  void regrow(int index, int token, const ChatAlternative& alternative);

 private:
  QWidget* samplingPart();
  QWidget* tokenPart();
  QWidget* expertPart();
  void refreshRegrow();
  void copyTable();

  QDoubleSpinBox *m_temperature, *m_topP, *m_minP, *m_penalty;
  QSpinBox *m_topK, *m_maxTokens, *m_seed;
  QCheckBox *m_fresh, *m_record;
  TextLabel *m_token, *m_tokenHint, *m_expertNote, *m_spanNote, *m_spanList;
  AlternativesModel* m_alternatives;
  QTableView* m_view;
  QPushButton *m_regrow, *m_table;
  ExpertStrip* m_strip;
  UsageMap* m_usage;
  int m_index = -1, m_at = -1;
  bool m_busy = false, m_filling = false;
};

}  // namespace tessera::ui
