// SPDX-License-Identifier: MIT
#include "ui/models/runs_proxy.h"

#include <QHash>
#include <QRegularExpression>
#include <algorithm>
#include <cmath>
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
            if (m_group >= 0) {
              setOrder(ordered());
              return endResetModel();
            }
            for (int& source : m_order) source -= source > last ? last - first + 1 : 0;
            m_accepted = rowCount();
            reindex();
          });
  connect(&runs, &QAbstractItemModel::columnsAboutToBeInserted, this,
          [this](const QModelIndex&, int first, int last) { beginInsertColumns({}, first, last); });
  connect(&runs, &QAbstractItemModel::columnsInserted, this, [this] { endInsertColumns(); });
  connect(&runs, &QAbstractItemModel::columnsAboutToBeRemoved, this,
          [this](const QModelIndex&, int first, int last) {
            if (m_group >= first) setGroup(-1);
            if (m_column >= first) sort(RunsModel::Created, Qt::DescendingOrder);
            beginRemoveColumns({}, first, last);
          });
  connect(&runs, &QAbstractItemModel::columnsRemoved, this, [this] { endRemoveColumns(); });
  for (const auto signal :
       {&QAbstractItemModel::columnsInserted, &QAbstractItemModel::columnsRemoved}) {
    connect(&runs, signal, this, [this] {  // conditions name columns
      readWords();
      renew();
    });
  }
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
                     [&](const QString& word) { return haystack.contains(word); }) &&
         std::all_of(m_conditions.begin(), m_conditions.end(),
                     [&](const Condition& condition) { return holds(condition, source); });
}

namespace {
/// "loss<3": name, sign and value.
QRegularExpressionMatch asCondition(const QString& word) {
  static const QRegularExpression form(QStringLiteral("^([^<>=!]+)(<=|>=|!=|<|>|=)([^<>=!]+)$"));
  return form.match(word);
}
}  // namespace

/// Nothing for a word that names no column that is there: it is searched for as it stands.
std::optional<RunsProxy::Condition> RunsProxy::conditionOf(const QString& word) const {
  const QRegularExpressionMatch match = asCondition(word);
  if (!match.hasMatch()) return {};
  Condition condition{.column = m_runs.columnNamed(match.captured(1)),
                      .sign = match.captured(2),
                      .text = match.captured(3)};
  if (condition.column < 0) return {};
  bool isNumber = false;
  const double number = condition.text.toDouble(&isNumber);
  if (isNumber) condition.number = number;
  if (!isNumber && condition.sign.contains(QRegularExpression(QStringLiteral("[<>]")))) return {};
  return condition;
}

/// What has no value fulfils no condition but that of being another.
bool RunsProxy::holds(const Condition& condition, int source) const {
  const QString& sign = condition.sign;
  const double value = m_runs.numberOf(source, condition.column);
  if (!std::isnan(condition.number) && !std::isnan(value)) {
    if (sign == QLatin1String("<")) return value < condition.number;
    if (sign == QLatin1String("<=")) return value <= condition.number;
    if (sign == QLatin1String(">")) return value > condition.number;
    if (sign == QLatin1String(">=")) return value >= condition.number;
    return (value == condition.number) == (sign == QLatin1String("="));
  }
  if (sign == QLatin1String("!=")) {
    return m_runs.groupOf(source, condition.column).toLower() != condition.text;
  }
  return sign == QLatin1String("=") &&
         m_runs.groupOf(source, condition.column).toLower() == condition.text;
}

void RunsProxy::readWords() {
  m_words.clear();
  m_conditions.clear();
  m_noColumn.clear();
  for (const QString& word : m_filter.words.toLower().split(' ', Qt::SkipEmptyParts)) {
    if (const auto condition = conditionOf(word)) {
      m_conditions.push_back(*condition);
      continue;
    }
    m_words << word;
    const QString name = asCondition(word).captured(1);
    if (!name.isEmpty() && m_runs.columnNamed(name) < 0) m_noColumn = name;
  }
}

/// Equal ones stay in the order of the source, newest first.
bool RunsProxy::before(int a, int b) const {
  if (m_runs.lessThan(a, b, m_column, m_descending)) return true;
  if (m_runs.lessThan(b, a, m_column, m_descending)) return false;
  return a < b;
}

RunsProxy::Order RunsProxy::ordered() const {
  std::vector<int> sorted;
  for (int i = 0; i < m_runs.rowCount(); ++i) {
    if (accepts(i)) sorted.push_back(i);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [this](int a, int b) { return m_runs.lessThan(a, b, m_column, m_descending); });
  if (m_group >= 0) return grouped(sorted);
  const int accepted = static_cast<int>(sorted.size());
  return {std::move(sorted), {}, accepted};
}

/// Groups in the order of their values, what has none last; in each, runs as they are sorted.
RunsProxy::Order RunsProxy::grouped(const std::vector<int>& sorted) const {
  QHash<QString, std::size_t> places;
  std::vector<std::vector<int>> members;
  std::vector<QString> values;
  for (const int source : sorted) {
    const QString value = m_runs.groupOf(source, m_group);
    const auto found = places.constFind(value);
    const std::size_t place = found == places.constEnd() ? members.size() : *found;
    if (place == members.size()) {
      places.insert(value, place);
      members.emplace_back();
      values.push_back(value);
    }
    members[place].push_back(source);
  }
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (values[a].isEmpty() != values[b].isEmpty()) return values[b].isEmpty();
    return m_runs.lessThan(members[a].front(), members[b].front(), m_group, false);
  });
  Order result;
  result.accepted = static_cast<int>(sorted.size());
  for (const std::size_t place : order) {
    result.rows.push_back(-1 - static_cast<int>(result.groups.size()));
    result.groups.push_back({values[place], static_cast<int>(members[place].size())});
    if (m_closed.contains(values[place])) continue;
    result.rows.insert(result.rows.end(), members[place].begin(), members[place].end());
  }
  return result;
}

