// SPDX-License-Identifier: MIT
// ChartGroup: what the panels of a page share: the runs shown, the x axis and its range, the
// cursor, the run under the mouse, the picked step, and how lines are drawn.
#pragma once

#include <QObject>
#include <QPointer>
#include <QWidget>
#include <memory>
#include <optional>
#include <vector>

#include "ui/widgets/chart/run_curves.h"

namespace tessera::ui {

enum class ChartDrag : std::uint8_t { Zoom, Pan };

struct ChartOptions {
  chart::XAxis axis = chart::XAxis::Step;
  int smoothing = 0;      ///< points that the debiased exponential mean spans; 0: off
  bool mean = false;      ///< also the mean of each column of pixels
  bool marks = true;      ///< checkpoints, resumes, rollbacks, spikes, stages
  bool allValues = true;  ///< false: the y axis leaves outliers outside, which are marked there
  ChartDrag drag = ChartDrag::Zoom;
  bool operator==(const ChartOptions&) const = default;
};

class ChartGroup : public QObject {
  Q_OBJECT
 public:
  using QObject::QObject;

  using Runs = std::vector<std::shared_ptr<RunCurves>>;
  const Runs& runs() const { return m_runs; }
  void setRuns(Runs runs);
  RunCurves* run(const QString& id) const;
  /// A run grew or was read anew.
  void dataChanged();

  const ChartOptions& options() const { return m_options; }
  void setOptions(const ChartOptions& options);

  /// What all panels show; everything there is, and what comes, while nothing is zoomed.
  chart::Range view() const;
  chart::Range everything() const { return m_everything; }
  bool zoomed() const { return m_view.has_value(); }
  void setView(std::optional<chart::Range> view);
  /// By a factor around an x; above 1 shows more.
  void zoom(double factor, double around);
  void pan(double by);
  void reset();  ///< also the heights: resetRequested()

  std::optional<double> cursor() const { return m_cursor; }
  void setCursor(std::optional<double> x);
  const QString& hovered() const { return m_hovered; }
  void setHovered(const QString& runId);

  std::int64_t pickedStep() const { return m_pickedStep; }
  const QString& pickedRun() const { return m_pickedRun; }
  /// From outside: shows it. An empty run: in all runs.
  void showPicked(const QString& runId, std::int64_t step);
  /// By the user in a panel: also says stepPicked().
  void pick(const QString& runId, std::int64_t step);

  /// Panels ask before they draw curves. Where this turn of the event loop has drawn for long
  /// enough, the answer is no: the panel shows what it has, moved to where it belongs, and is told
  /// to draw in a later turn. So the window keeps moving however much there is to draw.
  bool mayDraw(QWidget* panel);
  /// It is to be drawn, and what it shows meanwhile is not wrong: in one of the next turns.
  void drawSoon(QWidget* panel);
  /// Processor time that drawing took.
  void drew(double milliseconds);
  /// Panels that wait for their turn.
  bool drawing() const { return !m_waiting.empty(); }

  /// What files of these charts begin with: the run's id, or how many runs they are.
  QString fileStem() const;
  /// Lines of runs with the same colour differ in their dashes.
  int dashOf(const RunCurves& run) const;

 Q_SIGNALS:
  void dataUpdated();
  void runsChanged();
  void optionsChanged();
  void viewChanged();
  void cursorChanged();
  void hoverChanged();
  void pickedChanged();
  void resetRequested();
  void stepPicked(const QString& runId, qint64 step);

 private:
  void measure();
  void queueTurn();
  void nextTurn();
  Runs m_runs;
  ChartOptions m_options;
  chart::Range m_everything;
  std::optional<chart::Range> m_view;
  std::optional<double> m_cursor;
  std::vector<QPointer<QWidget>> m_waiting;
  double m_spentMs = 0;
  double m_usualMs = 1;  ///< that a panel takes
  bool m_turnQueued = false;
  QString m_hovered, m_pickedRun;
  std::int64_t m_pickedStep = -1;
};

}  // namespace tessera::ui
