// SPDX-License-Identifier: MIT
#include "ui/pages/runs/queue_view.h"

#include <QAction>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QItemSelectionModel>
#include <QPushButton>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>

#include "core/spec/spec.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"

namespace tessera::ui {

QueueView::QueueView(Studio& studio, QWidget* parent)
    : QWidget(parent), m_studio(studio), m_model(studio.launcher) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->setSpacing(theme::kGrid);
  auto* rule = new TextLabel(
      Launcher::queueRule() + ' ' +
          tr("Entries survive restarts of the studio. %1").arg(Launcher::sharingRule()),
      theme::TextSize::Caption, this);
  rule->setTone(TextLabel::Tone::Secondary)->setWrapped();
  column->addWidget(rule);
  m_standing = new ElidedLabel({}, this);
  m_standing->setForegroundRole(QPalette::PlaceholderText);
  m_stack = new QStackedWidget(this);
  buildView();
  auto* empty = new EmptyState(tr("No run waits. Configure one and choose “Enqueue”."),
                               tr("Configure a run"), QStringLiteral("queue"), this);
  connect(empty, &EmptyState::pressed, this, [this] {
    m_studio.navigator.open({QStringLiteral("configure"), {}, {}});
  });
  m_stack->addWidget(m_view);
  m_stack->addWidget(empty);
  column->addWidget(buildButtons());
  column->addWidget(m_stack, 1);
  for (const auto signal : {&QAbstractItemModel::rowsInserted, &QAbstractItemModel::rowsRemoved}) {
    connect(&m_model, signal, this, [this] { refresh(); });
  }
  connect(&m_model, &QAbstractItemModel::modelReset, this, [this] { refresh(); });
  connect(&m_model, &QAbstractItemModel::dataChanged, this, [this] { refresh(); });
  connect(&m_model, &QAbstractItemModel::rowsMoved, this, [this] { refresh(); });
  connect(&studio.launcher, &Launcher::queueChanged, this, [this] { refresh(); });
  connect(&studio.launcher, &Launcher::localRunChanged, this, [this] { refresh(); });
  refresh();
}

void QueueView::buildView() {
  m_view = new QTableView(this);
  m_view->setModel(&m_model);
  m_view->setAccessibleName(tr("Runs that wait"));
  m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_view->setSelectionMode(QAbstractItemView::SingleSelection);
  m_view->setDragDropMode(QAbstractItemView::InternalMove);
  m_view->setDragDropOverwriteMode(false);
  m_view->setDropIndicatorShown(true);
  m_view->setShowGrid(false);
  m_view->setWordWrap(false);
  m_view->setTabKeyNavigation(false);
  m_view->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  m_view->verticalHeader()->setDefaultSectionSize(theme::kRowHeight + theme::kHalf);
  QHeaderView* header = m_view->horizontalHeader();
  header->setHighlightSections(false);
  header->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  m_view->setColumnWidth(QueueModel::Name, 220);
  m_view->setColumnWidth(QueueModel::Kind, 180);
  m_view->setColumnWidth(QueueModel::Place, 140);
  header->setStretchLastSection(true);
  connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this,
          [this] { refresh(); });
  const auto key = [this](const QKeySequence& keys, auto work) {
    auto* action = new QAction(m_view);
    action->setShortcut(keys);
    // In all of the window while the queue is shown, whatever has the focus.
    action->setShortcutContext(Qt::WindowShortcut);
    connect(action, &QAction::triggered, this, work);
    m_view->addAction(action);
  };
  key(QKeySequence(Qt::ALT | Qt::Key_Up), [this] { moveCurrent(-1); });
  key(QKeySequence(Qt::ALT | Qt::Key_Down), [this] { moveCurrent(1); });
  key(QKeySequence(Qt::Key_Delete), [this] { removeCurrent(); });
}

