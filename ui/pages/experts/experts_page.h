// SPDX-License-Identifier: MIT
// Experts: how a run's tokens spread over its experts, at any logged step: the map of layers and
// experts, one layer's bars, its biases over time, dead and hot ones; against another step or run.
#pragma once

#include <memory>

#include "ui/pages/experts/expert_math.h"
#include "ui/pages/page.h"

class QBoxLayout;
class QButtonGroup;
class QCheckBox;
class QFormLayout;
class QPushButton;
class QSpinBox;
class QStackedWidget;
class QToolButton;

namespace tessera::ui {

class AlarmsPanel;
class BarPlot;
class EmptyState;
class ExpertsSource;
class FanPlot;
class HeatMap;
class LoadHistogram;
class PlacementPanel;
class RunFeed;
class RunPicker;
class TextLabel;
class TimeScrubber;

class ExpertsPage : public Page {
  Q_OBJECT
 public:
  explicit ExpertsPage(Studio& studio, QWidget* parent = nullptr);
  ~ExpertsPage() override;

  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override { return m_commands; }
  QWidget* inspector() override { return m_inspector; }
  void setActivity(bool visible, bool focused) override;
  QString command() const override;

  ExpertMode mode() const { return m_mode; }
  void setMode(ExpertMode mode);
  void setComparing(bool on);
  /// The logged step shown; -1: none.
  std::int64_t shownStep() const { return m_shownStep; }
  std::int64_t baseStep() const { return m_baseStep; }

 protected:
  void showEvent(QShowEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  // Making the page.
  void build();
  QWidget* buildHeader();
  QWidget* buildBaseRow();
  QWidget* buildContent();
  void buildInspector();
  void arrange();
  void addCommand(const QString& text, const QString& icon, const std::function<void()>& run);
  void connectParts();

  // The run.
  void setRun(const QString& id);
  void feedChanged();
  QString emptyReason(QString& button) const;
  QStringList layerNames(const RunFeed& feed) const;

  // What is shown.
  void showStep(std::int64_t step);  ///< the logged one at or before it; -1: the newest
  void wantIndex(int index);
  void frameReady(std::int64_t step, const ExpertsFrame& frame);
  void setBase(const QString& run, std::int64_t step);
  void wantBase();
  void baseReady(std::int64_t step, const ExpertsFrame& frame);
  void refreshAll();
  void refreshMap();
  void refreshBars();
  void refreshHistogram();
  void wantFan();
  void fillFan(const std::vector<ExpertsEvent>& points);
  void refreshAlarms();
  void refreshCell();
  void setCell(int layer, int expert);
  QString readoutOf(const ExpertsEvent& e, int layer, int expert) const;
  QString stepText(std::int64_t step) const;
  void showTable();

  QButtonGroup* m_modes = nullptr;
  /// From left to right, or one below the other where the page is narrow.
  QBoxLayout *m_headerLines = nullptr, *m_baseLines = nullptr, *m_columns = nullptr;
  QWidget* m_alarmCard = nullptr;
  RunPicker *m_picker = nullptr, *m_basePicker = nullptr;
  QCheckBox* m_compare = nullptr;
  QWidget *m_baseRow = nullptr, *m_inspector = nullptr;
  QSpinBox* m_baseSpin = nullptr;
  QPushButton* m_baseHere = nullptr;
  QToolButton* m_tableButton = nullptr;
  TextLabel *m_baseNote = nullptr, *m_readout = nullptr;
  QStackedWidget* m_stack = nullptr;
  EmptyState* m_empty = nullptr;
  HeatMap *m_map = nullptr, *m_baseMap = nullptr;
  TimeScrubber* m_scrubber = nullptr;
  BarPlot* m_bars = nullptr;
  FanPlot* m_fan = nullptr;
  AlarmsPanel* m_alarms = nullptr;
  PlacementPanel* m_placement = nullptr;
  QFormLayout* m_facts = nullptr;
  LoadHistogram* m_histogram = nullptr;
  std::vector<TextLabel*> m_factValues;
  std::vector<QAction*> m_commands;

  QString m_run, m_baseRun;  ///< an empty base run: the same run
  std::unique_ptr<ExpertsSource> m_source, m_baseSource;
  ExpertMode m_mode = ExpertMode::UseRatio;
  bool m_comparing = false;
  std::int64_t m_wantedStep = -1;  ///< asked for by a link before the log was read
  std::int64_t m_shownStep = -1, m_baseStep = -1, m_baseWanted = -1;
  bool m_baseChosen = false;  ///< else the first logged step
  ExpertsFrame m_frame, m_base;
  std::vector<std::uint8_t> m_signs;
  std::vector<ExpertsFrame> m_window;
  std::int64_t m_fanSteps = 0;  ///< logged steps when the fan was asked for
  int m_fanLayer = -1;
  int m_hertz = 10;  ///< how often the run is read
};

}  // namespace tessera::ui
