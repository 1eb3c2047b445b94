// SPDX-License-Identifier: MIT
#include "ui/pages/runs/runs_delegate.h"

#include <QApplication>
#include <QLineEdit>
#include <QPainter>
#include <QTableView>

#include "ui/models/runs_proxy.h"
#include "ui/theme/theme.h"
#include "ui/widgets/sparkline.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
constexpr int kDot = 8, kChipHeight = 18;

/// Background, selection and focus as every other cell has them.
void paintBackground(QPainter& painter, const QStyleOptionViewItem& option) {
  const QStyle* style = option.widget ? option.widget->style() : QApplication::style();
  style->drawPrimitive(QStyle::PE_PanelItemViewItem, &option, &painter, option.widget);
}

/// Runs whose folder is gone stand back.
QColor textColor(const QStyleOptionViewItem& option) {
  const bool selected = option.state & QStyle::State_Selected;
  if (selected) return theme::colors().selectionText;
  return option.index.data(RunsModel::MissingRole).toBool() ? theme::colors().textSecondary
                                                            : option.palette.color(QPalette::Text);
}

QRect inner(const QStyleOptionViewItem& option) {
  return option.rect.adjusted(theme::kGrid, 0, -theme::kGrid, 0);
}

void paintText(QPainter& painter, const QRect& rect, int alignment, const QString& text) {
  painter.drawText(rect, alignment | Qt::TextSingleLine,
                   painter.fontMetrics().elidedText(text, Qt::ElideRight, rect.width()));
}
}  // namespace

void RunsDelegate::paintName(QPainter& painter, const QStyleOptionViewItem& option,
                             const QModelIndex& index) const {
  QRect rect = inner(option);
  const QRectF dot(rect.left(), rect.center().y() - kDot / 2.0 + 0.5, kDot, kDot);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  painter.setBrush(theme::lineColor(index.data(RunsModel::IdRole).toString()));
  painter.drawEllipse(dot);
  rect.setLeft(rect.left() + kDot + theme::kGrid);
  painter.setPen(textColor(option));
  paintText(painter, rect, Qt::AlignVCenter | Qt::AlignLeft, index.data().toString());
}

/// The head of a group goes across all columns: each cell paints its part.
void RunsDelegate::paintHead(QPainter& painter, const QStyleOptionViewItem& option,
                             const QModelIndex& index) const {
  const auto* view = qobject_cast<const QTableView*>(option.widget);
  const auto* runs = qobject_cast<const RunsProxy*>(index.model());
  if (!view || !runs) return;
  painter.fillRect(option.rect, theme::colors().raised);
  QRect rect(theme::kGrid, option.rect.top(), view->viewport()->width() - 2 * theme::kGrid,
             option.rect.height());
  const QRect mark(rect.left(), rect.center().y() - theme::kIcon / 2 + 1, theme::kIcon,
                   theme::kIcon);
  const bool open = runs->isOpen(index.row());
  theme::icon(open ? QStringLiteral("chevron-down") : QStringLiteral("chevron-right"))
      .paint(&painter, mark);
  rect.setLeft(mark.right() + theme::kHalf);
  QFont font = theme::font(theme::TextSize::Body);
  font.setWeight(QFont::DemiBold);
  painter.setFont(font);
  painter.setPen(theme::colors().text);
  paintText(painter, rect, Qt::AlignVCenter | Qt::AlignLeft, index.data().toString());
}

void RunsDelegate::paintProgress(QPainter& painter, const QStyleOptionViewItem& option,
                                 const QModelIndex& index) const {
  const QRect rect = inner(option);
  const double done = index.data(RunsModel::ProgressRole).toDouble();
  painter.setPen(textColor(option));
  painter.setFont(theme::font(theme::TextSize::Body, true));
  paintText(painter, rect, Qt::AlignVCenter | Qt::AlignRight, index.data().toString());
  if (done < 0) return;
  const theme::Colors& c = theme::colors();
  const QRectF bar(rect.left(), rect.bottom() - 4, rect.width(), 3);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  painter.setBrush(c.gridLine);
  painter.drawRoundedRect(bar, 1.5, 1.5);
  painter.setBrush(stateColor(static_cast<RunState>(index.data(RunsModel::StateRole).toInt())));
  painter.drawRoundedRect(QRectF(bar.topLeft(), QSizeF(bar.width() * done, bar.height())), 1.5,
                          1.5);
}

