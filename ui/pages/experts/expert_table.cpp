// SPDX-License-Identifier: MIT
#include "ui/pages/experts/expert_table.h"

#include <QDialogButtonBox>
#include <QHeaderView>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QVBoxLayout>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/scale.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

void ExpertTableModel::setFrame(ExpertsFrame frame, ExpertsFrame base, QStringList layerNames,
                                std::vector<std::uint8_t> signs) {
  beginResetModel();
  m_frame = std::move(frame);
  m_ratio.clear();
  m_change.clear();
  if (m_frame) {
    m_ratio = expertValues(ExpertMode::UseRatio, *m_frame, nullptr);
    m_change = expertValues(ExpertMode::Change, *m_frame, base.get());
  }
  m_names = std::move(layerNames);
  m_signs = std::move(signs);
  endResetModel();
}

int ExpertTableModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() || !m_frame ? 0 : m_frame->layers * m_frame->experts;
}

int ExpertTableModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(Columns);
}

double ExpertTableModel::value(int row, int column) const {
  const auto at = static_cast<std::size_t>(row);
  switch (column) {
    case Layer:
      return row / m_frame->experts;
    case Expert:
      return row % m_frame->experts;
    case Load:
      return at < m_frame->counts.size() ? double(m_frame->counts[at]) : std::nan("");
    case Ratio:
      return double(m_ratio[at]);
    case Bias:
      return at < m_frame->biases.size() ? double(m_frame->biases[at]) : std::nan("");
    case Change:
      return double(m_change[at]);
    default:
      return at < m_signs.size() ? m_signs[at] : 0;
  }
}

QVariant ExpertTableModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  if (role == Qt::TextAlignmentRole) {
    const bool text = index.column() == Layer || index.column() == Alarm;
    return int((text ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
  }
  const double v = value(index.row(), index.column());
  if (role == Qt::UserRole) return std::isnan(v) ? -HUGE_VAL : v;  // NaN has no order
  if (role != Qt::DisplayRole) return {};
  switch (index.column()) {
    case Layer:
      return int(v) < m_names.size() ? m_names[int(v)] : QString::number(int(v));
    case Expert:
      return QString::number(int(v));
    case Alarm:
      return int(v) == HeatMap::Dead ? tr("dead") : int(v) == HeatMap::Hot ? tr("hot") : QString();
    case Load:
      return std::isnan(v) ? numbers::notMeasured() : numbers::whole(std::int64_t(v));
    default:
      return std::isnan(v) ? numbers::notMeasured() : chart::valueText(v, chart::ValueKind::Number);
  }
}

QVariant ExpertTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  switch (section) {
    case Layer:
      return tr("Layer");
    case Expert:
      return tr("Expert");
    case Load:
      return tr("Load (tokens)");
    case Ratio:
      return tr("Use ratio");
    case Bias:
      return tr("Bias");
    case Change:
      return tr("Change of use ratio");
    case Alarm:
      return tr("Alarm");
    default:
      return {};
  }
}

ExpertTableDialog::ExpertTableDialog(const QString& title, ExpertsFrame frame, ExpertsFrame base,
                                     const QStringList& layerNames, std::vector<std::uint8_t> signs,
                                     QWidget* parent)
    : QDialog(parent), m_table(new QTableView(this)) {
  setWindowTitle(title);
  setObjectName(QStringLiteral("expert-table"));
  auto* model = new ExpertTableModel(this);
  model->setFrame(std::move(frame), std::move(base), layerNames, std::move(signs));
  auto* sorted = new QSortFilterProxyModel(this);
  sorted->setSourceModel(model);
  sorted->setSortRole(Qt::UserRole);
  m_table->setModel(sorted);
  m_table->setSortingEnabled(true);
  m_table->sortByColumn(ExpertTableModel::Layer, Qt::AscendingOrder);
  m_table->setShowGrid(false);
  m_table->setAlternatingRowColors(true);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setAccessibleName(title);
  enableCopy(m_table);
  m_table->setFont(theme::font(theme::TextSize::Body, true));
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  m_table->verticalHeader()->setDefaultSectionSize(theme::kRowHeight - 4);
  m_table->horizontalHeader()->setStretchLastSection(true);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
  auto* column = new QVBoxLayout(this);
  column->addWidget(m_table, 1);
  column->addWidget(buttons);
  resize(720, 520);
}

}  // namespace tessera::ui
