// SPDX-License-Identifier: MIT
#include "ui/pages/configure/rank_map.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kCellWide = 148, kCellHigh = 58, kCellGap = 20, kRowGap = 6;

QColor colorOfTie(RankMap::Tie tie) {
  switch (tie) {
    case RankMap::Tie::Weights:
      return theme::lineColor(0);
    case RankMap::Tie::Experts:
      return theme::lineColor(1);
    case RankMap::Tie::Context:
      return theme::lineColor(3);
    case RankMap::Tie::Pipeline:
      return theme::lineColor(2);
    case RankMap::Tie::None:
      break;
  }
  return theme::colors().border;
}
}  // namespace

RankMap::RankMap(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Ranks and what they hold; the text below tells of the one that is chosen"));
}

void RankMap::show(const Mesh& mesh, const ModelConfig& config, std::vector<Layout> layouts) {
  m_mesh = mesh;
  m_config = config;
  m_layouts = std::move(layouts);
  m_selected = std::clamp(m_selected, 0, std::max(0, int(m_layouts.size()) - 1));
  updateGeometry();
  resize(sizeHint());
  update();
}

int RankMap::across() const {
  return int(m_mesh.ranks() / std::max<std::int64_t>(1, m_mesh.pipeline));
}

int RankMap::rows() const {
  return m_layouts.empty() ? 0 : std::min(across(), kMostRows);
}

QSize RankMap::sizeHint() const {
  if (m_layouts.empty()) return {0, 0};
  return {int(m_mesh.pipeline) * (kCellWide + kCellGap) - kCellGap, rows() * (kCellHigh + kRowGap)};
}

QRect RankMap::cellOf(int rank) const {
  return {rank / across() * (kCellWide + kCellGap), rank % across() * (kCellHigh + kRowGap),
          kCellWide, kCellHigh};
}

QPoint RankMap::placeOf(int rank) const {
  return cellOf(rank).center();
}

RankMap::Tie RankMap::tie(int a, int b) const {
  if (a == b) return Tie::None;
  const MeshPlace here = place_of(m_mesh, a), there = place_of(m_mesh, b);
  if (here.pipeline == there.pipeline) {
    if (here.data == there.data) return Tie::Context;
    const bool shares = here.replica / m_mesh.expert == there.replica / m_mesh.expert;
    return shares && here.expert != there.expert ? Tie::Experts : Tie::Weights;
  }
  const bool neighbours = std::abs(here.pipeline - there.pipeline) == 1;
  return neighbours && a % across() == b % across() ? Tie::Pipeline : Tie::None;
}

QString RankMap::layersText(const ModelConfig& config, const Layout& layout) {
  QStringList parts;
  for (const PipelineStage& stage : layout.stages) {
    if (stage.is_first) parts << tr("token table");
    const qlonglong first = stage.first, last = stage.end - 1;
    parts << (first == last ? tr("layer %1").arg(first) : tr("layers %1-%2").arg(first).arg(last));
    if (stage.is_last) {
      parts << (config.num_nextn_predict_layers > 0 ? tr("head, MTP") : tr("head"));
    }
  }
  return parts.join(QStringLiteral(", "));
}

QString RankMap::expertsText(const Layout& layout) {
  if (layout.experts.count() == 0) return {};
  return tr("experts %1-%2").arg(layout.experts.first).arg(layout.experts.end - 1);
}

void RankMap::paintEvent(QPaintEvent*) {
  if (m_layouts.empty()) return;
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const theme::Colors& colors = theme::colors();
  const QFont strong = theme::font(theme::TextSize::Caption, true, true);
  const QFont plain = theme::font(theme::TextSize::Caption, true);
  const QFontMetrics metrics(plain);
  for (int rank = 0; rank < int(m_layouts.size()); ++rank) {
    if (rank % across() >= rows()) continue;
    const QRect box = cellOf(rank);
    const bool chosen = rank == m_selected;
    const Tie tied = tie(m_selected, rank);
    painter.setBrush(colors.raised);
    painter.setPen(QPen(chosen ? colors.accent : colorOfTie(tied), chosen              ? 3
                                                                   : tied == Tie::None ? 1
                                                                                       : 2));
    painter.drawRoundedRect(QRectF(box).adjusted(1.5, 1.5, -1.5, -1.5), 4, 4);
    if (chosen && hasFocus()) {
      painter.setPen(QPen(colors.text, 1, Qt::DotLine));
      painter.drawRoundedRect(QRectF(box).adjusted(4, 4, -4, -4), 3, 3);
    }
    const int line = metrics.height(), left = box.left() + theme::kGrid;
    const int room = kCellWide - 2 * theme::kGrid;
    const Layout& held = m_layouts[std::size_t(rank)];
    painter.setPen(colors.text);
    painter.setFont(strong);
    painter.drawText(left, box.top() + theme::kHalf + metrics.ascent(), tr("rank %1").arg(rank));
    painter.setFont(plain);
    painter.setPen(colors.textSecondary);
    int y = box.top() + theme::kHalf + metrics.ascent();
    for (const QString& text : {layersText(m_config, held), expertsText(held)}) {
      y += line;
      painter.drawText(left, y, metrics.elidedText(text, Qt::ElideRight, room));
    }
    if (rank / across() + 1 < m_mesh.pipeline && rank % across() == 0) {
      painter.setPen(QPen(colors.textSecondary, 1));
      const int middle = box.center().y();
      painter.drawLine(box.right() + 3, middle, box.right() + kCellGap - 3, middle);
      painter.drawLine(box.right() + kCellGap - 7, middle - 4, box.right() + kCellGap - 3, middle);
      painter.drawLine(box.right() + kCellGap - 7, middle + 4, box.right() + kCellGap - 3, middle);
    }
  }
}

void RankMap::pick(int rank) {
  if (rank < 0 || rank >= int(m_layouts.size()) || rank % across() >= rows()) return;
  m_selected = rank;
  update();
  Q_EMIT picked(rank);
}

void RankMap::mousePressEvent(QMouseEvent* event) {
  setFocus(Qt::MouseFocusReason);
  for (int rank = 0; rank < int(m_layouts.size()); ++rank) {
    if (rank % across() < rows() && cellOf(rank).contains(event->pos())) return pick(rank);
  }
}

void RankMap::keyPressEvent(QKeyEvent* event) {
  if (m_layouts.empty()) return QWidget::keyPressEvent(event);
  const int row = m_selected % across();
  switch (event->key()) {
    case Qt::Key_Up:
      return row > 0 ? pick(m_selected - 1) : void();
    case Qt::Key_Down:
      return row + 1 < rows() ? pick(m_selected + 1) : void();
    case Qt::Key_Left:
      return pick(m_selected - across());
    case Qt::Key_Right:
      return pick(m_selected + across());
    default:
      QWidget::keyPressEvent(event);
  }
}

void RankMap::focusInEvent(QFocusEvent* event) {
  QWidget::focusInEvent(event);
  update();
}

void RankMap::focusOutEvent(QFocusEvent* event) {
  QWidget::focusOutEvent(event);
  update();
}

}  // namespace tessera::ui
