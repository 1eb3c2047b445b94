// SPDX-License-Identifier: MIT
#include "ui/shell/bottom_docks.h"

#include <QComboBox>
#include <QCoreApplication>
#include <QDateTime>
#include <QLocale>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QStackedWidget>
#include <QTimer>
#include <QVBoxLayout>

#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/runs/log_tail.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/problems.h"
#include "ui/shell_context.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/log_view.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

// ---- Logs ---------------------------------------------------------------------------------------

LogsPanel::LogsPanel(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_source(new QComboBox),
      m_stack(new QStackedWidget),
      m_empty(new EmptyState(tr("The log of the run that is picked appears here."),
                             tr("Pick a run"), QStringLiteral("logs"))),
      m_run(new LogView(studio.preferences.logLines())),
      m_own(new LogView(10'000)),
      m_tail(std::make_unique<LogTail>()) {
  m_source->setAccessibleName(tr("Whose log"));
  m_source->addItem(tr("Picked run"));
  m_source->addItem(tr("The studio"));
  m_stack->addWidget(m_empty);
  m_stack->addWidget(m_run);
  m_stack->addWidget(m_own);
  // The choice stands in one line with the bars of the logs, so that lines have all of the width.
  m_bars = new QStackedWidget;
  m_bars->addWidget(new QWidget);
  m_bars->addWidget(m_run->bar());
  m_bars->addWidget(m_own->bar());
  m_bars->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  auto* top = new QHBoxLayout;
  top->setContentsMargins(theme::kGrid, 0, 0, 0);
  top->setSpacing(theme::kGrid);
  top->addWidget(m_source);
  top->addWidget(m_bars, 1);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addLayout(top);
  column->addWidget(m_stack, 1);
  connect(m_source, &QComboBox::currentIndexChanged, this, &LogsPanel::pick);
  connect(&studio.selection, &Selection::runChanged, this, &LogsPanel::pick);
  connect(&studio.runs, &RunStore::runsChanged, this, &LogsPanel::pick);
  connect(m_empty, &EmptyState::pressed, this, [this] {
    m_studio.navigator.open({QStringLiteral("runs"), {}, {}});
  });
  connect(m_tail.get(), &LogTail::restarted, m_run, &LogView::clear);
  connect(m_tail.get(), &LogTail::lines, m_run, &LogView::append);
  connect(&studio.preferences, &Preferences::changed, this,
          [this] { m_run->model().setMostLines(m_studio.preferences.logLines()); });
  m_tail->setPaused(true);  // until it is shown
  pick();
}

LogsPanel::~LogsPanel() = default;

void LogsPanel::pick() {
  if (m_source->currentIndex() == 1) {
    m_bars->setCurrentWidget(m_own->bar());
    return m_stack->setCurrentWidget(m_own);
  }
  const RunRow* row = m_studio.runs.run(m_studio.selection.run());
  m_stack->setCurrentWidget(row ? static_cast<QWidget*>(m_run) : m_empty);
  m_bars->setCurrentIndex(row ? 1 : 0);
  const auto path = row ? row->folder / "log" / "rank-0.log" : std::filesystem::path();
  m_tail->follow(QString::fromStdString(path.string()), m_studio.preferences.logLines());
}

void LogsPanel::say(const QString& line) {
  m_own->append({QDateTime::currentDateTime().toString(Qt::ISODate) + u' ' + line});
}

void LogsPanel::showEvent(QShowEvent* event) {
  m_tail->setPaused(false);
  QWidget::showEvent(event);
}
void LogsPanel::hideEvent(QHideEvent* event) {
  m_tail->setPaused(true);
  QWidget::hideEvent(event);
}

// ---- Rows ---------------------------------------------------------------------------------------

RowsPanel::RowsPanel(const QString& empty, const QString& button, const QString& icon,
                     QWidget* parent)
    : QWidget(parent),
      m_stack(new QStackedWidget),
      m_empty(new EmptyState(empty, button, icon)),
      m_soon(new QTimer(this)) {
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  m_stack->addWidget(m_empty);
  m_stack->addWidget(area);
  auto* box = new QVBoxLayout(this);
  box->setContentsMargins(0, 0, 0, 0);
  box->addWidget(m_stack);
  m_soon->setSingleShot(true);
  m_soon->setInterval(100);
  connect(m_soon, &QTimer::timeout, this, &RowsPanel::rebuild);
}

void RowsPanel::changed() {
  if (isVisible() && !m_soon->isActive()) m_soon->start();
}

void RowsPanel::showEvent(QShowEvent* event) {
  rebuild();
  QWidget::showEvent(event);
}

void RowsPanel::rebuild() {
  auto* area = qobject_cast<QScrollArea*>(m_stack->widget(1));
  auto* rows = new QWidget;
  auto* box = new QVBoxLayout(rows);
  box->setContentsMargins(theme::kGrid, theme::kHalf, theme::kGrid, theme::kHalf);
  box->setSpacing(theme::kHalf);
  fill(*box);
  m_stack->setCurrentIndex(box->isEmpty() ? 0 : 1);
  box->addStretch();
  area->setWidget(rows);
  m_rows = rows;
}

TasksPanel::TasksPanel(Studio& studio, QWidget* parent)
    : RowsPanel(tr("Nothing runs in the background."), {}, QStringLiteral("tasks"), parent),
      m_studio(studio) {
  connect(&studio.tasks, &Tasks::changed, this, &TasksPanel::changed);
}

namespace {
constexpr std::size_t kMostRows = 30;

QWidget* taskRow(const Task& task) {
  auto* widget = new QWidget;
  auto* row = new QHBoxLayout(widget);
  row->setContentsMargins(0, 0, 0, 0);
  row->addWidget(new TextLabel(task.title), 2);
  const QDateTime end = task.running() ? QDateTime::currentDateTime() : task.ended;
  const double seconds = static_cast<double>(task.started.msecsTo(end)) / 1e3;
  auto* note = new ElidedLabel(task.note);
  row->addWidget(note, 2);
  if (task.running()) {
    auto* bar = new QProgressBar;
    bar->setRange(0, task.progress < 0 ? 0 : 1000);
    bar->setValue(static_cast<int>(1000 * task.progress));
    bar->setTextVisible(false);
    bar->setAccessibleName(task.title);
    bar->setFixedWidth(160);
    row->addWidget(bar);
    if (task.cancel) {
      auto* cancel = new QPushButton(QCoreApplication::translate("TasksPanel", "Cancel"));
      QObject::connect(cancel, &QPushButton::clicked, cancel, task.cancel);
      row->addWidget(cancel);
    }
    return widget;
  }
  const QString how =
      task.error.isEmpty()
          ? QCoreApplication::translate("TasksPanel", "Done in %1").arg(numbers::duration(seconds))
          : QCoreApplication::translate("TasksPanel", "Failed: %1").arg(task.error);
  auto* label = new TextLabel(how);
  label->setTone(task.error.isEmpty() ? TextLabel::Tone::Secondary : TextLabel::Tone::Bad);
  label->setSelectable();
  row->addWidget(label, 3);
  return widget;
}
}  // namespace

void TasksPanel::fill(QVBoxLayout& rows) {
  std::size_t shown = 0;
  for (const Task& task : m_studio.tasks.all()) {
    if (++shown > kMostRows) break;
    rows.addWidget(taskRow(task));
  }
}

ProblemsPanel::ProblemsPanel(Studio& studio, Problems& problems, QWidget* parent)
    : RowsPanel(tr("No problems."), {}, QStringLiteral("check"), parent),
      m_studio(studio),
      m_problems(problems) {
  connect(&problems, &Problems::changed, this, &ProblemsPanel::changed);
}

void ProblemsPanel::fill(QVBoxLayout& rows) {
  for (const ShellProblem& problem : m_problems.all()) {
    std::function<void()> run = problem.run;
    if (!problem.place.isEmpty()) {
      run = [this, place = Location::fromText(problem.place)] { m_studio.navigator.open(place); };
    }
    const QString action = problem.canAct() ? problem.action : QString();
    auto* line = new Banner(problem.severity, problem.text, action, run);
    // What is at a place is still wrong while one looks at it there.
    if (!problem.place.isEmpty()) line->keepAfterAction();
    const QString key = problem.key;
    // NOTE: the banner that is closed goes with the rows it stands in, after its signal.
    connect(
        line, &Banner::closed, this, [this, key] { m_problems.clear(key); }, Qt::QueuedConnection);
    line->setToolTip(tr("Since %1").arg(QLocale().toString(problem.since, QLocale::ShortFormat)));
    rows.addWidget(line);
  }
}

}  // namespace tessera::ui
