// SPDX-License-Identifier: MIT
#include "ui/pages/runs/comparison.h"

#include <QFont>
#include <QMap>
#include <QPainter>
#include <QPixmap>
#include <algorithm>
#include <cmath>
#include <functional>

#include "core/spec/spec_table.h"
#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

void TrainedTime::follow(const RunHistory& h) {
  if (h.rows() < rows) *this = {};
  for (rows = std::max<std::size_t>(rows, 1); rows < h.rows(); ++rows) {
    const auto rate = static_cast<double>(h.metric(Metric::TokensPerSecond).at(rows));
    if (rate > 0) seconds += static_cast<double>(h.tokens[rows] - h.tokens[rows - 1]) / rate;
  }
}

namespace {
/// Words about a run, which change nothing in it.
bool isWords(const std::string& path) {
  return path == "run.name" || path == "run.notes" || path == "run.tags" || path == "run.preset";
}

QString valueText(const spec::Value& value) {
  const QString text = QString::fromStdString(spec::format_value(value));
  return text.isEmpty() ? ComparisonModel::tr("not set") : text;
}
}  // namespace

std::vector<ComparisonRow> configurationDifferences(const std::vector<ComparedRun>& runs) {
  struct Found {
    const spec::Key* key = nullptr;
    QMap<int, QString> values;  ///< by run
  };
  std::vector<std::string> order;
  std::map<std::string, Found> all;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    if (!runs[r].spec) continue;
    for (const spec::Entry& entry : spec::flatten(*runs[r].spec)) {
      if (isWords(entry.path)) continue;
      Found& found = all[entry.path];
      if (!found.key) order.push_back(entry.path);
      found.key = entry.key;
      found.values[static_cast<int>(r)] = valueText(entry.value);
    }
  }
  std::vector<ComparisonRow> rows;
  for (const std::string& path : order) {
    const Found& found = all[path];
    ComparisonRow row{
        QString::fromStdString(path), QString::fromStdString(found.key->help), {}, {}};
    if (!found.key->unit.empty()) row.tip += QString(" (%1)").arg(found.key->unit.c_str());
    for (std::size_t r = 0; r < runs.size(); ++r) {
      row.cells << (runs[r].spec
                        ? found.values.value(static_cast<int>(r), ComparisonModel::tr("not there"))
                        : numbers::notMeasured());
      row.marked.push_back(runs[r].spec && runs[0].spec && row.cells.back() != row.cells.front());
    }
    const bool differs =
        std::any_of(row.marked.begin(), row.marked.end(), [](bool m) { return m; });
    if (differs) rows.push_back(std::move(row));
  }
  return rows;
}

namespace {
using Value = std::function<double(const RunHistory&)>;
using Text = std::function<QString(double)>;
enum class Better { Less, More, Neither };

double lastOf(const Series& series) {
  for (std::size_t i = series.size(); i > 0; --i) {
    if (std::isfinite(series.at(i - 1))) return static_cast<double>(series.at(i - 1));
  }
  return kNotMeasured;
}

double meanOf(const Series& series) {
  const ValueBucket all = series.bucket(0, series.size());
  return all.values ? all.sum / all.values : kNotMeasured;
}

double leastOf(const Series& series) {
  const ValueBucket all = series.bucket(0, series.size());
  return all.values ? static_cast<double>(all.min) : kNotMeasured;
}

double mostOf(const Series& series) {
  const ValueBucket all = series.bucket(0, series.size());
  return all.values ? static_cast<double>(all.max) : kNotMeasured;
}

ComparisonRow numberRow(const std::vector<ComparedRun>& runs, const QString& title,
                        const QString& tip, const Value& value, const Text& text, Better better) {
  ComparisonRow row{title, tip, {}, std::vector<bool>(runs.size(), false)};
  std::vector<double> values;
  for (const ComparedRun& run : runs) {
    values.push_back(run.history && run.history->rows() ? value(*run.history) : kNotMeasured);
    row.cells << text(values.back());
  }
  if (better == Better::Neither || runs.size() < 2) return row;
  const double sign = better == Better::Less ? 1 : -1;
  std::size_t best = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const bool beats = std::isfinite(values[i]) &&
                       (!std::isfinite(values[best]) || sign * values[i] < sign * values[best]);
    if (beats) best = i;
  }
  row.marked[best] = std::isfinite(values[best]);
  return row;
}

