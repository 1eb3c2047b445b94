// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/checkpoints_tab.h"

#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QPushButton>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>

#include "ui/bridge/desktop/last_words.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/state_badge.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

CheckpointsTab::CheckpointsTab(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_stack(new QStackedWidget(this)),
      m_table(new QTableView(this)),
      m_chat(new QPushButton(theme::icon(QStringLiteral("chat")), tr("Open in Chat"), this)),
      m_fork(new QPushButton(theme::icon(QStringLiteral("fork")), tr("Resume as a fork"), this)),
      m_export(new QPushButton(theme::icon(QStringLiteral("export")), tr("Export..."), this)),
      m_save(new QPushButton(theme::icon(QStringLiteral("save")), tr("Save now"), this)) {
  m_table->setModel(&m_model);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->setShowGrid(false);
  m_table->setAlternatingRowColors(true);
  m_table->setAccessibleName(tr("Checkpoints"));
  enableCopy(m_table);
  m_table->setFont(theme::font(theme::TextSize::Body, true));
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setDefaultSectionSize(theme::kRowHeight);
  m_table->horizontalHeader()->setStretchLastSection(true);
  m_table->horizontalHeader()->setDefaultSectionSize(120);
  m_table->setTabKeyNavigation(false);
  m_table->setColumnWidth(CheckpointsModel::When, 170);
  auto* empty = new EmptyState(
      tr("No checkpoint yet: checkpoint.every_steps says how often a run saves itself."),
      tr("Save one now"), QStringLiteral("save"), this);
  connect(empty, &EmptyState::pressed, this, &CheckpointsTab::saveNow);
  m_stack->addWidget(empty);
  m_stack->addWidget(m_table);
  auto* buttons = new QHBoxLayout;
  buttons->setSpacing(theme::kHalf);
  for (QPushButton* b : {m_chat, m_fork, m_export}) buttons->addWidget(b);
  buttons->addStretch(1);
  buttons->addWidget(m_save);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->setSpacing(theme::kGrid);
  column->addLayout(buttons);
  column->addWidget(m_stack, 1);
  m_fork->setToolTip(tr("A new run from this checkpoint, with settings you change first"));
  m_export->setToolTip(tr("Write it as a released folder, with config.json, for other programs"));
  connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this,
          [this] { refresh(); });
  connect(&m_model, &QAbstractItemModel::rowsInserted, this, [this] { refresh(); });
  connect(&m_model, &QAbstractItemModel::modelReset, this, [this] { refresh(); });
  connect(m_table, &QTableView::doubleClicked, this, [this] { m_chat->click(); });
  connect(m_chat, &QPushButton::clicked, this, [this] {
    const QString path = m_model.index(row(), 0).data(CheckpointsModel::PathRole).toString();
    Q_EMIT chatRequested(QFileInfo(path).fileName());
  });
  connect(m_fork, &QPushButton::clicked, this, [this] {
    Q_EMIT forkRequested(m_model.index(row(), 0).data(CheckpointsModel::StepRole).toLongLong());
  });
  connect(m_export, &QPushButton::clicked, this, [this] { exportSelected(); });
  m_save->setToolTip(tr("The run saves a checkpoint between two steps, and goes on"));
  connect(m_save, &QPushButton::clicked, this, &CheckpointsTab::saveNow);
  refresh();
}

void CheckpointsTab::setFeed(const QString& id, std::shared_ptr<RunFeed> feed) {
  if (m_feed) disconnect(m_feed.get(), nullptr, this, nullptr);
  m_id = id;
  m_feed = std::move(feed);
  m_model.setFeed(m_feed);
  if (m_feed) connect(m_feed.get(), &RunFeed::statusChanged, this, &CheckpointsTab::refresh);
  refresh();
}

int CheckpointsTab::row() const {
  const QModelIndexList rows = m_table->selectionModel()->selectedRows();
  return rows.isEmpty() ? -1 : rows.front().row();
}

