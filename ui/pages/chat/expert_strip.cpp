// SPDX-License-Identifier: MIT
#include "ui/pages/chat/expert_strip.h"

#include <QHelpEvent>
#include <QImage>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kLabel = 32, kCellHeight = 18, kWidestCell = 48, kMapRow = 14;
/// Ratios beyond this and its inverse have the ends of the colour map.
constexpr double kMostRatio = 4;

QColor inkOn(const QColor& ground) {
  return theme::contrast(ground, Qt::white) >= 4.5 ? QColor(Qt::white) : QColor(Qt::black);
}
}  // namespace

ExpertStrip::ExpertStrip(QWidget* parent) : QWidget(parent) {
  setFont(theme::font(theme::TextSize::Caption, true));
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setAccessibleName(tr("Experts of the token"));
}

void ExpertStrip::showToken(std::shared_ptr<const TokenRecord> record, int token, int firstLayer) {
  m_rows.clear();
  m_firstLayer = firstLayer;
  if (record && token >= 0 && token < record->size() && record->hasExperts(token)) {
    for (int layer = 0; layer < record->layers(); ++layer) {
      std::vector<Cell> row;
      const auto experts = record->experts(token, layer);
      const auto gates = record->gates(token, layer);
      for (std::size_t k = 0; k < experts.size(); ++k) row.push_back({experts[k], gates[k]});
      std::stable_sort(row.begin(), row.end(),
                       [](const Cell& a, const Cell& b) { return a.gate > b.gate; });
      m_rows.push_back(std::move(row));
    }
  }
  setAccessibleDescription(asText());
  updateGeometry();
  update();
}

QString ExpertStrip::asText() const {
  QStringList lines;
  for (std::size_t layer = 0; layer < m_rows.size(); ++layer) {
    QStringList cells;
    for (const Cell& cell : m_rows[layer]) {
      cells += QStringLiteral("%1 (%2)").arg(cell.expert).arg(numbers::fixed(double(cell.gate), 3));
    }
    lines += tr("Layer %1: %2")
                 .arg(static_cast<int>(layer) + m_firstLayer)
                 .arg(cells.join(QStringLiteral(", ")));
  }
  return lines.join(u'\n');
}

QSize ExpertStrip::sizeHint() const {
  const int columns = m_rows.empty() ? 0 : static_cast<int>(m_rows.front().size());
  return {kLabel + columns * 32, static_cast<int>(m_rows.size()) * kCellHeight};
}

QRectF ExpertStrip::cellRect(std::size_t row, std::size_t column) const {
  const double width = std::min<double>(
      kWidestCell, (this->width() - kLabel) / static_cast<double>(m_rows[row].size()));
  return {kLabel + static_cast<double>(column) * width, static_cast<double>(row) * kCellHeight,
          width, kCellHeight};
}

void ExpertStrip::paintEvent(QPaintEvent* event) {
  QPainter painter(this);
  for (std::size_t layer = 0; layer < m_rows.size(); ++layer) {
    const QRect line(0, static_cast<int>(layer) * kCellHeight, width(), kCellHeight);
    if (!line.intersects(event->rect())) continue;
    painter.setPen(theme::colors().textSecondary);
    painter.drawText(line.adjusted(0, 0, -(width() - kLabel + theme::kHalf), 0),
                     Qt::AlignRight | Qt::AlignVCenter,
                     QString::number(static_cast<int>(layer) + m_firstLayer));
    const float heaviest = std::max(m_rows[layer].front().gate, 1e-6f);
    for (std::size_t k = 0; k < m_rows[layer].size(); ++k) {
      const Cell& cell = m_rows[layer][k];
      const QColor ground(theme::sequential(double(cell.gate / heaviest)));
      const QRectF box = cellRect(layer, k).adjusted(0.5, 0.5, -0.5, -0.5);
      painter.fillRect(box, ground);
      painter.setPen(inkOn(ground));
      painter.drawText(box, Qt::AlignCenter, QString::number(cell.expert));
    }
  }
}

bool ExpertStrip::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  for (std::size_t layer = 0; layer < m_rows.size(); ++layer) {
    for (std::size_t k = 0; k < m_rows[layer].size(); ++k) {
      if (!cellRect(layer, k).contains(help->pos())) continue;
      const Cell& cell = m_rows[layer][k];
      QToolTip::showText(help->globalPos(),
                         tr("Layer %1, expert %2: gate weight %3")
                             .arg(static_cast<int>(layer) + m_firstLayer)
                             .arg(cell.expert)
                             .arg(numbers::fixed(double(cell.gate), 3)),
                         this);
      return true;
    }
  }
  QToolTip::hideText();
  return true;
}

