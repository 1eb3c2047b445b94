// SPDX-License-Identifier: MIT
#include "ui/models/runs_model.h"

#include <QCoreApplication>
#include <QDateTime>
#include <QLocale>
#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "core/history/metrics.h"
#include "core/spec/spec_table.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
/// What a column beyond the usual ones holds.
QString extraTip(const QString& key) {
  const std::string name = key.section(u'/', 1).toStdString();
  if (key.startsWith(QLatin1String(kMetricColumn.data(), kMetricColumn.size()))) {
    return RunsModel::tr("%1: the last value that the run logged").arg(RunsModel::titleOf(key));
  }
  const spec::Key* known = spec::find_key(name);
  return known ? QString::fromStdString(name + ": " + known->help) : QString::fromStdString(name);
}

/// More rows than this that come or go are told as a new table: views are quicker so.
constexpr int kMostSteps = 200;

QString text(const std::string& s) {
  return QString::fromStdString(s);
}

QString wholeDate(double seconds) {
  if (!(seconds > 0)) return numbers::notMeasured();
  return QLocale().toString(QDateTime::fromMSecsSinceEpoch(static_cast<qint64>(seconds * 1000)),
                            QLocale::LongFormat);
}

QString shortDate(double seconds) {
  if (!(seconds > 0)) return numbers::notMeasured();
  const QDateTime when = QDateTime::fromMSecsSinceEpoch(static_cast<qint64>(seconds * 1000));
  return when.toString(when.date() == QDate::currentDate() ? "HH:mm" : "yyyy-MM-dd HH:mm");
}

bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool sameWords(const RunRow& a, const RunRow& b) {
  return a.name == b.name && a.tags == b.tags && a.notes == b.notes && a.state == b.state &&
         a.reason == b.reason && a.host == b.host && a.parent == b.parent &&
         a.missing == b.missing && a.archived == b.archived && a.parent_step == b.parent_step;
}

bool sameRow(const RunRow& a, const RunRow& b) {
  return sameWords(a, b) && a.step == b.step && a.total_steps == b.total_steps &&
         same(a.loss, b.loss) && same(a.validation_loss, b.validation_loss) &&
         same(a.tokens_per_second, b.tokens_per_second) && same(a.created, b.created) &&
         same(a.last_word, b.last_word) && a.sparkline.size() == b.sparkline.size() &&
         a.columns == b.columns && a.cells == b.cells;
}
}  // namespace

RunsModel::Texts RunsModel::textsOf(const RunRow& row) {
  Texts t;
  t.id = text(row.id);
  t.name = text(row.name);
  t.nameKey = t.name.toCaseFolded();
  QStringList tags;
  for (const std::string& tag : row.tags) tags << text(tag);
  t.tags = tags.join(", ");
  t.notes = text(row.notes);
  const QString state = QString::fromUtf8(name_of(row.state).data());
  t.haystack =
      QStringList{t.name,           t.id,          t.tags, t.notes, state, text(row.reason),
                  text(row.parent), text(row.host)}
          .join('\n')
          .toLower();
  return t;
}

void RunsModel::setRows(const RunRows& rows) {
  const auto sameIds = [](const RunRow& a, const RunRow& b) { return a.id == b.id; };
  if (std::equal(rows->begin(), rows->end(), m_rows->begin(), m_rows->end(), sameIds)) {
    updateInPlace(rows);
  } else if (!insertAndRemove(rows)) {
    replaceAll(rows);
  }
}

void RunsModel::replaceAll(const RunRows& rows) {
  beginResetModel();
  m_rows = rows;
  m_texts.clear();
  m_texts.reserve(rows->size());
  for (const RunRow& row : *rows) m_texts.push_back(textsOf(row));
  reindex();
  endResetModel();
}

void RunsModel::reindex() {
  m_index.clear();
  m_index.reserve(static_cast<qsizetype>(m_texts.size()));
  for (std::size_t i = 0; i < m_texts.size(); ++i)
    m_index.insert(m_texts[i].id, static_cast<int>(i));
}