void RunsDelegate::paintTags(QPainter& painter, const QStyleOptionViewItem& option,
                             const QModelIndex& index) const {
  const theme::Colors& c = theme::colors();
  const QRect rect = inner(option);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setFont(theme::font(theme::TextSize::Caption));
  int x = rect.left();
  for (const QString& tag : RunsModel::tagsOf(index.data().toString())) {
    const int width = std::min(painter.fontMetrics().horizontalAdvance(tag) + 2 * theme::kHalf + 4,
                               rect.right() - x);
    if (width < 3 * theme::kGrid) break;
    const QRectF chip(x + 0.5, rect.center().y() - kChipHeight / 2.0 + 1, width, kChipHeight);
    painter.setPen(c.border);
    painter.setBrush(c.raised);
    painter.drawRoundedRect(chip, 4, 4);
    painter.setPen(c.text);
    paintText(painter, chip.toRect().adjusted(theme::kHalf, 0, -theme::kHalf, 0), Qt::AlignCenter,
              tag);
    x += width + theme::kHalf;
  }
}

void RunsDelegate::paintRunState(QPainter& painter, const QStyleOptionViewItem& option,
                                 const QModelIndex& index) const {
  QRect rect = inner(option);
  if (!index.data(RunsModel::MissingRole).toBool()) {
    paintState(painter, rect, static_cast<RunState>(index.data(RunsModel::StateRole).toInt()),
               theme::font(theme::TextSize::Body), textColor(option));
    return;
  }
  const QRect mark(rect.left() - 2, rect.center().y() - theme::kIcon / 2 + 1, theme::kIcon,
                   theme::kIcon);
  theme::icon(QStringLiteral("warning")).paint(&painter, mark);
  rect.setLeft(mark.right() + theme::kHalf);
  painter.setPen(textColor(option));
  painter.setFont(theme::font(theme::TextSize::Body));
  paintText(painter, rect, Qt::AlignVCenter | Qt::AlignLeft, index.data().toString());
}

void RunsDelegate::paint(QPainter* painter, const QStyleOptionViewItem& given,
                         const QModelIndex& index) const {
  QStyleOptionViewItem option = given;
  initStyleOption(&option, index);
  painter->save();
  paintBackground(*painter, option);
  painter->setClipRect(option.rect);
  const bool head = index.data(RunsProxy::GroupRole).toBool();
  if (head) paintHead(*painter, option, index);
  switch (head ? -1 : index.column()) {
    case -1:
      break;
    case RunsModel::Name:
      paintName(*painter, option, index);
      break;
    case RunsModel::State:
      paintRunState(*painter, option, index);
      break;
    case RunsModel::Progress:
      paintProgress(*painter, option, index);
      break;
    case RunsModel::Curve: {
      const auto values = index.data(RunsModel::CurveRole).value<QList<float>>();
      paintSparkline(*painter, QRectF(inner(option)).adjusted(0, 5, 0, -5),
                     std::span(values.constData(), static_cast<std::size_t>(values.size())),
                     theme::lineColor(index.data(RunsModel::IdRole).toString()));
      break;
    }
    case RunsModel::Tags:
      paintTags(*painter, option, index);
      break;
    default: {
      const bool number = option.displayAlignment & Qt::AlignRight;
      painter->setFont(theme::font(theme::TextSize::Body, number));
      painter->setPen(textColor(option));
      paintText(*painter, inner(option), static_cast<int>(option.displayAlignment), option.text);
    }
  }
  painter->restore();
  if (option.state & QStyle::State_HasFocus) {
    QStyleOptionFocusRect focus;
    focus.QStyleOption::operator=(option);
    QApplication::style()->drawPrimitive(QStyle::PE_FrameFocusRect, &focus, painter, option.widget);
  }
}

QSize RunsDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
  const QSize plain = QStyledItemDelegate::sizeHint(option, index);
  return {plain.width() + 2 * theme::kGrid, theme::kRowHeight + theme::kHalf};
}

QWidget* RunsDelegate::createEditor(QWidget* parent, const QStyleOptionViewItem& option,
                                    const QModelIndex& index) const {
  QWidget* editor = QStyledItemDelegate::createEditor(parent, option, index);
  if (auto* line = qobject_cast<QLineEdit*>(editor)) {
    const bool tags = index.column() == RunsModel::Tags;
    line->setPlaceholderText(tags ? tr("Words, with commas between") : QString());
    line->setAccessibleName(
        index.model()->headerData(index.column(), Qt::Horizontal, Qt::DisplayRole).toString());
  }
  return editor;
}

}  // namespace tessera::ui
