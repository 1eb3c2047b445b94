// SPDX-License-Identifier: MIT
#include "ui/widgets/log_view.h"

#include <QAction>
#include <QClipboard>
#include <QElapsedTimer>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QListView>
#include <QScrollBar>
#include <QTimer>
#include <QToolButton>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {
constexpr int kSliceMs = 8, kWide = 100;
}

LogModel::LogModel(int mostLines, QObject* parent)
    : QAbstractListModel(parent), m_most(mostLines), m_slices(new QTimer(this)) {
  m_slices->setInterval(0);
  connect(m_slices, &QTimer::timeout, this, &LogModel::scan);
}

int LogModel::rowCount(const QModelIndex& parent) const {
  if (parent.isValid()) return 0;
  return static_cast<int>(m_filter.isEmpty() ? m_lines.size() : m_matches.size());
}

const QString& LogModel::lineOfRow(int row) const {
  const auto at = static_cast<std::size_t>(row);
  return m_filter.isEmpty() ? m_lines[at] : m_lines[m_matches[at] - m_dropped];
}

QVariant LogModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= rowCount()) return {};
  const QString& line = lineOfRow(index.row());
  if (role == Qt::DisplayRole || (role == Qt::ToolTipRole && line.size() > kWide)) return line;
  if (role == Qt::ForegroundRole) {
    if (line.contains(QLatin1String("error:"))) return theme::colors().bad;
    if (line.contains(QLatin1String("warning:"))) return theme::colors().warning;
  }
  return {};
}

void LogModel::append(const QStringList& lines) {
  if (lines.isEmpty()) return;
  // Of more than there is room for, the first would go at once.
  const qsizetype skip = std::max<qsizetype>(0, lines.size() - m_most);
  const auto first = lines.begin() + skip;
  if (m_filter.isEmpty()) {
    const int rows = rowCount();
    beginInsertRows({}, rows, rows + static_cast<int>(lines.end() - first) - 1);
    m_lines.insert(m_lines.end(), first, lines.end());
    endInsertRows();
  } else {
    m_lines.insert(m_lines.end(), first, lines.end());
    m_slices->start();
  }
  trim();
}

void LogModel::trim() {
  const auto most = static_cast<std::size_t>(m_most);
  if (m_lines.size() <= most) return;
  const std::size_t gone = m_lines.size() - most;
  const quint64 dropped = m_dropped + gone;
  const auto rows =
      m_filter.isEmpty()
          ? static_cast<std::ptrdiff_t>(gone)
          : std::lower_bound(m_matches.begin(), m_matches.end(), dropped) - m_matches.begin();
  if (rows > 0) beginRemoveRows({}, 0, static_cast<int>(rows) - 1);
  if (!m_filter.isEmpty()) m_matches.erase(m_matches.begin(), m_matches.begin() + rows);
  m_lines.erase(m_lines.begin(), m_lines.begin() + static_cast<std::ptrdiff_t>(gone));
  m_dropped = dropped;
  m_scanned -= std::min(m_scanned, gone);
  if (rows > 0) endRemoveRows();
}

void LogModel::clear() {
  beginResetModel();
  m_dropped += m_lines.size();
  m_lines.clear();
  m_matches.clear();
  m_scanned = 0;
  endResetModel();
}

void LogModel::setMostLines(int lines) {
  m_most = lines;
  trim();
}

void LogModel::setFilter(const QString& text) {
  if (text == m_filter) return;
  beginResetModel();
  m_filter = text;
  m_matches.clear();
  m_scanned = 0;
  endResetModel();
  m_slices->stop();
  text.isEmpty() ? Q_EMIT filtered() : m_slices->start();
}