void RunsModel::updateInPlace(const RunRows& rows) {
  const RunRows before = m_rows;
  std::vector<int> changed;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const RunRow &now = (*rows)[i], &was = (*before)[i];
    if (sameRow(now, was)) continue;
    if (!sameWords(now, was)) m_texts[i] = textsOf(now);
    changed.push_back(static_cast<int>(i));
  }
  m_rows = rows;
  for (std::size_t i = 0; i < changed.size();) {
    std::size_t end = i + 1;
    while (end < changed.size() && changed[end] == changed[end - 1] + 1) ++end;
    Q_EMIT dataChanged(index(changed[i], 0), index(changed[end - 1], columnCount() - 1));
    i = end;
  }
}

/// False where it would take too many steps, or rows that stay have changed places.
bool RunsModel::insertAndRemove(const RunRows& rows) {
  std::set<std::string_view> wanted;
  for (const RunRow& row : *rows) wanted.insert(row.id);
  std::vector<RunRow> kept;
  std::vector<int> gone;
  for (std::size_t i = 0; i < m_rows->size(); ++i) {
    if (wanted.contains((*m_rows)[i].id)) {
      kept.push_back((*m_rows)[i]);
    } else {
      gone.push_back(static_cast<int>(i));
    }
  }
  std::vector<std::size_t> added;
  std::size_t next = 0;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    if (next < kept.size() && kept[next].id == (*rows)[i].id) {
      ++next;
    } else {
      added.push_back(i);
    }
  }
  if (next != kept.size() || static_cast<int>(added.size() + gone.size()) > kMostSteps)
    return false;

  auto current = std::make_shared<std::vector<RunRow>>(*m_rows);
  m_rows = current;
  for (auto at = gone.rbegin(); at != gone.rend(); ++at) {
    beginRemoveRows({}, *at, *at);
    current->erase(current->begin() + *at);
    m_texts.erase(m_texts.begin() + *at);
    reindex();
    endRemoveRows();
  }
  for (const std::size_t at : added) {
    beginInsertRows({}, static_cast<int>(at), static_cast<int>(at));
    current->insert(current->begin() + static_cast<std::ptrdiff_t>(at), (*rows)[at]);
    m_texts.insert(m_texts.begin() + static_cast<std::ptrdiff_t>(at), textsOf((*rows)[at]));
    reindex();
    endInsertRows();
  }
  updateInPlace(rows);
  return true;
}

void RunsModel::tick() {
  if (m_texts.empty()) return;
  Q_EMIT dataChanged(index(0, LastWord), index(rowCount() - 1, LastWord), {Qt::DisplayRole});
}

QStringList RunsModel::allTags() const {
  std::set<QString> tags;
  for (const RunRow& row : *m_rows) {
    for (const std::string& tag : row.tags) tags.insert(text(tag));
  }
  return {tags.begin(), tags.end()};
}

QString RunsModel::titleOf(const QString& key) {
  const QLatin1String metric(kMetricColumn.data(), kMetricColumn.size());
  const QString name = key.section(u'/', 1);
  if (!key.startsWith(metric)) return name;
  for (std::size_t m = 0; m < kMetricCount; ++m) {
    const MetricInfo& info = metric_info(static_cast<Metric>(m));
    if (name == QLatin1String(info.id)) return QCoreApplication::translate("Metric", info.title);
  }
  return name;
}

namespace {
constexpr const char* kKeys[] = {"name",  "state",   "progress",  "loss", "validation", "speed",
                                 "curve", "created", "last_word", "tags", "notes",      "parent"};
static_assert(std::size(kKeys) == RunsModel::ColumnCount);
}  // namespace

QString RunsModel::keyOf(int column) const {
  if (column < 0 || column >= columnCount()) return {};
  return column < ColumnCount ? QString::fromLatin1(kKeys[column]) : m_extra[column - ColumnCount];
}

int RunsModel::columnOf(const QString& key) const {
  for (int c = 0; c < columnCount(); ++c) {
    if (keyOf(c) == key) return c;
  }
  return -1;
}

