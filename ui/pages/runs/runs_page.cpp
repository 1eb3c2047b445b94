// SPDX-License-Identifier: MIT
#include "ui/pages/runs/runs_page.h"

#include <QFileDialog>
#include <QMenu>
#include <QPointer>
#include <QSaveFile>
#include <QTabWidget>
#include <QTableView>
#include <QTimer>
#include <QVBoxLayout>

#include "ui/pages/runs/action_bar.h"
#include "ui/pages/runs/compare_view.h"
#include "ui/pages/runs/queue_view.h"
#include "ui/pages/runs/run_actions.h"
#include "ui/pages/runs/run_details.h"
#include "ui/pages/runs/run_table.h"
#include "ui/pages/runs/sweep_data.h"
#include "ui/pages/runs/sweep_view.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/background.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {
constexpr int kReadTagsMs = 400;
}

RunsPage::RunsPage(Studio& studio, QWidget* parent)
    : Page(studio, parent),
      m_actions(new RunActions(studio, this)),
      m_tabs(new QTabWidget(this)),
      m_tagReader(new QTimer(this)),
      m_details(new RunDetails(studio, this)) {
  m_details->hide();  // until the shell takes it into its dock
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(2 * theme::kGrid, theme::kGrid, 2 * theme::kGrid, theme::kGrid);
  column->addWidget(m_tabs);
  m_tabs->setDocumentMode(true);
  m_tabs->setAccessibleName(tr("Parts of the page"));

  auto* list = new QWidget(m_tabs);
  auto* rows = new QVBoxLayout(list);
  rows->setContentsMargins(0, theme::kGrid, 0, 0);
  rows->setSpacing(theme::kGrid);
  m_table = new RunTable(studio, list);
  rows->addWidget(buildButtons(list));
  rows->addWidget(m_table, 1);
  m_tabs->addTab(list, theme::icon(QStringLiteral("runs")), {});
  for (const char* icon : {"compare", "queue", "branch"}) addTab(QString::fromLatin1(icon));
  m_tagReader->setSingleShot(true);
  m_tagReader->setInterval(kReadTagsMs);
  connect(m_tagReader, &QTimer::timeout, this, &RunsPage::readSweepTags);
  connectParts();
  readSweepTags();
  showCounts();
}

RunsPage::~RunsPage() {
  delete m_details;
}

void RunsPage::addTab(const QString& icon) {
  auto* holder = new QWidget(m_tabs);
  auto* column = new QVBoxLayout(holder);
  column->setContentsMargins(0, 0, 0, 0);
  m_tabs->addTab(holder, theme::icon(icon), {});
}

void RunsPage::fill(Tab tab, QWidget* view) {
  QLayout* layout = m_tabs->widget(tab)->layout();
  layout->addWidget(view);
  view->show();
  layout->activate();
}

void RunsPage::make(int tab) {
  if (tab == Compare) compareView();
  if (tab == Queue) queueView();
  if (tab == Sweeps) sweeps();
}

CompareView& RunsPage::compareView() {
  if (m_compare) return *m_compare;
  m_compare = new CompareView(studio(), m_tabs->widget(Compare));
  connect(m_compare, &CompareView::chooseRequested, this, [this] {
    m_tabs->setCurrentIndex(Table);
    if (!m_compare->runs().isEmpty()) m_table->select(m_compare->runs());
    m_table->view()->setFocus();
  });
  connect(m_compare, &CompareView::runsChanged, this, [this] {
    showCounts();
    Q_EMIT locationChanged();
  });
  fill(Compare, m_compare);
  return *m_compare;
}

QueueView& RunsPage::queueView() {
  if (m_queue) return *m_queue;
  m_queue = new QueueView(studio(), m_tabs->widget(Queue));
  m_queue->setSweeps(m_sweepTags);
  connect(m_queue, &QueueView::sweepRequested, this,
          [this](const QString& tag) { showSweep(tag); });
  fill(Queue, m_queue);
  return *m_queue;
}

SweepView& RunsPage::sweeps() {
  if (m_sweeps) return *m_sweeps;
  m_tagReader->stop();
  m_sweeps = new SweepView(studio(), m_tabs->widget(Sweeps));
  connect(m_sweeps, &SweepView::tagsChanged, this, [this] { takeSweepTags(m_sweeps->tags()); });
  connect(m_sweeps, &SweepView::tagChanged, this, [this] { Q_EMIT locationChanged(); });
  connect(m_sweeps, &SweepView::newRequested, m_actions->newSweep, &QAction::trigger);
  connect(m_sweeps, &SweepView::openRequested, m_table, &RunTable::openRequested);
  connect(m_sweeps, &SweepView::compareRequested, m_actions, &RunActions::compareRequested);
  fill(Sweeps, m_sweeps);
  return *m_sweeps;
}