void RunsProxy::setOrder(Order order) {
  m_order = std::move(order.rows);
  m_groups = std::move(order.groups);
  m_accepted = order.accepted;
  reindex();
}

/// Which rows there are is found anew. Where nothing differs, nobody hears of it.
void RunsProxy::renew() {
  Order order = ordered();
  if (order == Order{m_order, m_groups, m_accepted}) return;
  beginResetModel();
  setOrder(std::move(order));
  endResetModel();
}

void RunsProxy::setGroup(int column) {
  if (column == m_group) return;
  m_group = column;
  m_closed.clear();
  renew();
}

bool RunsProxy::isOpen(int row) const {
  return isGroup(row) && !m_closed.contains(groupAt(row).value);
}

void RunsProxy::setOpen(int row, bool open) {
  if (row < 0 || row >= rowCount() || !isGroup(row) || isOpen(row) == open) return;
  const QString value = groupAt(row).value;
  const int runs = groupAt(row).runs;
  if (open) {
    m_closed.remove(value);
    Order order = ordered();
    beginInsertRows({}, row + 1, row + runs);
    setOrder(std::move(order));
    endInsertRows();
  } else {
    m_closed.insert(value);
    Order order = ordered();
    beginRemoveRows({}, row + 1, row + runs);
    setOrder(std::move(order));
    endRemoveRows();
  }
  Q_EMIT dataChanged(index(row, 0), index(row, columnCount() - 1));
}

void RunsProxy::setAllOpen(bool open) {
  m_closed.clear();
  for (const Group& group : m_groups) {
    if (!open) m_closed.insert(group.value);
  }
  renew();
}

void RunsProxy::reindex() {
  m_place.assign(at(m_runs.rowCount()), -1);
  for (std::size_t i = 0; i < m_order.size(); ++i) {
    if (m_order[i] < 0) continue;
    // While the source removes rows, places beyond its end are about to be renumbered.
    if (at(m_order[i]) >= m_place.size()) m_place.resize(at(m_order[i]) + 1, -1);
    m_place[at(m_order[i])] = static_cast<int>(i);
  }
}

void RunsProxy::setFilter(const RunFilter& filter) {
  if (filter == m_filter) return;
  m_filter = filter;
  readWords();
  renew();
}

void RunsProxy::sort(int column, Qt::SortOrder order) {
  if (column < 0) return;
  m_column = column;
  m_descending = order == Qt::DescendingOrder;
  Q_EMIT layoutAboutToBeChanged({}, VerticalSortHint);
  const QModelIndexList before = persistentIndexList();
  std::vector<int> sources;
  for (const QModelIndex& index : before) sources.push_back(source(index.row()));
  setOrder(ordered());
  QModelIndexList after;
  for (qsizetype i = 0; i < before.size(); ++i) {
    const int from = sources[static_cast<std::size_t>(i)];
    const int row = from < 0 ? -1 : m_place[at(from)];
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
  ++m_accepted;
  reindex();
  endInsertRows();
}

void RunsProxy::removeRow(int row) {
  beginRemoveRows({}, row, row);
  m_order.erase(m_order.begin() + row);
  --m_accepted;
  reindex();
  endRemoveRows();
}

void RunsProxy::sourceInserted(int first, int last) {
  if (m_group >= 0) {  // places of sources have changed although rows may look the same
    beginResetModel();
    setOrder(ordered());
    return endResetModel();
  }
  for (int& source : m_order) source += source >= first ? last - first + 1 : 0;
  reindex();
  for (int source = first; source <= last; ++source) {
    if (accepts(source)) insertRow(source);
  }
}

void RunsProxy::sourceAboutToRemove(int first, int last) {
  if (m_group >= 0) return beginResetModel();
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
  if (m_group >= 0) {
    renew();
    if (rowCount() > 0) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
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
    m_order = std::move(others);
    reindex();
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
  return parent.isValid() ? 0 : m_runs.columnCount();
}
QString RunsProxy::headText(const Group& group) const {
  const QString title = m_runs.headerData(m_group, Qt::Horizontal, Qt::DisplayRole).toString();
  return tr("%1: %2 (%n runs)", nullptr, group.runs)
      .arg(title, group.value.isEmpty() ? tr("none") : group.value);
}

/// The head of a group says what it is in every column, so that it can be painted across.
QVariant RunsProxy::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  const bool head = isGroup(index.row());
  if (role == GroupRole) return head;
  if (!head) return m_runs.data(mapToSource(index), role);
  if (role == Qt::DisplayRole || role == Qt::AccessibleTextRole) {
    return headText(groupAt(index.row()));
  }
  return {};
}

Qt::ItemFlags RunsProxy::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::NoItemFlags;
  if (isGroup(index.row())) return Qt::ItemIsEnabled | Qt::ItemNeverHasChildren;
  return m_runs.flags(mapToSource(index));
}

QModelIndex RunsProxy::mapToSource(const QModelIndex& index) const {
  if (!index.isValid() || isGroup(index.row())) return {};
  return m_runs.index(source(index.row()), index.column());
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
