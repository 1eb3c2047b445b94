// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/monitor_page.h"

#include <QAction>
#include <QHBoxLayout>
#include <QPushButton>
#include <QStackedWidget>
#include <QTabWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <cmath>

#include "ui/bridge/runs/run_store.h"
#include "ui/bridge/runs/run_titles.h"
#include "ui/pages/monitor/charts_tab.h"
#include "ui/pages/monitor/checkpoints_tab.h"
#include "ui/pages/monitor/logs_tab.h"
#include "ui/pages/monitor/machine_tab.h"
#include "ui/pages/monitor/ranks_tab.h"
#include "ui/pages/monitor/run_header.h"
#include "ui/pages/monitor/samples_tab.h"
#include "ui/pages/monitor/spec_tab.h"
#include "ui/pages/monitor/timeline_tab.h"
#include "ui/widgets/chart/scale.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr const char* kTabs[] = {"charts",      "ranks",   "timeline", "logs",
                                 "checkpoints", "samples", "spec",     "machine"};
}

MonitorPage::MonitorPage(Studio& studio, QWidget* parent) : Page(studio, parent) {
  build();
  Selection& selection = studio.selection;
  connect(&selection, &Selection::runChanged, this, [this](const QString& id) { setRun(id); });
  connect(&selection, &Selection::stepChanged, this, [this] { refreshPicked(); });
  connect(&studio.runs, &RunStore::runsChanged, this, [this] {
    if (!m_feed) {
      setRun(m_run);
    } else {
      showRunOrReason();
      showParentRun();
    }
  });
  setRun(selection.run());
}

MonitorPage::~MonitorPage() = default;

void MonitorPage::build() {
  m_stack = new QStackedWidget(this);
  m_empty = new EmptyState(tr("Pick a run to watch it."), tr("Choose a run"),
                           QStringLiteral("monitor"), this);
  connect(m_empty, &EmptyState::pressed, this, [this] {
    studio().navigator.open({QStringLiteral("runs"), {}, {}});
  });
  auto* content = new QWidget(this);
  m_header = new RunHeader(studio(), content);
  m_tabs = new QTabWidget(content);
  m_tabs->setDocumentMode(true);
  m_tabs->setAccessibleName(tr("Parts of the run"));
  m_charts = new ChartsTab(studio(), m_tabs);
  m_ranks = new RanksTab(m_tabs);
  m_timeline = new TimelineTab(studio(), m_tabs);
  m_logs = new LogsTab(studio(), m_tabs);
  m_checkpoints = new CheckpointsTab(studio(), m_tabs);
  m_samples = new SamplesTab(studio(), m_tabs);
  m_spec = new SpecTab(studio(), m_tabs);
  m_machine = new MachineTab(studio(), m_tabs);
  m_tabs->addTab(m_charts, tr("Charts"));
  m_tabs->addTab(m_ranks, tr("Ranks"));
  m_tabs->addTab(m_timeline, tr("Timeline"));
  m_tabs->addTab(m_logs, tr("Logs"));
  m_tabs->addTab(m_checkpoints, tr("Checkpoints"));
  m_tabs->addTab(m_samples, tr("Samples"));
  m_tabs->addTab(m_spec, tr("Spec as run"));
  m_tabs->addTab(m_machine, tr("Machine"));
  connect(m_tabs, &QTabWidget::currentChanged, this, [this] { Q_EMIT locationChanged(); });
  connect(m_ranks, &RanksTab::logAsked, this, [this](int rank) {
    m_logs->showRank(rank);
    m_tabs->setCurrentWidget(m_logs);
  });
  connect(m_checkpoints, &CheckpointsTab::chatRequested, m_header, &RunHeader::openChat);
  connect(m_checkpoints, &CheckpointsTab::forkRequested, m_header, &RunHeader::fork);
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, theme::kGrid);
  column->setSpacing(theme::kGrid);
  column->addWidget(m_header);
  column->addWidget(buildPickedBar());
  column->addWidget(m_tabs, 1);
  m_stack->addWidget(m_empty);
  m_stack->addWidget(content);
  auto* page = new QVBoxLayout(this);
  page->setContentsMargins(0, 0, 0, 0);
  page->addWidget(m_stack);
  addCommand(tr("Run: save a checkpoint and stop"), QStringLiteral("stop"),
             [this] { m_header->stop(false); });
  addCommand(tr("Run: stop now, without saving"), QStringLiteral("stop"),
             [this] { m_header->stop(true); });
  addCommand(tr("Run: save a checkpoint now"), QStringLiteral("save"),
             [this] { m_checkpoints->saveNow(); });
  addCommand(tr("Run: pause or continue"), QStringLiteral("pause"),
             [this] { m_header->togglePause(); });
  addCommand(tr("Run: resume"), QStringLiteral("play"), [this] { m_header->resume(); });
  addCommand(tr("Run: resume as a fork"), QStringLiteral("fork"), [this] { m_header->fork(); });
  addCommand(tr("Run: open in Chat"), QStringLiteral("chat"), [this] { m_header->openChat(); });
  addCommand(tr("Run: show experts"), QStringLiteral("experts"),
             [this] { m_header->openExperts(); });
  addCommand(tr("Run: save everything logged (CSV)"), QStringLiteral("export"),
             [this] { m_charts->exportAll(); });
}