QWidget* RunsPage::buildButtons(QWidget* parent) {
  const RunActions& a = *m_actions;
  auto* menu = new QMenu(parent);
  a.fillMenu(*menu);
  return new ActionBar({a.open, a.compare, a.resume, a.clone, a.fork, a.tag, a.archive, a.trash},
                       menu, parent);
}

void RunsPage::connectParts() {
  for (QAction* action : m_actions->all()) m_table->addAction(action);
  connect(m_table, &RunTable::selectionChanged, this, [this] {
    const QStringList ids = m_table->selected();
    m_actions->setSelected(ids);
    if (m_details) m_details->showRun(ids.size() == 1 ? ids[0] : QString());
    if (ids.size() == 1) studio().selection.setRun(ids[0]);
    Q_EMIT commandChanged();
  });
  connect(m_table, &RunTable::openRequested, this, [this](const QString& id) {
    studio().selection.setRun(id);
    studio().navigator.open({QStringLiteral("monitor"), id, {}});
  });
  connect(m_table, &RunTable::menuRequested, this, [this](const QPoint& at) {
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    m_actions->fillMenu(*menu);
    menu->popup(at);
  });
  connect(m_actions, &RunActions::compareRequested, this, [this](const QStringList& ids) {
    compareView().setRuns(ids);
    m_tabs->setCurrentIndex(Compare);
  });
  connect(m_actions, &RunActions::editRequested, this, [this](const QString& id, int column) {
    m_tabs->setCurrentIndex(Table);
    m_table->editCell(id, static_cast<RunsModel::Column>(column));
  });
  connect(m_actions, &RunActions::exportTableRequested, this, [this] { exportTable(); });
  connect(m_details, &RunDetails::runRequested, this, [this](const QString& id) {
    m_tabs->setCurrentIndex(Table);
    m_table->select({id});
  });
  const auto readTags = [this] {
    if (!m_sweeps && !m_tagReader->isActive()) m_tagReader->start();
  };
  connect(&studio().launcher, &Launcher::queueChanged, this, [this, readTags] {
    readTags();
    showCounts();
  });
  connect(&studio().runs, &RunStore::runsChanged, this, [this, readTags] {
    readTags();
    m_actions->refresh();
    showCounts();
  });
  connect(m_actions, &RunActions::sweepRequested, this,
          [this](const QString& tag) { showSweep(tag); });
  connect(m_actions, &RunActions::newSweepRequested, this, [this](const QString& run) {
    m_tabs->setCurrentIndex(Sweeps);
    sweeps().askForSweep(run);
  });
  connect(m_tabs, &QTabWidget::currentChanged, this, [this](int tab) {
    make(tab);
    activate();
    Q_EMIT locationChanged();
  });
}

/// Actions and the queue offer the sweep that a run belongs to.
void RunsPage::readSweepTags() {
  struct Answer {
    QStringList tags;
    QString problem;
  };
  inBackground(
      this,
      []() -> Answer {
        try {
          return {sweepTags(), {}};
        } catch (const std::exception& problem) {
          return {{}, QString::fromUtf8(problem.what())};
        }
      },
      [this](const Answer& answer) {
        if (m_sweeps) return;  // it reads them itself by now
        takeSweepTags(answer.tags);
        if (answer.problem.isEmpty()) return studio().navigator.clearProblem("sweeps");
        studio().navigator.setProblem(QStringLiteral("sweeps"), QStringLiteral("error"),
                                      engineWord(answer.problem.toStdString()),
                                      {QStringLiteral("runs"), {}, {{"view", "sweeps"}}});
      });
}

void RunsPage::takeSweepTags(const QStringList& tags) {
  if (tags == m_sweepTags) return;
  m_sweepTags = tags;
  m_actions->setSweeps(tags);
  if (m_queue) m_queue->setSweeps(tags);
}

void RunsPage::showSweep(const QString& tag) {
  sweeps().setTag(tag);
  m_tabs->setCurrentIndex(Sweeps);
}