void LogModel::scan() {
  QElapsedTimer timer;
  timer.start();
  std::vector<quint64> found;
  while (m_scanned < m_lines.size() && (m_scanned % 256 != 0 || timer.elapsed() < kSliceMs)) {
    if (m_lines[m_scanned].contains(m_filter, Qt::CaseInsensitive)) {
      found.push_back(m_dropped + m_scanned);
    }
    ++m_scanned;
  }
  if (!found.empty()) {
    const int rows = rowCount();
    beginInsertRows({}, rows, rows + static_cast<int>(found.size()) - 1);
    m_matches.insert(m_matches.end(), found.begin(), found.end());
    endInsertRows();
  }
  if (m_scanned < m_lines.size()) return;
  m_slices->stop();
  Q_EMIT filtered();
}

LogView::LogView(int mostLines, QWidget* parent)
    : QWidget(parent),
      m_model(new LogModel(mostLines, this)),
      m_list(new QListView),
      m_search(new SearchField(tr("Search these lines"))),
      m_count(new TextLabel({}, theme::TextSize::Caption)),
      m_follow(new QToolButton) {
  m_list->setModel(m_model);
  m_list->setUniformItemSizes(true);
  m_list->setSelectionMode(QAbstractItemView::ExtendedSelection);
  m_list->setFont(theme::monospace());
  m_list->setFrameShape(QFrame::NoFrame);
  m_list->setAccessibleName(tr("Log"));
  m_list->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  m_count->setTone(TextLabel::Tone::Secondary)->setTabular();
  m_follow->setText(tr("Follow"));
  m_follow->setToolTip(tr("Keep the newest line in view"));
  m_follow->setCheckable(true);
  m_follow->setChecked(true);
  m_bar = new QWidget;
  auto* bar = new QHBoxLayout(m_bar);
  bar->setContentsMargins(0, theme::kHalf, theme::kGrid, theme::kHalf);
  bar->setSpacing(theme::kGrid);
  m_search->setMaximumWidth(320);
  bar->addWidget(m_search, 1);
  bar->addWidget(m_count);
  bar->addStretch(1);
  bar->addWidget(m_follow);
  auto* box = new QVBoxLayout(this);
  box->setContentsMargins(0, 0, 0, 0);
  box->setSpacing(0);
  box->addWidget(m_bar);
  box->addWidget(m_list, 1);
  auto* copy = new QAction(tr("Copy"), m_list);
  copy->setShortcut(QKeySequence::Copy);
  copy->setShortcutContext(Qt::WidgetShortcut);
  m_list->addAction(copy);
  m_list->setContextMenuPolicy(Qt::ActionsContextMenu);
  connect(copy, &QAction::triggered, this, &LogView::copySelection);
  connect(m_search, &SearchField::searched, m_model, &LogModel::setFilter);
  connect(m_model, &LogModel::filtered, this, &LogView::showCount);
  connect(m_follow, &QToolButton::toggled, m_list, [this](bool on) {
    if (on) m_list->scrollToBottom();
  });
  connect(m_list->verticalScrollBar(), &QScrollBar::actionTriggered, this, [this] {
    const QScrollBar* bar_ = m_list->verticalScrollBar();
    m_follow->setChecked(bar_->sliderPosition() >= bar_->maximum() - 1);
  });
}

void LogView::append(const QStringList& lines) {
  m_model->append(lines);
  if (m_follow->isChecked()) m_list->scrollToBottom();
  showCount();
}

void LogView::clear() {
  m_model->clear();
  showCount();
}

void LogView::showCount() {
  const int lines = static_cast<int>(m_model->lines());
  const QString all = numbers::whole(lines);
  m_count->setText(
      m_search->text().isEmpty()
          ? tr("%1 line(s)", nullptr, lines).arg(all)
          : tr("%1 of %2 line(s)", nullptr, lines).arg(numbers::whole(m_model->rowCount()), all));
}

void LogView::copySelection() const {
  QModelIndexList rows = m_list->selectionModel()->selectedIndexes();
  std::sort(rows.begin(), rows.end());
  QStringList lines;
  for (const QModelIndex& row : rows) lines += row.data().toString();
  QGuiApplication::clipboard()->setText(lines.join(u'\n'));
}

}  // namespace tessera::ui
