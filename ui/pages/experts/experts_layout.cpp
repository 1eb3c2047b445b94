// SPDX-License-Identifier: MIT
// The widgets of the Experts page.
#include <QAction>
#include <QButtonGroup>
#include <QCheckBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSpinBox>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/experts/alarms_panel.h"
#include "ui/pages/experts/experts_page.h"
#include "ui/pages/experts/experts_source.h"
#include "ui/pages/experts/placement_panel.h"
#include "ui/pages/experts/time_scrubber.h"
#include "ui/widgets/chart/bar_plot.h"
#include "ui/widgets/chart/fan_plot.h"
#include "ui/widgets/chart/heat_map.h"
#include "ui/widgets/chart/load_histogram.h"
#include "ui/widgets/chart/run_picker.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"

namespace tessera::ui {

namespace {
constexpr int kNarrow = 860, kAlarms = 212, kMap = 240;

QBoxLayout* lines(QWidget* of) {
  auto* layout = new QBoxLayout(QBoxLayout::LeftToRight, of);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(theme::kGrid);
  return layout;
}
}  // namespace

void ExpertsPage::build() {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, theme::kGrid);
  column->setSpacing(theme::kGrid);
  column->addWidget(buildHeader());
  column->addWidget(buildBaseRow());
  m_stack = new QStackedWidget(this);
  m_empty = new EmptyState(tr("Pick a run."), tr("Choose a run"), QStringLiteral("experts"), this);
  m_stack->addWidget(m_empty);
  m_stack->addWidget(buildContent());
  column->addWidget(m_stack, 1);
  buildInspector();
  addCommand(tr("Experts: load"), QStringLiteral("experts"), [this] { setMode(ExpertMode::Load); });
  addCommand(tr("Experts: use ratio"), QStringLiteral("experts"),
             [this] { setMode(ExpertMode::UseRatio); });
  addCommand(tr("Experts: bias"), QStringLiteral("experts"), [this] { setMode(ExpertMode::Bias); });
  addCommand(tr("Experts: change since a step"), QStringLiteral("experts"),
             [this] { setMode(ExpertMode::Change); });
  addCommand(tr("Experts: compare side by side"), QStringLiteral("compare"),
             [this] { setComparing(!m_comparing); });
  addCommand(tr("Experts: show as table"), QStringLiteral("table"), [this] { showTable(); });
  addCommand(tr("Experts: play"), QStringLiteral("play"),
             [this] { m_scrubber->setPlaying(!m_scrubber->playing()); });
}

void ExpertsPage::addCommand(const QString& text, const QString& icon,
                             const std::function<void()>& run) {
  auto* action = new QAction(theme::icon(icon), text, this);
  connect(action, &QAction::triggered, this, run);
  m_commands.push_back(action);
}

QWidget* ExpertsPage::buildHeader() {
  auto* header = new QWidget(this);
  m_headerLines = lines(header);
  m_picker = new RunPicker(studio().runs, header);
  m_picker->setPlaceholderText(tr("Choose a run"));
  m_headerLines->addWidget(m_picker, 1);
  auto* row = new QHBoxLayout;
  row->setSpacing(theme::kGrid);
  m_headerLines->addLayout(row);
  m_modes = new QButtonGroup(this);
  const std::pair<QString, QString> modes[] = {
      {tr("Load"), tr("Tokens routed to each expert in the step")},
      {tr("Use ratio"), tr("Load over the mean load of the layer: 1 is fair")},
      {tr("Bias"), tr("Bias of the selection, which balances the loads without a loss")},
      {tr("Change since"), tr("Use ratio now less that of another step or run")}};
  int id = 0;
  auto* group = new QHBoxLayout;
  group->setSpacing(0);
  for (const auto& [text, tip] : modes) {
    auto* button = new QToolButton(header);
    button->setText(text);
    button->setToolTip(tip);
    button->setCheckable(true);
    m_modes->addButton(button, id++);
    group->addWidget(button);
  }
  row->addLayout(group);
  m_compare = new QCheckBox(tr("Compare"), header);
  m_compare->setToolTip(tr("Another step or run beside this one"));
  row->addWidget(m_compare);
  row->addStretch(1);
  m_tableButton = iconButton(QStringLiteral("table"), tr("Show as table"), header);
  row->addWidget(m_tableButton);
  return header;
}

QWidget* ExpertsPage::buildBaseRow() {
  m_baseRow = new QWidget(this);
  m_baseLines = lines(m_baseRow);
  auto* row = new QHBoxLayout;
  row->setSpacing(theme::kGrid);
  m_baseLines->addLayout(row);
  auto* rest = new QHBoxLayout;
  rest->setSpacing(theme::kGrid);
  m_baseLines->addLayout(rest, 1);
  m_baseSpin = new QSpinBox(m_baseRow);
  m_baseSpin->setRange(0, std::numeric_limits<int>::max());
  m_baseSpin->setAccessibleName(tr("Step to compare with"));
  m_baseSpin->setKeyboardTracking(false);
  m_basePicker = new RunPicker(studio().runs, m_baseRow);
  m_basePicker->setNoneText(tr("the same run"));
  m_basePicker->setAccessibleName(tr("Run to compare with"));
  m_baseHere = new QPushButton(tr("Compare with the step shown"), m_baseRow);
  m_baseNote = new TextLabel({}, theme::TextSize::Caption, m_baseRow);
  m_baseNote->setTone(TextLabel::Tone::Warning);
  row->addWidget(new TextLabel(tr("Compared with step"), theme::TextSize::Body, m_baseRow));
  row->addWidget(m_baseSpin);
  row->addWidget(new TextLabel(tr("of"), theme::TextSize::Body, m_baseRow));
  row->addWidget(m_basePicker, 1);
  rest->addWidget(m_baseHere);
  rest->addWidget(m_baseNote, 1);
  m_baseRow->hide();
  return m_baseRow;
}

