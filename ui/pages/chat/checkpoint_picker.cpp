// SPDX-License-Identifier: MIT
#include "ui/pages/chat/checkpoint_picker.h"

#include <QDir>
#include <QFileInfo>
#include <QFrame>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QScreen>
#include <QSortFilterProxyModel>
#include <QStandardItemModel>
#include <QStyleOptionButton>
#include <QStylePainter>
#include <QTreeView>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {
/// A run's place in the list, one of its steps, and whether a row is a run's own.
constexpr int kRun = Qt::UserRole + 1, kStep = Qt::UserRole + 2, kWhole = Qt::UserRole + 3;
const QSize kPopup(360, 360);

QString runName(const ChatRun& run) {
  return run.name.isEmpty() ? run.id : run.name;
}

const ChatRun* runOf(const std::vector<ChatRun>& runs, const QString& id) {
  const auto found =
      std::find_if(runs.begin(), runs.end(), [&](const ChatRun& run) { return run.id == id; });
  return found == runs.end() ? nullptr : &*found;
}

bool hasStep(const ChatRun* run, qint64 step) {
  return run && std::find(run->steps.begin(), run->steps.end(), step) != run->steps.end();
}
}  // namespace

ChatCheckpoint checkpointOf(const ChatRun& run, qint64 step) {
  return {run.checkpoint(step),
          CheckpointPicker::tr("%1, %2 steps").arg(runName(run), numbers::whole(step)), run.id,
          step};
}

ChatCheckpoint checkpointOfFolder(const QString& folder) {
  return {folder, QFileInfo(QDir::cleanPath(folder)).fileName(), {}, -1};
}

CheckpointPicker::CheckpointPicker(const QString& role, QWidget* parent)
    : QPushButton(parent),
      m_role(role),
      m_popup(new QFrame(this, Qt::Popup)),
      m_search(new SearchField(tr("Search runs"), 120, m_popup)),
      m_view(new QTreeView(m_popup)),
      m_model(new QStandardItemModel(this)),
      m_filter(new QSortFilterProxyModel(this)),
      m_fresh(new QPushButton(m_popup)),
      m_remove(new QPushButton(tr("Answer alone again"), m_popup)) {
  auto* layout = new QVBoxLayout(m_popup);
  layout->setContentsMargins(theme::kGrid, theme::kGrid, theme::kGrid, theme::kGrid);
  layout->setSpacing(theme::kGrid);
  layout->addWidget(m_search);
  layout->addWidget(m_view);
  layout->addWidget(m_fresh);
  m_fresh->hide();
  connect(m_fresh, &QPushButton::clicked, this, &CheckpointPicker::showFresh);
  auto* row = new QHBoxLayout;
  auto* folder = new QPushButton(tr("Open a folder …"), m_popup);
  row->addWidget(folder);
  row->addStretch(1);
  row->addWidget(m_remove);
  m_remove->hide();
  layout->addLayout(row);
  m_filter->setSourceModel(m_model);
  m_filter->setRecursiveFilteringEnabled(true);
  m_filter->setAutoAcceptChildRows(true);
  m_filter->setFilterCaseSensitivity(Qt::CaseInsensitive);
  m_view->setModel(m_filter);
  m_view->setHeaderHidden(true);
  m_view->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_view->setUniformRowHeights(true);
  m_view->setAccessibleName(tr("Runs and their checkpoints"));
  m_view->header()->setStretchLastSection(false);
  connect(this, &QPushButton::clicked, this, &CheckpointPicker::open);
  connect(m_search, &SearchField::searched, this, [this](const QString& text) {
    m_filter->setFilterFixedString(text);
    if (!text.isEmpty()) m_view->expandAll();
  });
  connect(m_search, &SearchField::left, this, [this] { m_view->setFocus(); });
  connect(m_view, &QTreeView::activated, this, &CheckpointPicker::pick);
  connect(m_view, &QTreeView::clicked, this, &CheckpointPicker::pick);
  connect(folder, &QPushButton::clicked, this, [this] {
    m_popup->hide();
    Q_EMIT folderWanted();
  });
  connect(m_remove, &QPushButton::clicked, this, [this] {
    m_popup->hide();
    Q_EMIT removed();
  });
  setAccessibleName(role);
}

void CheckpointPicker::setRuns(std::shared_ptr<const std::vector<ChatRun>> runs) {
  m_runs = std::move(runs);
  if (m_popup->isVisible()) showNews();
}

void CheckpointPicker::setCurrent(const ChatCheckpoint& checkpoint, const QString& note) {
  m_current = checkpoint;
  m_note = note;
  setText(checkpoint.label.isEmpty() ? tr("Pick a checkpoint") : checkpoint.label);
  setToolTip(QStringList{m_role, text(), note, checkpoint.path}.join(u'\n').trimmed());
  setAccessibleDescription(text() + u' ' + note);
  updateGeometry();
  update();
}

void CheckpointPicker::setRemovable(bool removable) {
  m_remove->setVisible(removable);
}

void CheckpointPicker::fill() {
  m_listed = m_runs;
  m_fresh->hide();
  m_model->clear();
  m_model->setColumnCount(2);
  for (std::size_t i = 0; m_listed && i < m_listed->size(); ++i) addRun(i);
  m_view->header()->setSectionResizeMode(0, QHeaderView::Stretch);
  m_view->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
  if (m_model->rowCount() == 1) m_view->expandAll();
}

