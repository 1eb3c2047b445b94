// SPDX-License-Identifier: MIT
// The run, the step, the base it is compared with. experts_layout.cpp makes the widgets,
// experts_views.cpp fills them.
#include "ui/pages/experts/experts_page.h"

#include <QAction>
#include <QButtonGroup>
#include <QCheckBox>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStackedWidget>
#include <QToolButton>
#include <utility>

#include "ui/bridge/runs/run_store.h"
#include "ui/pages/experts/alarms_panel.h"
#include "ui/pages/experts/experts_source.h"
#include "ui/pages/experts/placement_panel.h"
#include "ui/pages/experts/time_scrubber.h"
#include "ui/widgets/chart/bar_plot.h"
#include "ui/widgets/chart/fan_plot.h"
#include "ui/widgets/chart/heat_map.h"
#include "ui/widgets/chart/run_curves.h"
#include "ui/widgets/chart/run_picker.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"

namespace tessera::ui {

namespace {
constexpr const char* kModes[] = {"load", "ratio", "bias", "change"};
}

ExpertsPage::ExpertsPage(Studio& studio, QWidget* parent) : Page(studio, parent) {
  build();
  connectParts();
  setMode(m_mode);
  setRun(studio.selection.run());
}

ExpertsPage::~ExpertsPage() = default;

void ExpertsPage::connectParts() {
  Selection& selection = studio().selection;
  connect(&selection, &Selection::runChanged, this, [this](const QString& id) { setRun(id); });
  connect(&selection, &Selection::stepChanged, this, [this](std::int64_t step) {
    if (step >= 0) showStep(step);
  });
  connect(&studio().runs, &RunStore::runsChanged, this, [this] {
    if (!m_source) setRun(m_run);
  });
  connect(m_picker, &RunPicker::picked, this,
          [this](const QString& id) { studio().selection.setRun(id); });
  connect(m_basePicker, &RunPicker::picked, this,
          [this](const QString& id) { setBase(id, m_baseStep); });
  connect(m_baseSpin, &QSpinBox::editingFinished, this, [this] {
    if (m_baseSpin->value() != m_baseStep) setBase(m_baseRun, m_baseSpin->value());
  });
  connect(m_baseHere, &QPushButton::clicked, this, [this] { setBase({}, m_shownStep); });
  connect(m_compare, &QCheckBox::clicked, this, &ExpertsPage::setComparing);
  connect(m_tableButton, &QToolButton::clicked, this, [this] { showTable(); });
  connect(m_modes, &QButtonGroup::idClicked, this,
          [this](int id) { setMode(static_cast<ExpertMode>(id)); });
  connect(m_scrubber, &TimeScrubber::moved, this, &ExpertsPage::wantIndex);
  connect(m_scrubber, &TimeScrubber::settled, this, [this](int) {
    // Others follow where the scrubber came to rest, not all the way there.
    if (m_shownStep >= 0 && !m_scrubber->following()) studio().selection.setStep(m_shownStep);
    if (m_source && m_shownStep >= 0) m_source->wantWindow(m_shownStep, m_alarms->deadSteps());
    Q_EMIT locationChanged();
  });
  for (HeatMap* map : {m_map, m_baseMap}) {
    connect(map, &HeatMap::cellChanged, this, &ExpertsPage::setCell);
    connect(map, &HeatMap::cellHovered, this, [this](int layer, int expert) {
      const bool cell =
          m_frame && layer >= 0 && layer < m_frame->layers && expert < m_frame->experts;
      if (cell) {
        m_readout->setText(readoutOf(*m_frame, layer, expert));
      } else {
        refreshCell();
      }
    });
  }
  connect(m_bars, &BarPlot::currentChanged, this,
          [this](int expert) { setCell(m_map->row(), expert); });
  connect(m_fan, &FanPlot::currentChanged, this,
          [this](int expert) { setCell(m_map->row(), expert); });
  connect(m_fan, &FanPlot::stepPicked, this, [this](qint64 step) {
    showStep(step);
    studio().selection.setStep(step);
  });
  connect(m_placement, &PlacementPanel::placeChosen, this,
          [this](int expert) { setCell(std::max(0, m_map->row()), expert); });
  connect(m_alarms, &AlarmsPanel::chosen, this, &ExpertsPage::setCell);
  connect(m_alarms, &AlarmsPanel::thresholdsChanged, this, [this] {
    if (m_source && m_shownStep >= 0) m_source->wantWindow(m_shownStep, m_alarms->deadSteps());
    refreshAlarms();
  });
  connect(m_empty, &EmptyState::pressed, this, [this] {
    studio().navigator.open(m_run.isEmpty() ? Location{QStringLiteral("runs"), {}, {}}
                                            : Location{QStringLiteral("monitor"), m_run, {}});
  });
}

void ExpertsPage::open(const Location& location) {
  if (location.page.isEmpty() && location.subject.isEmpty()) return;
  if (!location.subject.isEmpty() && location.subject != m_run) {
    studio().selection.setRun(location.subject);
  }
  const auto number = [&](const char* name, std::int64_t fallback) {
    bool ok = false;
    const qlonglong v = location.arguments.value(QLatin1String(name)).toLongLong(&ok);
    return ok ? std::int64_t(v) : fallback;
  };
  const QString mode = location.arguments.value(QStringLiteral("mode"));
  for (int i = 0; i < 4; ++i) {
    if (mode == QLatin1String(kModes[i])) setMode(static_cast<ExpertMode>(i));
  }
  if (location.arguments.contains(QStringLiteral("base"))) {
    setBase(location.arguments.value(QStringLiteral("with")), number("base", -1));
  }
  if (location.arguments.contains(QStringLiteral("compare"))) setComparing(true);
  const std::int64_t step = number("step", -1);
  if (step >= 0) {
    studio().selection.setStep(step);
    showStep(step);
  }
  const std::int64_t layer = number("layer", -1);
  if (layer >= 0) setCell(int(layer), int(std::max<std::int64_t>(0, number("expert", 0))));
}

Location ExpertsPage::location() const {
  Location at{QStringLiteral("experts"), m_run, {}};
  if (m_shownStep >= 0 && !m_scrubber->following()) {
    at.arguments.insert(QStringLiteral("step"), QString::number(m_shownStep));
  }
  at.arguments.insert(QStringLiteral("mode"), QLatin1String(kModes[int(m_mode)]));
  if (m_comparing) at.arguments.insert(QStringLiteral("compare"), QStringLiteral("1"));
  if (m_baseChosen) {
    at.arguments.insert(QStringLiteral("base"), QString::number(m_baseStep));
    if (!m_baseRun.isEmpty()) at.arguments.insert(QStringLiteral("with"), m_baseRun);
  }
  return at;
}

QString ExpertsPage::command() const {
  return m_run.isEmpty() ? QString() : QStringLiteral("tessera watch --json %1").arg(m_run);
}

void ExpertsPage::setActivity(bool visible, bool focused) {
  m_hertz = !visible ? 0 : focused ? 10 : 2;
  for (const auto* source : {&m_source, &m_baseSource}) {
    if (*source) (*source)->feed().setCadence(m_hertz, this);
  }
  if (!visible) {
    m_scrubber->setPlaying(false);
    return;
  }
  feedChanged();
}

void ExpertsPage::showEvent(QShowEvent* event) {
  Page::showEvent(event);
  feedChanged();
}

void ExpertsPage::setRun(const QString& id) {
  if (id == m_run && (m_source || id.isEmpty())) return;
  if (id != m_run) {
    m_scrubber->setPlaying(false);
    m_scrubber->setFollowing(true);
    m_wantedStep = -1;
    m_baseChosen = false;
    m_baseRun.clear();
  }
  m_run = id;
  m_picker->setRun(id);
  m_basePicker->setRun(m_baseRun);
  m_frame = m_base = nullptr;
  m_window.clear();
  m_placement->clear();
  m_shownStep = m_baseStep = m_baseWanted = -1;
  m_fanLayer = -1;
  m_fan->setValues({}, 0, {}, {});
  if (m_source) {
    disconnect(&m_source->feed(), nullptr, this, nullptr);
    m_source->feed().setCadence(0, this);  // others may go on with it
  }
  m_source.reset();
  m_baseSource.reset();
  if (const std::shared_ptr<RunFeed> feed = id.isEmpty() ? nullptr : studio().runs.feed(id)) {
    m_source = std::make_unique<ExpertsSource>(feed);
    feed->setCadence(m_hertz, this);
    connect(m_source.get(), &ExpertsSource::ready, this, &ExpertsPage::frameReady);
    connect(m_source.get(), &ExpertsSource::windowReady, this, [this] {
      m_window = m_source->window();
      refreshAlarms();
    });
    connect(feed.get(), &RunFeed::changed, this, [this] { feedChanged(); });
    connect(feed.get(), &RunFeed::biasFanReady, this,
            [this](int layer, const std::shared_ptr<const std::vector<ExpertsEvent>>& points) {
              if (layer == m_fanLayer && points) fillFan(*points);
            });
  }
  feedChanged();
  Q_EMIT locationChanged();
}

/// The log grew, or was read at all.
void ExpertsPage::feedChanged() {
  QString button;
  const QString reason = emptyReason(button);
  m_stack->setCurrentIndex(reason.isEmpty() ? 1 : 0);
  if (!reason.isEmpty()) {
    m_empty->setSentence(reason);
    m_empty->setButton(button);
    return;
  }
  if (!isVisible()) return;
  const int count = int(m_source->steps().size());
  const bool grew = count != m_scrubber->count();
  const bool last = m_scrubber->following();
  if (grew) m_scrubber->setCount(count);
  if (!m_baseChosen) m_baseStep = m_source->steps().front();
  if (m_wantedStep >= 0) {
    showStep(std::exchange(m_wantedStep, -1));
  } else if (m_shownStep < 0 && studio().selection.step() >= 0) {
    showStep(studio().selection.step());
  } else if (last && (grew || m_shownStep < 0)) {
    wantIndex(count - 1);
  } else if (m_source->loggedStep(m_shownStep) != m_shownStep) {
    showStep(m_shownStep);  // a rollback took it away
  }
  // The fan grows with the run, though not for every logged step.
  if (m_fanLayer >= 0 && count - m_fanSteps > std::max<std::int64_t>(4, m_fanSteps / 100))
    wantFan();
}

QString ExpertsPage::emptyReason(QString& button) const {
  button = tr("Open in Monitor");
  if (m_run.isEmpty()) {
    button = tr("Choose a run");
    return tr("Pick a run, and how its tokens spread over its experts is shown here.");
  }
  if (!m_source) {
    return studio().runs.loaded() ? tr("The run %1 is not in the library.").arg(m_run)
                                  : tr("Looking for the run.");
  }
  const RunFeed& feed = m_source->feed();
  const RunRow* row = studio().runs.run(m_run);
  if (!feed.loaded() && row && row->missing) {
    return tr("The folder of %1 is gone. It was %2. Move it back, and the run is here again.")
        .arg(QString::fromStdString(row->name), QString::fromStdString(row->folder.string()));
  }
  if (!feed.loaded()) {
    return feed.error().isEmpty() ? tr("Reading the run's log.") : feed.error();
  }
  const RunSpec* spec = feed.spec();
  if (spec &&
      (spec->model.n_routed_experts == 0 ||
       spec->model.first_k_dense_replace >= spec->model.num_hidden_layers) &&
      m_source->steps().empty()) {
    return tr(
        "This model is dense: every token passes through all of each layer, so there are no "
        "experts to route to. model.n_routed_experts above 0 makes a mixture of experts.");
  }
  if (!m_source->steps().empty()) return {};
  if (spec && spec->events.experts_every == 0) {
    return tr("This run does not log its experts: events.experts_every is 0.");
  }
  return tr("No loads have been logged yet: they come every %1 steps.")
      .arg(spec ? spec->events.experts_every : 10);
}

void ExpertsPage::showStep(std::int64_t step) {
  if (!m_source || m_source->steps().empty()) {
    m_wantedStep = step;
    return;
  }
  const std::int64_t at = std::max<std::int64_t>(0, m_source->indexOf(step));
  m_scrubber->setFollowing(step < 0);
  m_scrubber->setPlaying(false);
  m_scrubber->setCount(int(m_source->steps().size()));
  m_scrubber->setIndex(int(at));
  wantIndex(int(at));
}

void ExpertsPage::wantIndex(int index) {
  if (!m_source || index < 0 || std::size_t(index) >= m_source->steps().size()) return;
  const std::int64_t step = m_source->steps()[std::size_t(index)];
  m_scrubber->setText(stepText(step));
  if (step != m_shownStep || !m_frame) m_source->want(step);
}

void ExpertsPage::frameReady(std::int64_t step, const ExpertsFrame& frame) {
  if (!frame) {
    m_readout->setText(tr("The loads of step %1 cannot be read from the log.").arg(step));
    return;
  }
  const bool shape = !m_frame || !sameShape(*m_frame, *frame);
  m_frame = frame;
  m_shownStep = step;
  if (shape) {
    m_map->setRowNames(layerNames(m_source->feed()));
    m_fanLayer = -1;
  }
  // In a comparison of runs the other one is shown at the same step.
  if (!m_baseRun.isEmpty() && !m_baseChosen) wantBase();
  if (m_base == nullptr && (m_comparing || m_mode == ExpertMode::Change)) wantBase();
  refreshAll();
  if (m_map->row() < 0) setCell(0, 0);
  if (!m_scrubber->playing()) m_source->wantWindow(step, m_alarms->deadSteps());
  if (m_fanLayer < 0) wantFan();
}

void ExpertsPage::setMode(ExpertMode mode) {
  m_mode = mode;
  if (QAbstractButton* button = m_modes->button(int(mode))) button->setChecked(true);
  m_baseRow->setVisible(m_comparing || mode == ExpertMode::Change);
  if (mode == ExpertMode::Change && !m_base) wantBase();
  refreshAll();
  Q_EMIT locationChanged();
}

void ExpertsPage::setComparing(bool on) {
  m_comparing = on;
  m_compare->setChecked(on);
  m_baseMap->setVisible(on);
  m_baseRow->setVisible(on || m_mode == ExpertMode::Change);
  if (on && !m_base) wantBase();
  refreshAll();
  Q_EMIT locationChanged();
}

/// Another run without a step of its own is compared at the step shown.
void ExpertsPage::setBase(const QString& run, std::int64_t step) {
  const bool other = run != m_baseRun;
  m_baseRun = run == m_run ? QString() : run;
  m_basePicker->setRun(m_baseRun);
  if (other) m_baseSource.reset();
  m_baseChosen = step >= 0 && !(other && !m_baseRun.isEmpty());
  m_baseStep =
      m_baseChosen || !m_source || m_source->steps().empty() ? step : m_source->steps().front();
  m_base = nullptr;
  wantBase();
  refreshAll();
  Q_EMIT locationChanged();
}

void ExpertsPage::wantBase() {
  if (!m_source) return;
  if (!m_baseSource) {
    const QString id = m_baseRun.isEmpty() ? m_run : m_baseRun;
    const std::shared_ptr<RunFeed> feed = studio().runs.feed(id);
    if (!feed) return;
    m_baseSource = std::make_unique<ExpertsSource>(feed);
    feed->setCadence(m_hertz, this);
    connect(m_baseSource.get(), &ExpertsSource::ready, this, &ExpertsPage::baseReady);
    connect(feed.get(), &RunFeed::changed, m_baseSource.get(), [this] {
      if (!m_base) wantBase();
    });
  }
  if (m_baseSource->steps().empty()) return;  // changed() says when it is read
  const bool follow = !m_baseRun.isEmpty() && !m_baseChosen;
  std::int64_t step = follow ? m_shownStep : m_baseStep;
  if (step < 0) step = m_baseSource->steps().front();
  step = m_baseSource->loggedStep(step);
  if (step < 0) step = m_baseSource->steps().front();
  m_baseWanted = step;
  m_baseSource->want(step);
}

void ExpertsPage::baseReady(std::int64_t step, const ExpertsFrame& frame) {
  if (step != m_baseWanted) return;
  m_base = frame;
  m_baseStep = step;
  const QSignalBlocker blocker(m_baseSpin);
  m_baseSpin->setValue(int(step));
  m_baseMap->setRowNames(layerNames(m_baseSource->feed()));
  refreshAll();
}

QStringList ExpertsPage::layerNames(const RunFeed& feed) const {
  const RunSpec* spec = feed.spec();
  return spec ? moeLayerNames(spec->model) : QStringList();
}

}  // namespace tessera::ui