void RunsPage::showCounts() {
  const auto counted = [](const QString& title, qsizetype count) {
    return count ? QString("%1 (%2)").arg(title).arg(count) : title;
  };
  m_tabs->setTabText(Table, tr("All runs"));
  m_tabs->setTabText(Compare, counted(tr("Compare"), m_compare ? m_compare->runs().size() : 0));
  m_tabs->setTabText(
      Queue, counted(tr("Queue"), static_cast<qsizetype>(studio().launcher.queue().size())));
  m_tabs->setTabText(Sweeps, tr("Sweeps"));
}

void RunsPage::exportTable() {
  const auto chosen = [this](const QString& name) {
    inBackground(
        this,
        [name, text = m_table->asCsv().toUtf8()]() -> QString {
          QSaveFile file(name);
          const bool ok =
              file.open(QIODevice::WriteOnly) && file.write(text) == text.size() && file.commit();
          return ok ? QString() : tr("%1 cannot be written: %2").arg(name, file.errorString());
        },
        [this, name](const QString& error) {
          if (error.isEmpty()) {
            studio().navigator.toast(tr("Saved %1").arg(name));
          } else {
            studio().navigator.notify(QStringLiteral("error"), error);
          }
        });
  };
  auto* dialog = fileDialog(this, this, tr("Save the table"), chosen, QStringLiteral("runs.csv"));
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilter(tr("CSV (*.csv)"));
  dialog->setDefaultSuffix(QStringLiteral("csv"));
  dialog->open();
}

void RunsPage::open(const Location& location) {
  const auto& arguments = location.arguments;
  const QString view = arguments.value(QStringLiteral("view"));
  const QStringList runs = arguments.value(QStringLiteral("runs")).split(',', Qt::SkipEmptyParts);
  if (view == QLatin1String("compare")) {
    if (!runs.isEmpty()) compareView().setRuns(runs);
    m_tabs->setCurrentIndex(Compare);
  } else if (view == QLatin1String("queue")) {
    m_tabs->setCurrentIndex(Queue);
  } else if (view == QLatin1String("sweeps")) {
    showSweep(arguments.value(QStringLiteral("tag"), sweeps().tag()));
  } else if (view == QLatin1String("table")) {
    m_tabs->setCurrentIndex(Table);
  }
  if (arguments.contains(QStringLiteral("filter"))) {
    m_tabs->setCurrentIndex(Table);
    m_table->searchField()->setText(arguments.value(QStringLiteral("filter")));
    Q_EMIT m_table->searchField()->searched(m_table->searchField()->text());
  }
  QStringList selected = arguments.value(QStringLiteral("select")).split(',', Qt::SkipEmptyParts);
  if (!location.subject.isEmpty()) selected = {location.subject};
  if (!selected.isEmpty()) {
    m_tabs->setCurrentIndex(Table);
    m_table->select(selected);
  }
}

Location RunsPage::location() const {
  Location here{QStringLiteral("runs"), {}, {}};
  const int tab = m_tabs->currentIndex();
  if (tab == Queue) here.arguments[QStringLiteral("view")] = QStringLiteral("queue");
  if (tab == Sweeps && m_sweeps) {
    here.arguments[QStringLiteral("view")] = QStringLiteral("sweeps");
    if (!m_sweeps->tag().isEmpty()) here.arguments[QStringLiteral("tag")] = m_sweeps->tag();
  }
  if (tab == Compare && m_compare) {
    here.arguments[QStringLiteral("view")] = QStringLiteral("compare");
    if (!m_compare->runs().isEmpty()) {
      here.arguments[QStringLiteral("runs")] = m_compare->runs().join(',');
    }
  }
  return here;
}

std::vector<QAction*> RunsPage::commands() {
  return m_actions->all();
}

QWidget* RunsPage::inspector() {
  return m_details;
}

void RunsPage::setActivity(bool visible, bool focused) {
  m_visible = visible;
  m_focused = focused;
  activate();
}

void RunsPage::activate() {
  const int tab = m_tabs->currentIndex();
  m_table->setActive(m_visible && tab == Table);
  if (m_compare) m_compare->setActive(m_visible && tab == Compare, m_focused);
  if (m_sweeps) m_sweeps->setActive(m_visible && tab == Sweeps);
}

QString RunsPage::command() const {
  const QStringList ids = m_table->selected();
  const int tab = m_tabs->currentIndex();
  if (tab == Sweeps && m_sweeps && !m_sweeps->tag().isEmpty())
    return "tessera sweep show " + m_sweeps->tag();
  const bool one = tab == Table && ids.size() == 1;
  return one ? "tessera watch " + ids[0] : QStringLiteral("tessera runs");
}

}  // namespace tessera::ui