int RunsModel::columnNamed(const QString& name) const {
  const int exact = columnOf(name);
  if (exact >= 0) return exact;
  for (int c = 0; c < columnCount(); ++c) {
    const QString key = keyOf(c);
    const qsizetype before = key.size() - name.size() - 1;
    if (before < 0 || !key.endsWith(name, Qt::CaseInsensitive)) continue;
    if (key[before] == u'/' || key[before] == u'.') return c;
  }
  return name == QLatin1String("step") || name == QLatin1String("steps") ? int(Progress) : -1;
}

void RunsModel::setExtraColumns(const QStringList& keys) {
  if (keys == m_extra) return;
  if (!m_extra.isEmpty()) {
    beginRemoveColumns({}, ColumnCount, ColumnCount + static_cast<int>(m_extra.size()) - 1);
    m_extra.clear();
    m_extras.clear();
    endRemoveColumns();
  }
  if (keys.isEmpty()) return;
  beginInsertColumns({}, ColumnCount, ColumnCount + static_cast<int>(keys.size()) - 1);
  m_extra = keys;
  for (const QString& key : keys) {
    Extra extra{.key = key.toStdString(), .unit = {}};
    extra.metric = extra.key.starts_with(kMetricColumn);
    for (std::size_t m = 0; extra.metric && m < kMetricCount; ++m) {
      const MetricInfo& info = metric_info(static_cast<Metric>(m));
      if (extra.key.substr(kMetricColumn.size()) == info.id) extra.unit = QLatin1String(info.unit);
    }
    m_extras.push_back(std::move(extra));
  }
  m_cellColumns = nullptr;
  m_cellPlaces.assign(m_extras.size(), -1);
  endInsertColumns();
}

/// What a run has in an extra column. Rows of before setExtraColumns() have other cells, and none
/// for a column that is new.
const RunCell& RunsModel::cell(int r, int column) const {
  static const RunCell none;
  const RunRow& run = row(r);
  if (!run.columns) return none;
  if (run.columns != m_cellColumns) {
    m_cellColumns = run.columns;
    for (std::size_t i = 0; i < m_extras.size(); ++i) {
      const auto at = std::find(run.columns->begin(), run.columns->end(), m_extras[i].key);
      m_cellPlaces[i] = at == run.columns->end() ? -1 : static_cast<int>(at - run.columns->begin());
    }
  }
  const int place = m_cellPlaces[static_cast<std::size_t>(column - ColumnCount)];
  return place < 0 ? none : run.cells[static_cast<std::size_t>(place)];
}

QString RunsModel::cellText(int r, int column) const {
  const Extra& extra = m_extras[static_cast<std::size_t>(column - ColumnCount)];
  const RunCell& value = cell(r, column);
  if (!extra.metric) return text(value.text);
  if (std::isnan(value.number)) return numbers::notMeasured();
  if (extra.unit == QLatin1String("bytes")) return numbers::bytes(value.number);
  return extra.unit == QLatin1String("nats") ? numbers::fixed(value.number, 4)
                                             : numbers::number(value.number);
}

/// Whether what stands there is a number, by the first runs that have a value.
bool RunsModel::isNumber(int column) const {
  if (column < ColumnCount) return column >= Progress && column <= Speed;
  if (m_extras[static_cast<std::size_t>(column - ColumnCount)].metric) return true;
  for (int r = 0; r < std::min(rowCount(), 50); ++r) {
    if (const RunCell& value = cell(r, column); !value.text.empty()) {
      return !std::isnan(value.number);
    }
  }
  return false;
}

QString RunsModel::groupOf(int r, int column) const {
  const RunRow& run = row(r);
  const auto day = [](double seconds) {
    if (!(seconds > 0)) return QString();
    return QLocale().toString(
        QDateTime::fromMSecsSinceEpoch(static_cast<qint64>(seconds * 1000)).date(),
        QLocale::LongFormat);
  };
  if (column == Created) return day(run.created);
  if (column == LastWord) return day(run.last_word);
  if (column == Lineage && !run.parent.empty()) {
    const int parent = rowOf(text(run.parent));
    return parent < 0 ? text(run.parent) : m_texts[static_cast<std::size_t>(parent)].name;
  }
  const QString shown = display(r, column);
  return shown == numbers::notMeasured() ? QString() : shown;
}