/// Validation losses by source, of all runs.
void addSources(const std::vector<ComparedRun>& runs, std::vector<ComparisonRow>& rows) {
  QStringList names;
  for (const ComparedRun& run : runs) {
    if (!run.history || run.history->validations.empty()) continue;
    for (const auto& [name, loss] : run.history->validations.back().sources) {
      const QString source = QString::fromStdString(name);
      if (!names.contains(source)) names << source;
    }
  }
  const auto loss = [](double v) { return numbers::fixed(v, 4); };
  for (const QString& name : names) {
    const Value value = [key = name.toStdString()](const RunHistory& h) {
      if (h.validations.empty()) return kNotMeasured;
      const auto at = h.validations.back().sources.find(key);
      return at == h.validations.back().sources.end() ? kNotMeasured : at->second;
    };
    rows.push_back(numberRow(runs, ComparisonModel::tr("Validation, %1").arg(name),
                             ComparisonModel::tr("The last validation loss on this source"), value,
                             loss, Better::Less));
  }
}
}  // namespace

std::vector<ComparisonRow> finalNumbers(const std::vector<ComparedRun>& runs) {
  const Text loss = [](double v) { return numbers::fixed(v, 4); };
  const Text whole = [](double v) {
    return std::isfinite(v) ? numbers::whole(static_cast<std::int64_t>(v)) : numbers::notMeasured();
  };
  const auto metric = [](Metric m, double (*of)(const Series&)) -> Value {
    return [m, of](const RunHistory& h) { return of(h.metric(m)); };
  };
  std::vector<ComparisonRow> rows;
  ComparisonRow states{ComparisonModel::tr("State"), {}, {}, std::vector<bool>(runs.size(), false)};
  for (const ComparedRun& run : runs) states.cells << stateWord(run.state);
  rows.push_back(std::move(states));
  const auto add = [&](const QString& title, const QString& tip, const Value& value,
                       const Text& text, Better better) {
    rows.push_back(numberRow(runs, title, tip, value, text, better));
  };
  add(
      ComparisonModel::tr("Steps"), ComparisonModel::tr("Steps trained"),
      [](const RunHistory& h) { return double(h.step.back() + 1); }, whole, Better::Neither);
  add(
      ComparisonModel::tr("Tokens"), ComparisonModel::tr("Tokens trained"),
      [](const RunHistory& h) { return double(h.tokens.back()); },
      [](double v) { return numbers::count(v); }, Better::Neither);
  add(ComparisonModel::tr("Loss, last"), ComparisonModel::tr("Of the last logged step"),
      metric(Metric::Loss, lastOf), loss, Better::Less);
  add(ComparisonModel::tr("Loss, lowest"), ComparisonModel::tr("The lowest of any logged step"),
      metric(Metric::Loss, leastOf), loss, Better::Less);
  add(
      ComparisonModel::tr("Validation, last"), ComparisonModel::tr("By the weights of the mixture"),
      [](const RunHistory& h) {
        return h.validations.empty() ? kNotMeasured : h.validations.back().loss;
      },
      loss, Better::Less);
  add(
      ComparisonModel::tr("Validation, lowest"),
      ComparisonModel::tr("By the weights of the mixture"),
      [](const RunHistory& h) {
        double least = kNotMeasured;
        for (const auto& v : h.validations) least = std::fmin(least, v.loss);
        return least;
      },
      loss, Better::Less);
  addSources(runs, rows);
  add(
      ComparisonModel::tr("Tokens per second, mean"), ComparisonModel::tr("Over all logged steps"),
      metric(Metric::TokensPerSecond, meanOf), [](double v) { return numbers::count(v); },
      Better::More);
  add(
      ComparisonModel::tr("MFU, mean"),
      ComparisonModel::tr("Model FLOPs utilisation over all logged steps"),
      metric(Metric::Mfu, meanOf), [](double v) { return numbers::percent(v / 100); },
      Better::More);
  ComparisonRow time = numberRow(
      runs, ComparisonModel::tr("Time in steps"),
      ComparisonModel::tr("From tokens and speed; validation, saving and breaks are not in it"),
      [](const RunHistory&) { return kNotMeasured; }, loss, Better::Neither);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    time.cells[static_cast<qsizetype>(i)] = numbers::duration(runs[i].trainedSeconds);
  }
  rows.push_back(std::move(time));
  add(
      ComparisonModel::tr("Memory, most"), ComparisonModel::tr("The largest of any logged step"),
      metric(Metric::Memory, mostOf), [](double v) { return numbers::bytes(v); }, Better::Less);
  add(
      ComparisonModel::tr("Gradient norm, largest"), ComparisonModel::tr("Before clipping"),
      metric(Metric::GradNorm, mostOf), [](double v) { return numbers::number(v); },
      Better::Neither);
  add(
      ComparisonModel::tr("MaxVio, last"),
      ComparisonModel::tr("Of the worst layer: its largest load over its mean load, less 1"),
      metric(Metric::MaxVio, lastOf), [](double v) { return numbers::number(v, 3); }, Better::Less);
  add(
      ComparisonModel::tr("Spikes"), ComparisonModel::tr("Losses far above the usual"),
      [](const RunHistory& h) { return static_cast<double>(h.spikes.size()); }, whole,
      Better::Neither);
  return rows;
}

