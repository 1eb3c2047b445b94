// SPDX-License-Identifier: MIT
// RunCard: one run in a line: how it stands, how far it is, where its loss went, what can be done.
#pragma once

#include "core/history/library.h"
#include "ui/shell_context.h"
#include "ui/widgets/controls.h"

class QPushButton;
class QToolButton;

namespace tessera::ui {

class Sparkline;
class StateBadge;

/// Steps per second of a run, from what is known of it.
class Pace {
 public:
  void saw(std::int64_t step, double time);
  /// Seconds to `total`; NaN where that cannot be told.
  double secondsLeft(std::int64_t total) const;

 private:
  std::int64_t m_step = -1;
  double m_time = 0, m_rate = 0;
};

class RunCard : public Card {
  Q_OBJECT
 public:
  RunCard(Studio& studio, const QString& id, QWidget* parent = nullptr);
  void showRow(const RunRow& row);

 protected:
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  QWidget* buttons();
  void showButtons(const RunRow& row);
  void showNumbers(const RunRow& row);
  void stop(Control control);
  Studio& m_studio;
  QString m_id;
  Pace m_pace;
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
};

}  // namespace tessera::ui