double RunsModel::numberOf(int r, int column) const {
  const RunRow& run = row(r);
  if (column >= ColumnCount) return cell(r, column).number;
  switch (column) {
    case State:
      return static_cast<double>(run.state);
    case Progress:
      return static_cast<double>(run.step + 1);  // those that are done, as it is shown
    case Loss:
    case Curve:
      return run.loss;
    case Validation:
      return run.validation_loss;
    case Speed:
      return run.tokens_per_second > 0 ? run.tokens_per_second : kNotMeasured;
    case Created:
      return run.created > 0 ? run.created : kNotMeasured;
    case LastWord:
      return run.last_word > 0 ? run.last_word : kNotMeasured;
    default:
      return kNotMeasured;
  }
}

bool RunsModel::lessThan(int a, int b, int column, bool descending) const {
  const auto byText = [&](const QString& x, const QString& y) {
    if (x.isEmpty() != y.isEmpty()) return y.isEmpty();
    const int order = x.compare(y);
    return descending ? order > 0 : order < 0;
  };
  const auto &ta = m_texts[static_cast<std::size_t>(a)], &tb = m_texts[static_cast<std::size_t>(b)];
  switch (column) {
    case Name:
      return byText(ta.nameKey, tb.nameKey);
    case Tags:
      return byText(ta.tags, tb.tags);
    case Notes:
      return byText(ta.notes, tb.notes);
    case Lineage:
      if (row(a).parent.empty() != row(b).parent.empty()) return row(b).parent.empty();
      return descending ? row(a).parent > row(b).parent : row(a).parent < row(b).parent;
    default:
      break;
  }
  const double x = numberOf(a, column), y = numberOf(b, column);
  if (column >= ColumnCount && std::isnan(x) && std::isnan(y)) {
    const std::string &u = cell(a, column).text, &v = cell(b, column).text;
    if (u.empty() != v.empty()) return v.empty();
    return descending ? u > v : u < v;
  }
  if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
  return descending ? x > y : x < y;
}

int RunsModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_texts.size());
}
int RunsModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : ColumnCount + static_cast<int>(m_extra.size());
}

QString RunsModel::display(int r, int column) const {
  if (column >= ColumnCount) return cellText(r, column);
  const RunRow& run = row(r);
  const Texts& t = m_texts[static_cast<std::size_t>(r)];
  switch (column) {
    case Name:
      return t.name;
    case State:
      return run.missing ? tr("Folder gone") : stateWord(run.state);
    case Progress:
      return numbers::progress(run.step < 0 ? -1 : run.step + 1, run.total_steps);
    case Loss:
      return numbers::fixed(run.loss, 4);
    case Validation:
      return numbers::fixed(run.validation_loss, 4);
    case Speed:
      return run.tokens_per_second > 0 ? numbers::count(run.tokens_per_second)
                                       : numbers::notMeasured();
    case Created:
      return shortDate(run.created);
    case LastWord:
      return run.host.empty() ? numbers::ageOf(run.last_word)
                              : tr("%1 from %2").arg(numbers::ageOf(run.last_word), text(run.host));
    case Tags:
      return t.tags;
    case Notes:
      return QString(t.notes).replace('\n', ' ');
    case Lineage: {
      if (run.parent.empty()) return {};
      const int parent = rowOf(text(run.parent));
      const QString name =
          parent < 0 ? text(run.parent) : m_texts[static_cast<std::size_t>(parent)].name;
      return run.parent_step < 0
                 ? name
                 : tr("%1 after %2 steps").arg(name, numbers::whole(run.parent_step));
    }
    default:
      return {};
  }
}