namespace {
/// The colour of a run as a mark: as a colour of text it would be hard to read.
QPixmap dotOf(const QString& id) {
  constexpr int kSize = 16, kDot = 10, kRatio = 2;
  QPixmap dot(kSize * kRatio, kSize * kRatio);
  dot.setDevicePixelRatio(kRatio);
  dot.fill(Qt::transparent);
  QPainter painter(&dot);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  painter.setBrush(theme::lineColor(id));
  painter.drawEllipse((kSize - kDot) / 2, (kSize - kDot) / 2, kDot, kDot);
  return dot;
}
}  // namespace

// ---- The model ----------------------------------------------------------------------------------

ComparisonModel::ComparisonModel(QString firstTitle, QString markedWord, QObject* parent)
    : QAbstractTableModel(parent),
      m_firstTitle(std::move(firstTitle)),
      m_markedWord(std::move(markedWord)) {}

void ComparisonModel::setContent(const QStringList& ids, const QStringList& names,
                                 std::vector<ComparisonRow> rows) {
  const auto sameTitle = [](const ComparisonRow& a, const ComparisonRow& b) {
    return a.title == b.title;
  };
  const bool grid = ids == m_ids && names == m_names &&
                    std::equal(rows.begin(), rows.end(), m_rows.begin(), m_rows.end(), sameTitle);
  if (!grid) beginResetModel();
  m_ids = ids;
  m_names = names;
  m_rows = std::move(rows);
  if (!grid) {
    endResetModel();
  } else if (!m_rows.empty()) {
    Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
  }
}

QString ComparisonModel::asText() const {
  QStringList lines = {(QStringList{m_firstTitle} + m_names).join('\t')};
  for (const ComparisonRow& row : m_rows) lines << (QStringList{row.title} + row.cells).join('\t');
  return lines.join('\n') + '\n';
}

int ComparisonModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}
int ComparisonModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_names.size()) + 1;
}

QVariant ComparisonModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  const ComparisonRow& row = m_rows[static_cast<std::size_t>(index.row())];
  const int run = index.column() - 1;
  const bool marked = run >= 0 && row.marked[static_cast<std::size_t>(run)];
  switch (role) {
    case Qt::DisplayRole:
      return run < 0 ? row.title : row.cells[run];
    case Qt::ToolTipRole:
      return run < 0 ? row.tip : m_names[run] + ": " + row.cells[run];
    case Qt::AccessibleTextRole:
      if (!marked) return data(index, Qt::DisplayRole);
      return row.cells[run] + ", " + m_markedWord;
    case Qt::FontRole:
      return theme::font(theme::TextSize::Body, run >= 0, marked);
    case Qt::ForegroundRole:
      return run < 0 ? theme::colors().textSecondary : theme::colors().text;
    default:
      return {};
  }
}

QVariant ComparisonModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
  if (role == Qt::TextAlignmentRole)
    return QVariant::fromValue(Qt::Alignment(Qt::AlignLeft | Qt::AlignVCenter));
  if (role == Qt::ToolTipRole && section > 0) return m_ids[section - 1];
  if (role == Qt::DecorationRole && section > 0) return dotOf(m_ids[section - 1]);
  if (role != Qt::DisplayRole) return {};
  return section == 0 ? m_firstTitle : m_names[section - 1];
}

}  // namespace tessera::ui