void CheckpointsTab::refresh() {
  const bool any = m_model.rowCount() > 0;
  m_stack->setCurrentIndex(any ? 1 : 0);
  if (any && row() < 0) m_table->selectRow(0);  // says selectionChanged(), which comes back here
  for (QPushButton* b : {m_chat, m_fork, m_export}) {
    setEnabledBecause(b, row() >= 0, any ? tr("Select a checkpoint.") : tr("None has been saved."));
  }
  const RunState state = m_feed ? m_feed->status().state : RunState::Draft;
  setEnabledBecause(m_save, isLive(state) && state != RunState::LostContact,
                    tr("The run is not running."));
}

void CheckpointsTab::saveNow() {
  if (!m_save->isEnabled()) return m_studio.navigator.toast(m_save->toolTip());
  m_studio.launcher.control(m_id, Control::Save);
  m_studio.navigator.toast(tr("%1 saves a checkpoint after this step").arg(m_id));
}

void CheckpointsTab::selectStep(std::int64_t step) {
  // Newest first: the first one that is not after the step.
  for (int i = 0; i < m_model.rowCount(); ++i) {
    if (m_model.index(i, 0).data(CheckpointsModel::StepRole).toLongLong() > step) continue;
    m_table->selectRow(i);
    m_table->scrollTo(m_model.index(i, 0));
    return;
  }
}

namespace {
/// "demo-step-850", or "demo-step-850-2" where the folder has the first.
QString freeName(const QDir& folder, const QString& wanted) {
  QString name = wanted;
  for (int number = 2; folder.exists(name); ++number) {
    name = wanted + QLatin1Char('-') + QString::number(number);
  }
  return name;
}
}  // namespace

void CheckpointsTab::exportSelected() {
  const QString path = m_model.index(row(), 0).data(CheckpointsModel::PathRole).toString();
  if (path.isEmpty()) return;
  auto* dialog = fileDialog(
      this, this, tr("Export to a new folder"),
      [this, path](const QString& folder) { startExport(path, folder); },
      m_id + QLatin1Char('-') + QFileInfo(path).fileName());
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setLabelText(QFileDialog::Accept, tr("Export"));
  dialog->setLabelText(QFileDialog::FileName, tr("New folder:"));
  dialog->setNameFilter(tr("Folders and files (*)"));
  // Where the proposed name is taken, Enter would go into that folder and not export.
  if (auto* name = dialog->findChild<QLineEdit*>(QStringLiteral("fileNameEdit"))) {
    name->setText(freeName(dialog->directory(), name->text()));
  }
  dialog->open();
}

/// A process of its own, as everything that reads weights.
void CheckpointsTab::startExport(const QString& checkpoint, const QString& folder) {
  auto* process = new QProcess(this);
  process->setProcessChannelMode(QProcess::MergedChannels);
  const std::int64_t task = m_studio.tasks.begin(
      tr("Exporting %1").arg(QFileInfo(checkpoint).fileName()), [process] { process->kill(); });
  const auto end = [this, process, task, folder](const QString& error) {
    m_studio.tasks.finish(task, error);
    if (error.isEmpty()) {
      m_studio.navigator.notify(QStringLiteral("info"), tr("Exported to %1").arg(folder),
                                tr("Open in Chat"), [&to = m_studio.navigator, folder] {
                                  to.open({QStringLiteral("chat"), folder, {}});
                                });
    } else {
      m_studio.navigator.notify(QStringLiteral("error"), error);
    }
    process->deleteLater();
  };
  connect(process, &QProcess::finished, this,
          [process, end](int code, QProcess::ExitStatus status) {
            if (status == QProcess::NormalExit && code == 0) return end({});
            const QString said = engineWord(lastWords(process->readAll()).toStdString());
            end(said.isEmpty() ? CheckpointsTab::tr("The export was cancelled.")
                               : CheckpointsTab::tr("The export failed: %1").arg(said));
          });
  connect(process, &QProcess::errorOccurred, this, [process, end](QProcess::ProcessError error) {
    if (error != QProcess::FailedToStart) return;  // finished() tells of the others
    end(CheckpointsTab::tr("%1 cannot be started: %2")
            .arg(process->program(), process->errorString()));
  });
  process->start(Launcher::program(), {QStringLiteral("export"), checkpoint, folder});
}

}  // namespace tessera::ui