QString RunsModel::tip(int r, int column) const {
  const RunRow& run = row(r);
  const Texts& t = m_texts[static_cast<std::size_t>(r)];
  switch (column) {
    case Name:
      return t.id + '\n' + text(run.folder.string());
    case State:
      return run.missing          ? tr("Its folder is gone: %1").arg(text(run.folder.string()))
             : run.reason.empty() ? stateWord(run.state)
                                  : stateWord(run.state) + ": " + engineWord(run.reason);
    case Progress:
      return tr("%1 trained").arg(numbers::tokens(static_cast<double>(run.tokens)));
    case Speed:
      return tr("Tokens per second, at the last step");
    case Created:
      return wholeDate(run.created);
    case LastWord:
      return wholeDate(run.last_word);
    case Curve:
      return tr("Loss over the whole run");
    case Notes:
      return t.notes;
    case Lineage:
      return run.parent.empty() ? QString() : tr("Forked from %1").arg(text(run.parent));
    default:
      return display(r, column);
  }
}

QVariant RunsModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  const int r = index.row(), column = index.column();
  const RunRow& run = row(r);
  switch (role) {
    case Qt::DisplayRole:
      return display(r, column);
    case Qt::EditRole:
      return column == Notes ? m_texts[static_cast<std::size_t>(r)].notes : display(r, column);
    case Qt::ToolTipRole:
      return tip(r, column);
    case Qt::AccessibleTextRole:
      return column == Curve ? tr("Curve of the loss") : display(r, column);
    case Qt::TextAlignmentRole: {
      const bool number = isNumber(column);
      return QVariant::fromValue(
          Qt::Alignment((number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter));
    }
    case IdRole:
      return id(r);
    case StateRole:
      return static_cast<int>(run.state);
    case ProgressRole:
      if (run.total_steps <= 0 || run.step < 0) return -1.0;
      return std::clamp(static_cast<double>(run.step + 1) / static_cast<double>(run.total_steps),
                        0.0, 1.0);
    case MissingRole:
      return run.missing;
    case CurveRole:
      return QVariant::fromValue(QList<float>(run.sparkline.begin(), run.sparkline.end()));
    default:
      return {};
  }
}

QVariant RunsModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
  if (role == Qt::TextAlignmentRole) {
    const bool number = isNumber(section);
    return QVariant::fromValue(
        Qt::Alignment((number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter));
  }
  if (section >= ColumnCount) {
    const QString& key = m_extra[section - ColumnCount];
    if (role == Qt::ToolTipRole) return extraTip(key);
    return role == Qt::DisplayRole ? QVariant(titleOf(key)) : QVariant();
  }
  if (role != Qt::DisplayRole) return {};
  const QString titles[] = {tr("Run"),        tr("State"),    tr("Steps"), tr("Loss"),
                            tr("Validation"), tr("Tokens/s"), tr("Curve"), tr("Created"),
                            tr("Last word"),  tr("Tags"),     tr("Notes"), tr("Forked from")};
  static_assert(std::size(titles) == ColumnCount);
  return titles[section];
}

Qt::ItemFlags RunsModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::NoItemFlags;
  Qt::ItemFlags flags = QAbstractTableModel::flags(index) | Qt::ItemNeverHasChildren;
  const bool writable = !row(index.row()).missing;
  const int column = index.column();
  if (writable && (column == Name || column == Tags || column == Notes)) {
    flags |= Qt::ItemIsEditable;
  }
  return flags;
}

QStringList RunsModel::tagsOf(const QString& words) {
  QStringList tags;
  for (const QString& word : words.split(',')) {
    const QString tag = word.simplified();
    if (!tag.isEmpty() && !tags.contains(tag)) tags << tag;
  }
  return tags;
}

bool RunsModel::setData(const QModelIndex& index, const QVariant& value, int role) {
  if (role != Qt::EditRole || !(flags(index) & Qt::ItemIsEditable)) return false;
  const QString written = value.toString();
  const int column = index.column();
  if (written == data(index, Qt::EditRole).toString()) return false;
  if (column == Name && written.trimmed().isEmpty()) return false;
  const QString run = id(index.row());
  Q_EMIT edited(run, column,
                column == Tags   ? QVariant(tagsOf(written))
                : column == Name ? QVariant(written.trimmed())
                                 : QVariant(written));
  return true;
}

}  // namespace tessera::ui
