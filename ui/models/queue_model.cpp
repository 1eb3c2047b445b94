// SPDX-License-Identifier: MIT
#include "ui/models/queue_model.h"

#include <QMimeData>
#include <algorithm>

namespace tessera::ui {

namespace {
constexpr const char* kMime = "application/x-tessera-queue-entry";

QString words(const std::string& text) {
  return QString::fromStdString(text);
}

bool sameIds(const std::vector<QueueEntry>& a, const std::vector<QueueEntry>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const QueueEntry& x, const QueueEntry& y) { return x.id == y.id; });
}
}  // namespace

QueueModel::QueueModel(Launcher& launcher, QObject* parent)
    : QAbstractTableModel(parent), m_launcher(launcher), m_entries(launcher.queue()) {
  connect(&launcher, &Launcher::queueChanged, this, [this] { take(); });
  connect(&launcher, &Launcher::localRunChanged, this, [this] {
    if (!m_entries.empty()) Q_EMIT dataChanged(index(0, Standing), index(rowCount() - 1, Standing));
  });
}

/// One entry that came, went or moved is told as such, so that selections stay; else all is new.
void QueueModel::take() {
  const std::vector<QueueEntry>& now = m_launcher.queue();
  const auto common =
      std::mismatch(m_entries.begin(), m_entries.end(), now.begin(), now.end(),
                    [](const QueueEntry& a, const QueueEntry& b) { return a.id == b.id; });
  const int first = static_cast<int>(common.first - m_entries.begin());
  if (now.size() == m_entries.size() + 1) {
    auto without = now;
    without.erase(without.begin() + first);
    if (sameIds(without, m_entries)) {
      beginInsertRows({}, first, first);
      m_entries = now;
      endInsertRows();
    }
  } else if (now.size() + 1 == m_entries.size()) {
    auto without = m_entries;
    without.erase(without.begin() + first);
    if (sameIds(without, now)) {
      beginRemoveRows({}, first, first);
      m_entries = now;
      endRemoveRows();
    }
  } else if (now.size() == m_entries.size() && !sameIds(now, m_entries)) {
    const auto size = static_cast<int>(now.size());
    int last = size - 1;
    while (now[static_cast<std::size_t>(last)].id == m_entries[static_cast<std::size_t>(last)].id) {
      --last;
    }
    auto down = m_entries, up = m_entries;
    std::rotate(down.begin() + first, down.begin() + first + 1, down.begin() + last + 1);
    std::rotate(up.begin() + first, up.begin() + last, up.begin() + last + 1);
    if (sameIds(down, now)) {
      beginMoveRows({}, first, first, {}, last + 1);
      m_entries = now;
      endMoveRows();
    } else if (sameIds(up, now)) {
      beginMoveRows({}, last, last, {}, first);
      m_entries = now;
      endMoveRows();
    }
  }
  if (!sameIds(now, m_entries)) {
    beginResetModel();
    m_entries = now;
    endResetModel();
  } else if (!m_entries.empty()) {  // places and problems
    m_entries = now;
    Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1));
  }
}

int QueueModel::rowOf(const QString& entryId) const {
  const auto at =
      std::find_if(m_entries.begin(), m_entries.end(),
                   [id = entryId.toStdString()](const QueueEntry& e) { return e.id == id; });
  return at == m_entries.end() ? -1 : static_cast<int>(at - m_entries.begin());
}

void QueueModel::moveEntry(const QString& entryId, int by) {
  const int row = rowOf(entryId);
  const int to = std::clamp(row + by, 0, rowCount() - 1);
  if (row >= 0 && to != row) m_launcher.moveInQueue(entryId, to);
}

int QueueModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_entries.size());
}
int QueueModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : ColumnCount;
}

QString QueueModel::standing(int row) const {
  const QueueEntry& e = entry(row);
  if (!e.problem.empty()) return tr("Cannot start: %1").arg(words(e.problem).section('\n', 0, 0));
  if (!e.announced.empty()) return tr("Starting");
  if (m_launcher.queuePaused()) return tr("The queue is paused");
  if (!e.place.is_here()) {
    return e.place.kind == LaunchPlace::Kind::Slurm ? tr("Starts now")
                                                    : tr("Starts when its hosts are free");
  }
  const auto ahead = std::find_if(
      m_entries.begin(), m_entries.begin() + row,
      [](const QueueEntry& other) { return other.problem.empty() && other.place.needs_here(); });
  if (ahead != m_entries.begin() + row) return tr("Waits for its turn");
  const QString running = m_launcher.localRun();
  return running.isEmpty() ? tr("Starts now") : tr("Starts when %1 has ended").arg(running);
}

QVariant QueueModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  const QueueEntry& e = entry(index.row());
  if (role == IdRole) return words(e.id);
  if (role == ProblemRole) return words(e.problem);
  if (role == Qt::ToolTipRole) {
    return e.problem.empty() ? standing(index.row()) : words(e.problem);
  }
  if (role != Qt::DisplayRole) return {};
  switch (index.column()) {
    case Name:
      return words(e.name);
    case Kind:
      if (!e.fork_from.empty()) return tr("Fork of %1").arg(words(e.fork_from));
      return e.resume.empty() ? tr("New run") : tr("Goes on with %1").arg(words(e.resume));
    case Place:
      return e.place.is_here() ? tr("This machine") : words(e.place.text());
    default:
      return standing(index.row());
  }
}

QVariant QueueModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (role != Qt::DisplayRole) return {};
  if (orientation == Qt::Vertical) return section + 1;
  const QString titles[] = {tr("Run"), tr("What"), tr("Where"), tr("Standing")};
  static_assert(std::size(titles) == ColumnCount);
  return section >= 0 && section < ColumnCount ? titles[section] : QVariant();
}

Qt::ItemFlags QueueModel::flags(const QModelIndex& index) const {
  // Only between rows may be dropped, not on them.
  if (!index.isValid()) return Qt::ItemIsDropEnabled;
  return QAbstractTableModel::flags(index) | Qt::ItemIsDragEnabled | Qt::ItemNeverHasChildren;
}

QStringList QueueModel::mimeTypes() const {
  return {kMime};
}

QMimeData* QueueModel::mimeData(const QModelIndexList& indexes) const {
  if (indexes.isEmpty()) return nullptr;
  auto* data = new QMimeData;
  data->setData(kMime, QByteArray::fromStdString(entry(indexes.first().row()).id));
  return data;
}

// NOTE: the answer is false although the row has moved: after true, the view would remove the row
// that was dragged.
bool QueueModel::dropMimeData(const QMimeData* data, Qt::DropAction action, int row, int,
                              const QModelIndex& parent) {
  if (action != Qt::MoveAction || !data->hasFormat(kMime)) return false;
  const QString id = QString::fromUtf8(data->data(kMime));
  const int from = rowOf(id);
  int to = row >= 0 ? row : parent.isValid() ? parent.row() : rowCount();
  if (from < 0) return false;
  if (to > from) --to;  // the place is counted with the row still in it
  if (to != from) m_launcher.moveInQueue(id, to);
  return false;
}

}  // namespace tessera::ui
