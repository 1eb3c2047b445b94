// SPDX-License-Identifier: MIT
// The ranks of a draft: how many of each kind there may be, what each of them holds, and what it
// sends to whom.
#pragma once

#include <QWidget>
#include <map>
#include <string>

#include "ui/bridge/draft/plan_service.h"

class QHBoxLayout;
class QScrollArea;

namespace tessera::ui {

class DraftSpec;
class RankMap;
class TextLabel;

class LayoutView : public QWidget {
  Q_OBJECT
 public:
  explicit LayoutView(DraftSpec& draft, QWidget* parent = nullptr);
  /// Of the draft, and what the newest plan of it says of what is sent.
  void refresh();
  void setPlan(const PlanPtr& plan);
  RankMap* map() const { return m_map; }

  // As in FieldRow: the height that its width asks for, and nothing less.
  bool hasHeightForWidth() const override { return false; }
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 Q_SIGNALS:
  void heightChanged();

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void addChoices(const std::string& key, const QString& name, QWidget* column);
  void refreshChoices(const std::string& key);
  void showRank(int rank);
  QString summary() const;
  void tellHeight();

  DraftSpec& m_draft;
  PlanPtr m_plan;
  std::map<std::string, QHBoxLayout*> m_choices;  ///< by key
  std::map<std::string, std::string> m_shown;     ///< what the buttons of a key were made for
  TextLabel* m_summary;
  RankMap* m_map;
  QScrollArea* m_scroll;
  TextLabel* m_detail;
  int m_height = 0;  ///< as it was told last
};

}  // namespace tessera::ui