// ---- UsageMap -----------------------------------------------------------------------------------

namespace {
/// Each layer's counts as shares.
std::vector<double> shares(const std::vector<double>& counts, int layers, int experts) {
  std::vector<double> values(counts.size());
  for (int layer = 0; layer < layers; ++layer) {
    const auto from = counts.begin() + std::ptrdiff_t{layer} * experts;
    const double sum = std::accumulate(from, from + experts, 0.0);
    std::transform(from, from + experts, values.begin() + std::ptrdiff_t{layer} * experts,
                   [sum](double count) { return sum > 0 ? count / sum : 0; });
  }
  return values;
}
}  // namespace

UsageMap::UsageMap(QWidget* parent) : QWidget(parent) {
  setFont(theme::font(theme::TextSize::Caption, true));
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setAccessibleName(tr("Experts of the selection against the whole conversation"));
}

void UsageMap::showUsage(const std::vector<double>& span, const std::vector<double>& everywhere,
                         int layers, int experts, int firstLayer) {
  const auto wanted = static_cast<std::size_t>(layers) * static_cast<std::size_t>(experts);
  if (wanted == 0 || span.size() != wanted || everywhere.size() != wanted) return clear();
  m_layers = layers;
  m_experts = experts;
  m_firstLayer = firstLayer;
  m_span = shares(span, layers, experts);
  m_everywhere = shares(everywhere, layers, experts);
  updateGeometry();
  update();
}

void UsageMap::clear() {
  m_layers = m_experts = 0;
  m_span.clear();
  m_everywhere.clear();
  updateGeometry();
  update();
}

UsageMap::Row UsageMap::row(int layer, int expert) const {
  const auto at = static_cast<std::size_t>(layer * m_experts + expert);
  return {layer + m_firstLayer, expert, m_span[at], m_everywhere[at]};
}

std::vector<UsageMap::Row> UsageMap::preferred(std::size_t count) const {
  std::vector<Row> rows;
  for (int layer = 0; layer < m_layers; ++layer) {
    for (int expert = 0; expert < m_experts; ++expert) rows.push_back(row(layer, expert));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.share - a.everywhere > b.share - b.everywhere;
  });
  std::erase_if(rows, [](const Row& one) { return one.share <= one.everywhere; });
  rows.resize(std::min(rows.size(), count));
  return rows;
}

QSize UsageMap::sizeHint() const {
  return {kLabel + 200, m_layers * kMapRow};
}

void UsageMap::paintEvent(QPaintEvent*) {
  if (empty()) return;
  QImage image(m_experts, m_layers, QImage::Format_RGB32);
  for (int layer = 0; layer < m_layers; ++layer) {
    for (int expert = 0; expert < m_experts; ++expert) {
      const Row one = row(layer, expert);
      const double ratio = std::clamp(one.ratio(), 1 / kMostRatio, kMostRatio);
      const bool unused = one.everywhere == 0;
      image.setPixel(
          expert, layer,
          theme::diverging(unused ? 0.5 : 0.5 + 0.5 * std::log(ratio) / std::log(kMostRatio)));
    }
  }
  QPainter painter(this);
  painter.drawImage(QRect(kLabel, 0, width() - kLabel, m_layers * kMapRow), image);
  painter.setPen(theme::colors().textSecondary);
  for (int layer = 0; layer < m_layers; ++layer) {
    painter.drawText(QRect(0, layer * kMapRow, kLabel - theme::kHalf, kMapRow),
                     Qt::AlignRight | Qt::AlignVCenter, QString::number(layer + m_firstLayer));
  }
}

bool UsageMap::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip || empty()) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  const int layer = help->pos().y() / kMapRow;
  const int expert = (help->pos().x() - kLabel) * m_experts / std::max(1, width() - kLabel);
  if (help->pos().x() < kLabel || layer >= m_layers || expert >= m_experts) return true;
  const Row one = row(layer, expert);
  QToolTip::showText(
      help->globalPos(),
      tr("Layer %1, expert %2: %3 of the selection's picks, %4 of the conversation's")
          .arg(one.layer)
          .arg(one.expert)
          .arg(numbers::percent(one.share), numbers::percent(one.everywhere)),
      this);
  return true;
}

}  // namespace tessera::ui