void MonitorPage::addCommand(const QString& text, const QString& icon,
                             const std::function<void()>& run) {
  auto* action = new QAction(theme::icon(icon), text, this);
  connect(action, &QAction::triggered, this, run);
  m_commands.push_back(action);
}

QWidget* MonitorPage::buildPickedBar() {
  auto* bar = new Card(this);
  m_pickedBar = bar;
  bar->setObjectName(QStringLiteral("picked-bar"));
  m_pickedText = new ElidedLabel({}, bar);
  m_pickedText->setFont(theme::font(theme::TextSize::Body, true));
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(theme::kGrid, theme::kHalf, theme::kHalf, theme::kHalf);
  row->setSpacing(theme::kHalf);
  row->addWidget(m_pickedText, 1);
  const auto add = [&](const QString& text, const QString& tip, const std::function<void()>& run) {
    auto* button = new QPushButton(text, bar);
    button->setToolTip(tip);
    connect(button, &QPushButton::clicked, this, run);
    row->addWidget(button);
  };
  add(tr("Experts here"), tr("How tokens spread over the experts at this step"),
      [this] { m_header->openExperts(); });
  add(tr("Ranks here"), tr("What each rank did at this step"),
      [this] { m_tabs->setCurrentWidget(m_ranks); });
  add(tr("Log here"), tr("What the run wrote at this step"), [this] {
    m_tabs->setCurrentWidget(m_logs);
    m_logs->showStep(studio().selection.step());
  });
  add(tr("Checkpoint before"), tr("The newest checkpoint that is not after this step"), [this] {
    m_tabs->setCurrentWidget(m_checkpoints);
    m_checkpoints->selectStep(studio().selection.step());
  });
  auto* close = iconButton(QStringLiteral("close"), tr("Pick no step"), bar);
  connect(close, &QAbstractButton::clicked, this, [this] { studio().selection.setStep(-1); });
  row->addWidget(close);
  bar->hide();
  return bar;
}

void MonitorPage::refreshPicked() {
  const std::int64_t step = studio().selection.step();
  m_ranks->setStep(step);
  const bool shown = step >= 0 && m_feed && m_feed->loaded();
  m_pickedBar->setVisible(shown);
  if (!shown) return;
  const RunHistory& h = m_feed->history();
  QStringList parts{tr("Step %1").arg(numbers::whole(step))};
  if (h.row_of_step(step) >= 0) {
    const auto add = [&](Metric metric, const QString& name) {
      parts << name + QLatin1Char(' ') +
                   chart::valueText(h.metric_at(metric, step), chart::ValueKind::Number);
    };
    add(Metric::Loss, tr("loss"));
    for (const Event& event : h.spikes) {
      const auto* spike = std::get_if<SpikeEvent>(&event.body);
      if (spike && spike->step == step) {
        parts << tr("a spike: usually %1")
                     .arg(chart::valueText(spike->usual, chart::ValueKind::Number));
      }
    }
    add(Metric::GradNorm, tr("gradient norm"));
    add(Metric::LearningRate, tr("learning rate"));
  }
  m_pickedText->setFullText(parts.join(QStringLiteral(" · ")));
}

