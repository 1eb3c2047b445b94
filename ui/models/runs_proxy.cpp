// SPDX-License-Identifier: MIT
#include "ui/models/runs_proxy.h"

#include <algorithm>
#include <numeric>

namespace tessera::ui {

namespace {
constexpr int kFewRows = 64;
std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}
}  // namespace

RunsProxy::RunsProxy(RunsModel& runs, QObject* parent) : QAbstractProxyModel(parent), m_runs(runs) {
  setSourceModel(&runs);
  connect(&runs, &QAbstractItemModel::modelAboutToBeReset, this, [this] { beginResetModel(); });
  connect(&runs, &QAbstractItemModel::modelReset, this, [this] {
    setOrder(ordered());
    endResetModel();
  });
  connect(&runs, &QAbstractItemModel::rowsInserted, this,
          [this](const QModelIndex&, int first, int last) { sourceInserted(first, last); });
  connect(&runs, &QAbstractItemModel::rowsAboutToBeRemoved, this,
          [this](const QModelIndex&, int first, int last) { sourceAboutToRemove(first, last); });
  connect(&runs, &QAbstractItemModel::rowsRemoved, this,
          [this](const QModelIndex&, int first, int last) {
            for (int& source : m_order) source -= source > last ? last - first + 1 : 0;
            reindex();
          });
  connect(&runs, &QAbstractItemModel::dataChanged, this,
          [this](const QModelIndex& top, const QModelIndex& bottom, const QList<int>& roles) {
            sourceChanged(top, bottom, roles);
          });
  setOrder(ordered());
}

bool RunsProxy::accepts(int source) const {
  const RunRow& run = m_runs.row(source);
  if (run.archived != m_filter.archived) return false;
  if (!m_filter.states.isEmpty() && !m_filter.states.contains(static_cast<int>(run.state))) {
    return false;
  }
  if (!m_filter.tag.isEmpty()) {
    const std::string tag = m_filter.tag.toStdString();
    if (std::find(run.tags.begin(), run.tags.end(), tag) == run.tags.end()) return false;
  }
  const QString& haystack = m_runs.haystack(source);
  return std::all_of(m_words.begin(), m_words.end(),
                     [&](const QString& word) { return haystack.contains(word); });
}

/// Equal ones stay in the order of the source, newest first.
bool RunsProxy::before(int a, int b) const {
  if (m_runs.lessThan(a, b, m_column, m_descending)) return true;
  if (m_runs.lessThan(b, a, m_column, m_descending)) return false;
  return a < b;
}

std::vector<int> RunsProxy::ordered() const {
  std::vector<int> order;
  for (int i = 0; i < m_runs.rowCount(); ++i) {
    if (accepts(i)) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [this](int a, int b) { return m_runs.lessThan(a, b, m_column, m_descending); });
  return order;
}

void RunsProxy::setOrder(std::vector<int> order) {
  m_order = std::move(order);
  reindex();
}

void RunsProxy::reindex() {
  m_place.assign(at(m_runs.rowCount()), -1);
  for (std::size_t i = 0; i < m_order.size(); ++i) {
    // While the source removes rows, places beyond its end are about to be renumbered.
    if (at(m_order[i]) >= m_place.size()) m_place.resize(at(m_order[i]) + 1, -1);
    m_place[at(m_order[i])] = static_cast<int>(i);
  }
}

void RunsProxy::setFilter(const RunFilter& filter) {
  if (filter == m_filter) return;
  m_filter = filter;
  m_words = filter.words.toLower().split(' ', Qt::SkipEmptyParts);
  auto order = ordered();
  if (order == m_order) return;
  beginResetModel();
  setOrder(std::move(order));
  endResetModel();
}

void RunsProxy::sort(int column, Qt::SortOrder order) {
  if (column < 0) return;
  m_column = column;
  m_descending = order == Qt::DescendingOrder;
  Q_EMIT layoutAboutToBeChanged({}, VerticalSortHint);
  const QModelIndexList before = persistentIndexList();
  std::vector<int> sources;
  for (const QModelIndex& index : before) sources.push_back(m_order[at(index.row())]);
  setOrder(ordered());
  QModelIndexList after;
  for (qsizetype i = 0; i < before.size(); ++i) {
    const int row = m_place[at(sources[static_cast<std::size_t>(i)])];
    after << (row < 0 ? QModelIndex() : index(row, before[i].column()));
  }
  changePersistentIndexList(before, after);
  Q_EMIT layoutChanged({}, VerticalSortHint);
}