QWidget* ExpertsPage::buildContent() {
  const auto framed = [](QWidget* inner, QWidget* parent) {
    auto* card = new Card(parent);
    auto* layout = new QVBoxLayout(card);
    layout->setContentsMargins(1, 1, 1, 1);
    layout->addWidget(inner);
    return card;
  };
  auto* content = new QWidget(this);
  auto* left = new QVBoxLayout;
  left->setSpacing(theme::kGrid);
  m_map = new HeatMap(content);
  m_map->setObjectName(QStringLiteral("expert-map"));
  m_baseMap = new HeatMap(content);
  m_baseMap->setObjectName(QStringLiteral("expert-base-map"));
  m_baseMap->hide();
  for (HeatMap* map : {m_map, m_baseMap}) map->setMinimumWidth(kMap);
  auto* maps = new QHBoxLayout;
  maps->setSpacing(0);
  maps->addWidget(m_map, 1);
  maps->addWidget(m_baseMap, 1);
  auto* mapCard = new Card(content);
  mapCard->setLayout(new QVBoxLayout);
  mapCard->layout()->setContentsMargins(1, 1, 1, theme::kHalf);
  static_cast<QVBoxLayout*>(mapCard->layout())->addLayout(maps, 1);
  m_readout = new TextLabel({}, theme::TextSize::Body, mapCard);
  m_readout->setTabular();
  m_readout->setSelectable();
  m_readout->setContentsMargins(theme::kGrid, 0, theme::kGrid, 0);
  m_readout->setMinimumWidth(60);
  mapCard->layout()->addWidget(m_readout);
  m_scrubber = new TimeScrubber(content);
  m_bars = new BarPlot(content);
  m_fan = new FanPlot(content);
  auto* below = new QWidget(content);
  auto* plots = new QHBoxLayout(below);
  plots->setContentsMargins(0, 0, 0, 0);
  plots->setSpacing(theme::kGrid);
  plots->addWidget(framed(m_bars, content), 1);
  plots->addWidget(framed(m_fan, content), 1);
  auto* splitter = new QSplitter(Qt::Vertical, content);
  splitter->setChildrenCollapsible(false);
  auto* above = new QWidget(splitter);
  auto* upper = new QVBoxLayout(above);
  upper->setContentsMargins(0, 0, 0, 0);
  upper->setSpacing(theme::kHalf);
  upper->addWidget(mapCard, 1);
  upper->addWidget(m_scrubber);
  splitter->addWidget(above);
  splitter->addWidget(below);
  splitter->setStretchFactor(0, 3);
  splitter->setStretchFactor(1, 2);
  m_placement = new PlacementPanel(content);
  left->addWidget(m_placement);
  left->addWidget(splitter, 1);
  m_alarmCard = new Card(content);
  auto* alarmLayout = new QVBoxLayout(m_alarmCard);
  alarmLayout->setContentsMargins(theme::kGrid, theme::kGrid, theme::kGrid, theme::kGrid);
  m_alarms = new AlarmsPanel(studio().preferences, m_alarmCard);
  alarmLayout->addWidget(m_alarms);
  m_columns = lines(content);
  m_columns->addLayout(left, 1);
  m_columns->addWidget(m_alarmCard);
  return content;
}

/// A small window has no room for all of it side by side: buttons would be cut, and maps would be
/// narrower than the names of their layers.
void ExpertsPage::arrange() {
  const bool narrow = width() < kNarrow;
  const auto direction = narrow ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight;
  for (QBoxLayout* one : {m_headerLines, m_baseLines, m_columns}) {
    one->setDirection(direction);
  }
  m_alarms->setFlat(narrow);
  m_alarmCard->setMinimumWidth(narrow ? 0 : kAlarms);
  m_alarmCard->setMaximumWidth(narrow ? QWIDGETSIZE_MAX : kAlarms);
  m_alarmCard->setSizePolicy(QSizePolicy::Preferred,
                             narrow ? QSizePolicy::Maximum : QSizePolicy::Preferred);
}

void ExpertsPage::resizeEvent(QResizeEvent* event) {
  Page::resizeEvent(event);
  arrange();
}

void ExpertsPage::buildInspector() {
  m_inspector = new QWidget(this);
  m_inspector->hide();
  m_facts = new QFormLayout(m_inspector);
  m_facts->setLabelAlignment(Qt::AlignLeft);
  for (const QString& name : {tr("Layer"), tr("Expert"), tr("Step"), tr("Load"), tr("Fair load"),
                              tr("Use ratio"), tr("Bias"), tr("Change"), tr("MaxVio")}) {
    auto* value = new TextLabel({}, theme::TextSize::Body, m_inspector);
    value->setTabular();
    value->setSelectable();
    m_facts->addRow((new TextLabel(name, theme::TextSize::Body, m_inspector))
                        ->setTone(TextLabel::Tone::Secondary),
                    value);
    m_factValues.push_back(value);
  }
  m_histogram = new LoadHistogram(m_inspector);
  m_histogram->setMinimumHeight(200);
  m_facts->addRow(m_histogram);
}

}  // namespace tessera::ui