/// A run, which stands for its newest checkpoint, with its checkpoints below.
void CheckpointPicker::addRun(std::size_t index) {
  const ChatRun& run = (*m_listed)[index];
  auto* name = new QStandardItem(runName(run));
  name->setToolTip(run.id);
  name->setData(static_cast<int>(index), kRun);
  name->setData(run.steps.front(), kStep);
  name->setData(true, kWhole);
  QStandardItem* current = nullptr;
  for (std::size_t s = 0; s < run.steps.size(); ++s) {
    auto* step = new QStandardItem(tr("%1 steps").arg(numbers::whole(run.steps[s])));
    auto* note = new QStandardItem(s == 0 ? tr("newest") : QString());
    step->setData(static_cast<int>(index), kRun);
    step->setData(run.steps[s], kStep);
    if (run.id == m_other.run && run.steps[s] == m_other.step) {
      note->setText(tr("answers beside"));
      for (QStandardItem* item : {step, note}) {
        item->setEnabled(false);
        item->setToolTip(tr("This checkpoint answers beside this one already"));
      }
    }
    name->appendRow({step, note});
    if (run.id == m_current.run && run.steps[s] == m_current.step) current = step;
  }
  m_model->appendRow(
      {name, new QStandardItem(run.live ? tr("trains now") : numbers::ageOf(run.created))});
  if (!current && run.id != m_current.run) return;
  m_view->setCurrentIndex(m_filter->mapFromSource(current ? current->index() : name->index()));
  m_view->scrollTo(m_view->currentIndex(), QAbstractItemView::PositionAtCenter);
}

/// While the list is open no row moves: what was removed cannot be picked any more, what is new is
/// counted on a button.
void CheckpointPicker::showNews() {
  if (!m_runs || !m_listed || m_listed->empty()) return fill();  // nothing that could move
  int fresh = 0;
  for (const ChatRun& run : *m_runs) {
    const ChatRun* listed = runOf(*m_listed, run.id);
    fresh += static_cast<int>(std::count_if(run.steps.begin(), run.steps.end(),
                                            [&](qint64 s) { return !hasStep(listed, s); }));
  }
  for (int row = 0; row < m_model->rowCount(); ++row) {
    QStandardItem* name = m_model->item(row);
    const ChatRun* now = runOf(*m_runs, (*m_listed)[static_cast<std::size_t>(row)].id);
    if (!now) name->setEnabled(false);
    for (int s = 0; s < name->rowCount(); ++s) {
      if (hasStep(now, name->child(s)->data(kStep).toLongLong())) continue;
      name->child(s)->setEnabled(false);
      name->child(s, 1)->setText(tr("removed"));
    }
  }
  m_fresh->setText(tr("Show %n newer checkpoints", nullptr, fresh));
  m_fresh->setVisible(fresh > 0);
}

/// Fills the list anew at the user's wish; what was open stays open.
void CheckpointPicker::showFresh() {
  QStringList open;
  for (int row = 0; row < m_model->rowCount(); ++row) {
    const QModelIndex index = m_filter->mapFromSource(m_model->index(row, 0));
    if (m_view->isExpanded(index)) open << (*m_listed)[static_cast<std::size_t>(row)].id;
  }
  fill();
  for (int row = 0; row < m_model->rowCount(); ++row) {
    if (!open.contains((*m_listed)[static_cast<std::size_t>(row)].id)) continue;
    m_view->expand(m_filter->mapFromSource(m_model->index(row, 0)));
  }
  m_view->setFocus();
}

void CheckpointPicker::open() {
  m_search->clear();
  m_filter->setFilterFixedString({});
  fill();
  m_popup->resize(kPopup);
  QPoint at = mapToGlobal(QPoint(0, height() + 2));
  if (const QScreen* where = screen()) {
    const QRect room = where->availableGeometry();
    at.setX(std::clamp(at.x(), room.left(), std::max(room.left(), room.right() - kPopup.width())));
  }
  m_popup->move(at);
  m_popup->show();
  m_view->setFocus();
}

void CheckpointPicker::pick(const QModelIndex& index) {
  const QModelIndex row = m_filter->mapToSource(index.siblingAtColumn(0));
  if (!row.isValid() || !m_listed || !m_popup->isVisible()) return;
  const auto at = static_cast<std::size_t>(row.data(kRun).toInt());
  if (at >= m_listed->size()) return;
  const ChatCheckpoint wanted = checkpointOf((*m_listed)[at], row.data(kStep).toLongLong());
  if (wanted == m_other) {  // a run whose newest checkpoint answers beside: another of its steps
    if (row.data(kWhole).toBool()) m_view->expand(m_filter->mapFromSource(row));
    return;
  }
  m_popup->hide();
  Q_EMIT picked(wanted);
}

QSize CheckpointPicker::sizeHint() const {
  const int text = fontMetrics().horizontalAdvance(this->text());
  return {std::clamp(text + 5 * theme::kGrid, 120, 340), QPushButton::sizeHint().height()};
}

QSize CheckpointPicker::minimumSizeHint() const {
  return {96, QPushButton::sizeHint().height()};
}

void CheckpointPicker::paintEvent(QPaintEvent*) {
  QStylePainter painter(this);
  QStyleOptionButton option;
  initStyleOption(&option);
  option.features |= QStyleOptionButton::HasMenu;
  const int room = width() - 4 * theme::kGrid - theme::kHalf;
  option.text = fontMetrics().elidedText(text(), Qt::ElideMiddle, room);
  painter.drawControl(QStyle::CE_PushButton, option);
}

}  // namespace tessera::ui