QWidget* QueueView::buildButtons() {
  auto* bar = new QWidget(this);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kGrid);
  const auto add = [&](const QString& text, const char* icon) {
    auto* button = new QPushButton(text, bar);
    button->setIcon(theme::icon(QLatin1String(icon)));
    row->addWidget(button);
    return button;
  };
  m_pause = add(tr("Pause the queue"), "pause");
  m_up = add(tr("Move up"), "chevron-up");
  m_down = add(tr("Move down"), "chevron-down");
  m_again = add(tr("Try again"), "refresh");
  m_remove = add(tr("Remove"), "close");
  m_sweep = add(tr("Show its sweep"), "branch");
  m_standing->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
  row->addWidget(m_standing, 1);
  m_up->setToolTip(tr("Alt+Up"));
  m_down->setToolTip(tr("Alt+Down"));
  m_remove->setToolTip(tr("Delete"));
  connect(m_pause, &QPushButton::clicked, this,
          [this] { m_studio.launcher.setQueuePaused(!m_studio.launcher.queuePaused()); });
  connect(m_up, &QPushButton::clicked, this, [this] { moveCurrent(-1); });
  connect(m_down, &QPushButton::clicked, this, [this] { moveCurrent(1); });
  connect(m_remove, &QPushButton::clicked, this, [this] { removeCurrent(); });
  connect(m_again, &QPushButton::clicked, this,
          [this] { m_studio.launcher.retryQueued(current()); });
  connect(m_sweep, &QPushButton::clicked, this,
          [this] { Q_EMIT sweepRequested(sweepOfCurrent()); });
  return bar;
}

QString QueueView::current() const {
  const auto rows = m_view->selectionModel()->selectedRows();
  return rows.isEmpty() ? QString() : QString::fromStdString(m_model.entry(rows.first().row()).id);
}

void QueueView::setSweeps(const QStringList& tags) {
  m_sweeps = tags;
  refresh();
}

/// The tag stands in the entry's spec; empty: it belongs to no sweep.
QString QueueView::sweepOfCurrent() const {
  const int row = m_model.rowOf(current());
  if (row < 0 || m_sweeps.isEmpty()) return {};
  for (const std::string& tag : read_spec_text(m_model.entry(row).spec, "queue").spec.run.tags) {
    if (m_sweeps.contains(QString::fromStdString(tag))) return QString::fromStdString(tag);
  }
  return {};
}

void QueueView::select(const QString& entryId) {
  const int row = m_model.rowOf(entryId);
  if (row >= 0) m_view->selectRow(row);
}

void QueueView::moveCurrent(int by) {
  const QString id = current();
  m_model.moveEntry(id, by);
  select(id);
}

/// With a way back: a spec that took an hour to write must not go by one key.
void QueueView::removeCurrent() {
  const QString id = current();
  const int row = m_model.rowOf(id);
  if (row < 0) return;
  const QueueEntry entry = m_model.entry(row);
  m_studio.launcher.removeFromQueue(id);
  if (m_model.rowCount() > 0) m_view->selectRow(std::min(row, m_model.rowCount() - 1));
  m_studio.navigator.toast(
      tr("%1 was taken out of the queue").arg(QString::fromStdString(entry.name)),
      [&launcher = m_studio.launcher, entry, row] {
        launcher.enqueue(entry);
        launcher.moveInQueue(QString::fromStdString(entry.id), row);
      });
}

void QueueView::refresh() {
  const bool paused = m_studio.launcher.queuePaused();
  const int rows = m_model.rowCount();
  const QString id = current();
  const int row = m_model.rowOf(id);
  m_stack->setCurrentIndex(rows > 0 ? 0 : 1);
  m_pause->setText(paused ? tr("Go on with the queue") : tr("Pause the queue"));
  m_pause->setIcon(theme::icon(paused ? QStringLiteral("play") : QStringLiteral("pause")));
  const QString choose = tr("Choose an entry first");
  setEnabledBecause(m_up, row > 0, row < 0 ? choose : tr("It is the first"));
  setEnabledBecause(m_down, row >= 0 && row + 1 < rows, row < 0 ? choose : tr("It is the last"));
  setEnabledBecause(m_remove, row >= 0, choose);
  setEnabledBecause(m_again, row >= 0 && !m_model.entry(row).problem.empty(),
                    row < 0 ? choose : tr("It has not failed to start"));
  m_sweep->setVisible(!sweepOfCurrent().isEmpty());
  const QString running = m_studio.launcher.localRun();
  m_standing->setFullText(running.isEmpty() ? tr("No run is running on this machine")
                                            : tr("Running here: %1").arg(running));
}

}  // namespace tessera::ui