void MonitorPage::setRun(const QString& id) {
  if (id == m_run && m_feed) return;
  m_run = id;
  if (m_feed) {
    disconnect(m_feed.get(), nullptr, this, nullptr);
    m_feed->setCadence(0, this);  // others may go on with it
  }
  m_feed = id.isEmpty() ? nullptr : studio().runs.feed(id);
  if (m_feed) m_feed->setCadence(m_hertz, this);
  m_header->setFeed(id, m_feed);
  m_charts->setFeed(id, m_feed);
  m_ranks->setFeed(m_feed);
  m_timeline->setFeed(m_feed);
  m_logs->setFeed(m_feed);
  m_checkpoints->setFeed(id, m_feed);
  m_samples->setFeed(m_feed);
  m_spec->setFeed(m_feed);
  m_machine->setFeed(m_feed);
  if (m_feed) {
    connect(m_feed.get(), &RunFeed::changed, this, [this] { feedChanged(); });
    connect(m_feed.get(), &RunFeed::statusChanged, this, [this] { m_header->refresh(); });
    connect(m_feed.get(), &RunFeed::failed, this, [this] { showRunOrReason(); });
  }
  showRunOrReason();
  showParentRun();
  feedChanged();
  Q_EMIT locationChanged();
}

/// Where the run was forked from: a link in the header, and the curves it went on from.
void MonitorPage::showParentRun() {
  const RunRow* row = studio().runs.run(m_run);
  const QString parent = row ? QString::fromStdString(row->parent) : QString();
  const RunRow* from = parent.isEmpty() ? nullptr : studio().runs.run(parent);
  const bool there = from && !from->missing;
  const QString name = from ? QString::fromStdString(from->name) : parent;
  m_header->setLineage(parent, name, row ? row->parent_step : -1, there);
  const QStringList titles = runTitles(studio().runs, {m_run, parent});
  m_charts->setParentRun(parent, titles[1], there ? studio().runs.feed(parent) : nullptr,
                         titles[0]);
}

void MonitorPage::showRunOrReason() {
  const QString reason = whyNothingIsShown();
  m_stack->setCurrentIndex(reason.isEmpty() ? 1 : 0);
  if (!reason.isEmpty()) m_empty->setSentence(reason);
}

/// Empty where there is a run to show.
QString MonitorPage::whyNothingIsShown() const {
  if (m_run.isEmpty()) return tr("Pick a run, and it is watched here while it trains and after.");
  const RunRow* row = studio().runs.run(m_run);
  if (!m_feed || !row) {
    return studio().runs.loaded() ? tr("The run %1 is not in the library.").arg(m_run)
                                  : tr("Looking for the run.");
  }
  if (row->missing) {
    return tr("The folder of %1 is gone. It was %2. Move it back, and the run is here again.")
        .arg(QString::fromStdString(row->name), QString::fromStdString(row->folder.string()));
  }
  return m_feed->folder() ? QString() : m_feed->error();
}

void MonitorPage::feedChanged() {
  showRunOrReason();
  if (!m_feed || !isVisible()) return;
  m_header->refresh();
  refreshPicked();
}

void MonitorPage::showEvent(QShowEvent* event) {
  Page::showEvent(event);
  feedChanged();
}

void MonitorPage::showTab(const QString& id) {
  for (int i = 0; i < m_tabs->count(); ++i) {
    if (id == QLatin1String(kTabs[i])) m_tabs->setCurrentIndex(i);
  }
}

void MonitorPage::open(const Location& location) {
  if (!location.subject.isEmpty() && location.subject != m_run) {
    studio().selection.setRun(location.subject);
  }
  bool ok = false;
  const qlonglong step = location.arguments.value(QStringLiteral("step")).toLongLong(&ok);
  if (ok) studio().selection.setStep(step);
  const QString tab = location.arguments.value(QStringLiteral("tab"));
  showTab(tab);
  if (ok && tab == QLatin1String("logs")) m_logs->showStep(step);
}

Location MonitorPage::location() const {
  Location at{QStringLiteral("monitor"), m_run, {}};
  at.arguments.insert(QStringLiteral("tab"), QLatin1String(kTabs[m_tabs->currentIndex()]));
  const std::int64_t step = studio().selection.step();
  if (step >= 0) at.arguments.insert(QStringLiteral("step"), QString::number(step));
  return at;
}

void MonitorPage::setActivity(bool visible, bool focused) {
  m_hertz = !visible ? 0 : focused ? 10 : 2;
  if (m_feed) m_feed->setCadence(m_hertz, this);
}

QString MonitorPage::command() const {
  return m_run.isEmpty() ? QString() : QStringLiteral("tessera watch %1").arg(m_run);
}

}  // namespace tessera::ui