void RunsProxy::insertRow(int source) {
  const auto place = std::lower_bound(m_order.begin(), m_order.end(), source,
                                      [this](int a, int b) { return before(a, b); });
  const int row = static_cast<int>(place - m_order.begin());
  beginInsertRows({}, row, row);
  m_order.insert(place, source);
  reindex();
  endInsertRows();
}

void RunsProxy::removeRow(int row) {
  beginRemoveRows({}, row, row);
  m_order.erase(m_order.begin() + row);
  reindex();
  endRemoveRows();
}

void RunsProxy::sourceInserted(int first, int last) {
  for (int& source : m_order) source += source >= first ? last - first + 1 : 0;
  reindex();
  for (int source = first; source <= last; ++source) {
    if (accepts(source)) insertRow(source);
  }
}

void RunsProxy::sourceAboutToRemove(int first, int last) {
  for (int row = rowCount() - 1; row >= 0; --row) {
    const int source = m_order[at(row)];
    if (source >= first && source <= last) removeRow(row);
  }
}

void RunsProxy::sourceChanged(const QModelIndex& top, const QModelIndex& bottom,
                              const QList<int>& roles) {
  if (roles == QList<int>{Qt::DisplayRole}) {  // ages: neither order nor filter depends on them
    if (rowCount() == 0) return;
    Q_EMIT dataChanged(index(0, top.column()), index(rowCount() - 1, bottom.column()), roles);
    return;
  }
  if (bottom.row() - top.row() < kFewRows) {
    for (int source = top.row(); source <= bottom.row(); ++source) updateRow(source);
    // Rows whose change is told later have changed too, so places found meanwhile may be wrong.
    const auto earlier = [this](int a, int b) { return before(a, b); };
    if (!std::is_sorted(m_order.begin(), m_order.end(), earlier)) {
      sort(m_column, m_descending ? Qt::DescendingOrder : Qt::AscendingOrder);
    }
    return;
  }
  beginResetModel();
  setOrder(ordered());
  endResetModel();
}

/// A row whose values changed: it may come, go or move.
void RunsProxy::updateRow(int source) {
  const int row = m_place[at(source)];
  const bool shown = accepts(source);
  if (row < 0) {
    if (shown) insertRow(source);
    return;
  }
  if (!shown) return removeRow(row);
  const bool tooEarly = row + 1 < rowCount() && before(m_order[at(row + 1)], source);
  const bool tooLate = row > 0 && before(source, m_order[at(row - 1)]);
  int to = row;
  if (tooEarly || tooLate) {
    std::vector<int> others = m_order;
    others.erase(others.begin() + row);
    to = static_cast<int>(std::lower_bound(others.begin(), others.end(), source,
                                           [this](int a, int b) { return before(a, b); }) -
                          others.begin());
    beginMoveRows({}, row, row, {}, to > row ? to + 1 : to);
    others.insert(others.begin() + to, source);
    setOrder(std::move(others));
    endMoveRows();
  }
  Q_EMIT dataChanged(index(to, 0), index(to, columnCount() - 1));
}

int RunsProxy::rowOf(const QString& id) const {
  const int source = m_runs.rowOf(id);
  return source < 0 ? -1 : m_place[at(source)];
}

QModelIndex RunsProxy::index(int row, int column, const QModelIndex& parent) const {
  return hasIndex(row, column, parent) ? createIndex(row, column) : QModelIndex();
}
QModelIndex RunsProxy::parent(const QModelIndex&) const {
  return {};
}
int RunsProxy::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_order.size());
}
int RunsProxy::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : RunsModel::ColumnCount;
}
QModelIndex RunsProxy::mapToSource(const QModelIndex& index) const {
  if (!index.isValid()) return {};
  return m_runs.index(m_order[at(index.row())], index.column());
}
QModelIndex RunsProxy::mapFromSource(const QModelIndex& source) const {
  if (!source.isValid() || at(source.row()) >= m_place.size()) return {};
  const int row = m_place[at(source.row())];
  return row < 0 ? QModelIndex() : index(row, source.column());
}
QVariant RunsProxy::headerData(int section, Qt::Orientation orientation, int role) const {
  return m_runs.headerData(section, orientation, role);
}

}  // namespace tessera::ui
