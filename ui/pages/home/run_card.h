// SPDX-License-Identifier: MIT
// RunCard: one run in a line: how it stands, how far it is, where its loss went, what can be done.
#pragma once

#include <memory>

#include "core/history/library.h"
#include "ui/shell_context.h"
#include "ui/widgets/controls.h"

class QPushButton;
class QToolButton;

namespace tessera::ui {

class RunFeed;
class Sparkline;
class StateBadge;

class RunCard : public Card {
  Q_OBJECT
 public:
  RunCard(Studio& studio, const QString& id, QWidget* parent = nullptr);
  void showRow(const RunRow& row);

 protected:
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void changeEvent(QEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;

 private:
  QWidget* buttons();
  void showButtons(const RunRow& row);
  void showNumbers(const RunRow& row);
  void followWhileLive(const RunRow& row);
  void showLeft();
  void stop(Control control);
  Studio& m_studio;
  QString m_id;
  StateBadge* m_state;
  ElidedLabel* m_name;
  ElidedLabel* m_detail;
  Sparkline* m_curve;
  TextLabel* m_step;
  TextLabel* m_loss;
  TextLabel* m_left;
  QPushButton* m_open;
  QPushButton* m_again;
  QToolButton* m_stop;
  std::shared_ptr<RunFeed> m_feed;  ///< null while the run does not train
  std::int64_t m_totalTokens = 0;   ///< by the spec as run; 0: not read yet
  bool m_trains = false;
};

}  // namespace tessera::ui
