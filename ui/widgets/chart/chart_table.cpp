// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/chart_table.h"

#include <QDialogButtonBox>
#include <QHeaderView>
#include <QLabel>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <map>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_panel.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

using chart::SceneLine;
using chart::XAxis;

void ChartTableModel::show(const std::vector<SceneLine>& lines, XAxis axis,
                           const chart::Range& view, chart::ValueKind kind,
                           const ChartGroup& group) {
  beginResetModel();
  m_rows.clear();
  m_values.clear();
  m_has.clear();
  m_runs.clear();
  m_titles.clear();
  m_leftOut = 0;
  m_kind = kind;
  QStringList runIds, keys;
  for (const SceneLine& line : lines) {
    if (!runIds.contains(line.run)) runIds << line.run;
    if (keys.contains(line.key)) continue;
    keys << line.key;
    const RunCurves* run = group.run(line.run);
    m_titles << (run ? run->keyTitle(line.key) : line.key);
  }
  const auto width = static_cast<std::size_t>(keys.size());
  for (const QString& id : runIds) {
    const RunCurves* run = group.run(id);
    m_runs << (run ? run->title() : id);
    std::map<double, std::size_t> places;  // by step: validation has fewer rows than the rest
    for (const SceneLine& line : lines) {
      if (line.run != id) continue;
      const std::vector<double>& x = line.x->values(axis);
      const std::vector<double>& steps = line.x->values(XAxis::Step);
      const auto column = static_cast<std::size_t>(keys.indexOf(line.key));
      const auto from = std::lower_bound(x.begin(), x.end(), view.low) - x.begin();
      const auto to = std::upper_bound(x.begin(), x.end(), view.high) - x.begin();
      for (auto i = static_cast<std::size_t>(from); i < static_cast<std::size_t>(to); ++i) {
        if (i >= line.values->size()) break;
        auto place = places.find(steps[i]);
        if (place == places.end()) {
          if (m_rows.size() >= kMostRows) {
            ++m_leftOut;
            continue;
          }
          place = places.emplace(steps[i], m_rows.size()).first;
          m_rows.push_back({static_cast<int>(m_runs.size()) - 1, steps[i],
                            line.x->values(XAxis::Tokens)[i], line.x->values(XAxis::WallTime)[i],
                            m_values.size()});
          m_values.resize(m_values.size() + width);
          m_has.resize(m_has.size() + width, false);
        }
        const std::size_t at = m_rows[place->second].first + column;
        m_values[at] = line.values->at(i);
        m_has[at] = true;
      }
    }
  }
  std::stable_sort(m_rows.begin(), m_rows.end(), [](const Row& a, const Row& b) {
    return a.run != b.run ? a.run < b.run : a.step < b.step;
  });
  endResetModel();
}

int ChartTableModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int ChartTableModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : 4 + static_cast<int>(m_titles.size());
}

QVariant ChartTableModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  if (role == Qt::TextAlignmentRole) {
    return int((index.column() == 0 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
  }
  if (role != Qt::DisplayRole) return {};
  const Row& row = m_rows[static_cast<std::size_t>(index.row())];
  switch (index.column()) {
    case 0:
      return m_runs[row.run];
    case 1:
      return numbers::whole(std::llround(row.step));
    case 2:
      return numbers::whole(std::llround(row.tokens));
    case 3:
      return chart::xText(row.time, XAxis::WallTime);
    default: {
      const std::size_t at = row.first + static_cast<std::size_t>(index.column()) - 4;
      if (!m_has[at]) return QString();
      return chart::valueText(static_cast<double>(m_values[at]), m_kind);
    }
  }
}

QVariant ChartTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  switch (section) {
    case 0:
      return tr("Run");
    case 1:
      return tr("Step");
    case 2:
      return tr("Tokens");
    case 3:
      return tr("Time");
    default:
      return section - 4 < m_titles.size() ? m_titles[section - 4] : QString();
  }
}

ChartTableDialog::ChartTableDialog(const ChartPanel& panel, QWidget* parent)
    : QDialog(parent), m_table(new QTableView(this)) {
  setWindowTitle(tr("%1 as a table").arg(panel.spec().title));
  setObjectName(QStringLiteral("chart-table"));
  auto* model = new ChartTableModel(this);
  const ChartGroup& group = panel.group();
  model->show(panel.lines(), group.options().axis, group.view(), panel.spec().kind, group);
  m_table->setModel(model);
  m_table->setAccessibleName(windowTitle());
  enableCopy(m_table);
  m_table->setAlternatingRowColors(true);
  m_table->setShowGrid(false);
  m_table->setFont(theme::font(theme::TextSize::Body, true));
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  m_table->verticalHeader()->setDefaultSectionSize(theme::kRowHeight - 4);
  m_table->horizontalHeader()->setDefaultSectionSize(128);
  m_table->horizontalHeader()->setStretchLastSection(true);
  m_table->setColumnWidth(3, 160);
  auto* layout = new QVBoxLayout(this);
  QString text =
      group.zoomed() ? tr("Every logged row of what is in view.") : tr("Every logged row.");
  if (model->leftOut() > 0) {
    text += QLatin1Char(' ') + tr("%1 more rows are left out here: zoom in, or save all as CSV.")
                                   .arg(numbers::whole(model->leftOut()));
  }
  layout->addWidget(new QLabel(text, this));
  layout->addWidget(m_table, 1);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
  layout->addWidget(buttons);
  resize(760, 520);
}

}  // namespace tessera::ui
