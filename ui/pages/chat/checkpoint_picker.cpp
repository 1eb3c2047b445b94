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
constexpr int kRun = Qt::UserRole + 1, kStep = Qt::UserRole + 2;
const QSize kPopup(360, 360);

QString runName(const ChatRun& run) {
  return run.name.isEmpty() ? run.id : run.name;
}
}  // namespace

ChatCheckpoint checkpointOf(const ChatRun& run, qint64 step) {
  return {run.checkpoint(step),
          CheckpointPicker::tr("%1, step %2").arg(runName(run), numbers::whole(step)), run.id,
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
      m_remove(new QPushButton(tr("Answer alone again"), m_popup)) {
  auto* layout = new QVBoxLayout(m_popup);
  layout->setContentsMargins(theme::kGrid, theme::kGrid, theme::kGrid, theme::kGrid);
  layout->setSpacing(theme::kGrid);
  layout->addWidget(m_search);
  layout->addWidget(m_view);
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
  if (m_popup->isVisible()) fill();
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
  m_model->clear();
  m_model->setColumnCount(2);
  QModelIndex current;
  for (std::size_t i = 0; m_runs && i < m_runs->size(); ++i) {
    const ChatRun& run = (*m_runs)[i];
    auto* name = new QStandardItem(runName(run));
    auto* note = new QStandardItem(run.live ? tr("trains now") : numbers::ageOf(run.created));
    name->setToolTip(run.id);
    for (std::size_t s = 0; s < run.steps.size(); ++s) {
      const QString newest = s == 0 ? tr("newest") : QString();
      auto* step = new QStandardItem(tr("step %1").arg(numbers::whole(run.steps[s])));
      step->setData(static_cast<int>(i), kRun);
      step->setData(run.steps[s], kStep);
      name->appendRow({step, new QStandardItem(newest)});
      if (run.id == m_current.run && run.steps[s] == m_current.step) current = step->index();
    }
    name->setData(static_cast<int>(i), kRun);
    name->setData(run.steps.front(), kStep);
    m_model->appendRow({name, note});
    if (run.id == m_current.run && !current.isValid()) current = name->index();
  }
  m_view->header()->setSectionResizeMode(0, QHeaderView::Stretch);
  m_view->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
  if (m_model->rowCount() == 1) m_view->expandAll();
  if (!current.isValid()) return;
  m_view->setCurrentIndex(m_filter->mapFromSource(current));
  m_view->scrollTo(m_view->currentIndex(), QAbstractItemView::PositionAtCenter);
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
  if (!row.isValid() || !m_runs) return;
  const auto run = static_cast<std::size_t>(row.data(kRun).toInt());
  m_popup->hide();
  if (run < m_runs->size())
    Q_EMIT picked(checkpointOf((*m_runs)[run], row.data(kStep).toLongLong()));
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
