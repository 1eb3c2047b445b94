// SPDX-License-Identifier: MIT
#include "ui/theme/style.h"

#include <QAbstractButton>
#include <QAbstractSpinBox>
#include <QComboBox>
#include <QEvent>
#include <QFrame>
#include <QPainter>
#include <QPainterPath>
#include <QPushButton>
#include <QStyleFactory>
#include <QStyleOption>

#include "ui/theme/theme.h"

namespace tessera::ui::theme {

namespace {

constexpr qreal kRadius = 4;

class Painting {
 public:
  explicit Painting(QPainter& painter) : m_painter(painter) {
    m_painter.save();
    m_painter.setRenderHint(QPainter::Antialiasing);
  }
  ~Painting() { m_painter.restore(); }
  Painting(const Painting&) = delete;
  Painting& operator=(const Painting&) = delete;

 private:
  QPainter& m_painter;
};

QRectF inner(const QRect& rect, qreal by = 0.5) {
  return QRectF(rect).adjusted(by, by, -by, -by);
}

void roundedFrame(QPainter& painter, const QRect& rect, const QColor& border, const QBrush& fill,
                  qreal radius = kRadius) {
  const Painting scope(painter);
  painter.setPen(QPen(border, 1));
  painter.setBrush(fill);
  painter.drawRoundedRect(inner(rect), radius, radius);
}

bool has(const QStyleOption& option, QStyle::StateFlag flag) {
  return option.state.testFlag(flag);
}

QColor frameColor(const QStyleOption& option) {
  const bool focused = has(option, QStyle::State_HasFocus) && has(option, QStyle::State_Enabled);
  return focused ? colors().accent : colors().border;
}

void drawButton(const QStyleOption& option, QPainter& painter) {
  const Colors& c = colors();
  const auto* button = qstyleoption_cast<const QStyleOptionButton*>(&option);
  const bool enabled = has(option, QStyle::State_Enabled);
  const bool down = has(option, QStyle::State_Sunken) || has(option, QStyle::State_On);
  const bool primary = button && button->features.testFlag(QStyleOptionButton::DefaultButton);
  if (button && button->features.testFlag(QStyleOptionButton::Flat) && !down) {
    if (enabled && has(option, QStyle::State_MouseOver)) {
      roundedFrame(painter, option.rect, c.hover, c.hover);
    }
    return;
  }
  QColor fill = enabled ? c.raised : c.surface, border = frameColor(option);
  if (primary && enabled) fill = border = c.accent;
  if (enabled && has(option, QStyle::State_MouseOver)) {
    fill = primary ? mixed(c.accent, c.text, 0.12) : c.hover;
  }
  if (enabled && down) fill = primary ? mixed(c.accent, c.text, 0.25) : c.selection;
  if (!enabled) border = mixed(c.border, c.surface, 0.4);
  roundedFrame(painter, option.rect, border, fill);
  if (primary && has(option, QStyle::State_HasFocus)) {
    const Painting scope(painter);
    painter.setPen(QPen(c.accentText, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRoundedRect(inner(option.rect, 2.5), kRadius - 2, kRadius - 2);
  }
}

void drawToolButton(const QStyleOption& option, QPainter& painter) {
  const Colors& c = colors();
  const bool enabled = has(option, QStyle::State_Enabled);
  const bool on = has(option, QStyle::State_Sunken) || has(option, QStyle::State_On);
  if (enabled && on) {
    roundedFrame(painter, option.rect, c.selection, c.selection);
  } else if (enabled && has(option, QStyle::State_MouseOver)) {
    roundedFrame(painter, option.rect, c.hover, c.hover);
  } else if (!has(option, QStyle::State_AutoRaise)) {
    roundedFrame(painter, option.rect, c.border, c.raised);
  }
}

void drawTick(QPainter& painter, const QRectF& box, const QColor& color) {
  QPainterPath tick;
  tick.moveTo(box.left() + 0.24 * box.width(), box.top() + 0.53 * box.height());
  tick.lineTo(box.left() + 0.43 * box.width(), box.top() + 0.71 * box.height());
  tick.lineTo(box.left() + 0.77 * box.width(), box.top() + 0.31 * box.height());
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(color, 1.8, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  painter.drawPath(tick);
}

void drawIndicator(const QStyleOption& option, QPainter& painter, bool round) {
  const Colors& c = colors();
  const bool enabled = has(option, QStyle::State_Enabled);
  const bool on = has(option, QStyle::State_On), part = has(option, QStyle::State_NoChange);
  const bool filled = enabled && (on || part);
  const qreal side = std::min(option.rect.width(), option.rect.height());
  const QRectF box(option.rect.left() + 0.5, option.rect.center().y() - side / 2 + 1, side - 1,
                   side - 1);
  const Painting scope(painter);
  const QColor edge = has(option, QStyle::State_HasFocus) || has(option, QStyle::State_MouseOver)
                          ? c.accent
                          : c.textDisabled;
  painter.setPen(QPen(filled ? c.accent : edge, 1));
  painter.setBrush(filled ? c.accent : enabled ? c.raised : c.surface);
  painter.drawRoundedRect(box, round ? side / 2 : 3, round ? side / 2 : 3);
  const QColor mark = enabled ? c.accentText : c.textDisabled;
  if (round && on) {
    painter.setPen(Qt::NoPen);
    painter.setBrush(mark);
    painter.drawEllipse(box.center(), 0.22 * side, 0.22 * side);
  } else if (part) {
    painter.fillRect(QRectF(box.left() + 3, box.center().y() - 1, box.width() - 6, 2), mark);
  } else if (on) {
    drawTick(painter, box, mark);
  }
}

void drawTab(const QStyleOption& option, QPainter& painter) {
  const Colors& c = colors();
  const bool selected = has(option, QStyle::State_Selected);
  if (has(option, QStyle::State_MouseOver) && !selected) painter.fillRect(option.rect, c.hover);
  if (has(option, QStyle::State_HasFocus)) roundedFrame(painter, option.rect, c.accent, {}, 2);
  if (!selected) return;
  QRect line = option.rect;
  line.setTop(line.bottom() - 1);
  painter.fillRect(line, c.accent);
}

void drawHeader(const QStyleOption& option, QPainter& painter) {
  const Colors& c = colors();
  const bool hover = has(option, QStyle::State_MouseOver) && has(option, QStyle::State_Enabled);
  painter.fillRect(option.rect, hover ? c.hover : c.surface);
  painter.setPen(c.border);
  painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight());
  painter.setPen(c.gridLine);
  painter.drawLine(option.rect.topRight() + QPoint(0, 5), option.rect.bottomRight() - QPoint(0, 5));
}

void drawProgress(const QStyleOptionProgressBar& option, QPainter& painter) {
  const Colors& c = colors();
  const Painting scope(painter);
  QRectF bar(option.rect);
  const qreal height = std::min<qreal>(bar.height(), 6);
  bar = QRectF(bar.left(), bar.center().y() - height / 2, bar.width(), height);
  painter.setPen(Qt::NoPen);
  painter.setBrush(mixed(c.border, c.surface, 0.3));
  painter.drawRoundedRect(bar, 3, 3);
  const double range = static_cast<double>(option.maximum) - option.minimum;
  if (range <= 0) {  // busy, without a motion that would keep the processor awake
    painter.setBrush(QBrush(c.accent, Qt::BDiagPattern));
    painter.drawRoundedRect(bar, 3, 3);
    return;
  }
  bar.setWidth(bar.width() * std::clamp((option.progress - option.minimum) / range, 0.0, 1.0));
  painter.setBrush(c.accent);
  painter.drawRoundedRect(bar, 3, 3);
}

void drawScrollBar(const QStyle& style, const QStyleOptionSlider& option, QPainter& painter,
                   const QWidget* widget) {
  const Colors& c = colors();
  const Painting scope(painter);
  const QRect handle =
      style.subControlRect(QStyle::CC_ScrollBar, &option, QStyle::SC_ScrollBarSlider, widget);
  if (option.maximum <= option.minimum) return;
  const bool active = has(option, QStyle::State_Sunken) ||
                      (has(option, QStyle::State_MouseOver) &&
                       option.activeSubControls.testFlag(QStyle::SC_ScrollBarSlider));
  painter.setPen(Qt::NoPen);
  painter.setBrush(active ? c.textSecondary : c.textDisabled);
  const QRectF bar = inner(handle, 3);
  const qreal radius = std::min(bar.width(), bar.height()) / 2;
  painter.drawRoundedRect(bar, radius, radius);
}

void drawSlider(const QStyle& style, const QStyleOptionSlider& option, QPainter& painter,
                const QWidget* widget) {
  const Colors& c = colors();
  const Painting scope(painter);
  const bool enabled = has(option, QStyle::State_Enabled);
  const bool across = option.orientation == Qt::Horizontal;
  const QRectF groove =
      style.subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderGroove, widget);
  const QRectF handle =
      style.subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderHandle, widget);
  const QPointF middle = handle.center();
  QRectF line = across ? QRectF(groove.left(), middle.y() - 2, groove.width(), 4)
                       : QRectF(middle.x() - 2, groove.top(), 4, groove.height());
  painter.setPen(Qt::NoPen);
  painter.setBrush(c.border);
  painter.drawRoundedRect(line, 2, 2);
  painter.setBrush(enabled ? c.accent : c.textDisabled);
  across ? line.setRight(middle.x()) : line.setTop(middle.y());
  painter.drawRoundedRect(line, 2, 2);
  painter.setPen(QPen(c.raised, 2));
  const qreal radius = has(option, QStyle::State_HasFocus) ? 8 : 7;
  painter.drawEllipse(middle, radius, radius);
}

}  // namespace

namespace {
bool isPopup(const QWidget* widget) {
  return widget && widget->windowType() == Qt::Popup;
}
}  // namespace

StudioStyle::StudioStyle() : QProxyStyle(QStyleFactory::create(QStringLiteral("Fusion"))) {
  setObjectName(QStringLiteral("tessera"));
}

void StudioStyle::polish(QWidget* widget) {
  QProxyStyle::polish(widget);
  // What pops up over a page of the same colour needs an edge.
  auto* frame = qobject_cast<QFrame*>(widget);
  if (frame && isPopup(widget) && frame->frameShape() == QFrame::NoFrame) {
    frame->setFrameShape(QFrame::StyledPanel);
  }
  if (qobject_cast<QComboBox*>(widget) || qobject_cast<QAbstractSpinBox*>(widget)) {
    if (widget->focusPolicy() == Qt::WheelFocus) widget->setFocusPolicy(Qt::StrongFocus);
    widget->installEventFilter(this);
  }
}

/// Whoever turns the wheel over a page scrolls it: a box that happens to pass under the pointer
/// keeps its value, unless it has the focus.
bool StudioStyle::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::Wheel && !static_cast<QWidget*>(watched)->hasFocus()) {
    event->ignore();  // it is offered to the parents then
    return true;
  }
  return QProxyStyle::eventFilter(watched, event);
}

bool StudioStyle::drawFrame(PrimitiveElement element, const QStyleOption& option, QPainter& painter,
                            const QWidget* widget) const {
  const Colors& c = colors();
  if (element == PE_Frame && isPopup(widget)) element = PE_FrameMenu;
  switch (element) {
    case PE_FrameLineEdit:
    case PE_FrameButtonBevel:
      roundedFrame(painter, option.rect, frameColor(option), {});
      return true;
    case PE_Frame:
      roundedFrame(painter, option.rect, frameColor(option), {}, 2);
      return true;
    case PE_FrameGroupBox:
    case PE_FrameWindow:
      roundedFrame(painter, option.rect, c.border, {});
      return true;
    case PE_FrameMenu:
      painter.setPen(c.textDisabled);  // an edge that is seen on every surface
      painter.setBrush(Qt::NoBrush);
      painter.drawRect(option.rect.adjusted(0, 0, -1, -1));
      return true;
    case PE_PanelTipLabel:
      painter.setPen(c.border);
      painter.setBrush(c.raised);
      painter.drawRect(option.rect.adjusted(0, 0, -1, -1));
      return true;
    case PE_FrameTabWidget:
    case PE_FrameTabBarBase:
      painter.setPen(c.border);
      painter.drawLine(option.rect.topLeft(), option.rect.topRight());
      return true;
    case PE_FrameDockWidget:
    case PE_FrameStatusBarItem:
      return true;
    default:
      return false;
  }
}

void StudioStyle::drawPrimitive(PrimitiveElement element, const QStyleOption* option,
                                QPainter* painter, const QWidget* widget) const {
  if (drawFrame(element, *option, *painter, widget)) return;
  const Colors& c = colors();
  switch (element) {
    case PE_PanelButtonCommand:
      return drawButton(*option, *painter);
    case PE_PanelButtonTool:
      return drawToolButton(*option, *painter);
    case PE_PanelLineEdit: {
      const auto* panel = qstyleoption_cast<const QStyleOptionFrame*>(option);
      if (!panel || panel->lineWidth <= 0) return;
      const bool on = has(*option, State_Enabled);
      return roundedFrame(*painter, option->rect, frameColor(*option), on ? c.raised : c.surface);
    }
    case PE_IndicatorCheckBox:
    case PE_IndicatorItemViewItemCheck:
      return drawIndicator(*option, *painter, false);
    case PE_IndicatorRadioButton:
      return drawIndicator(*option, *painter, true);
    case PE_FrameFocusRect: {
      if (!has(*option, State_KeyboardFocusChange)) return;  // where nobody moves by keys
      const Painting scope(*painter);
      painter->setPen(QPen(c.accent, 1));
      painter->setBrush(Qt::NoBrush);
      painter->drawRoundedRect(inner(option->rect), 3, 3);
      return;
    }
    case PE_PanelMenu:
      painter->fillRect(option->rect, c.raised);
      return;
    case PE_FrameDefaultButton:
    case PE_PanelMenuBar:
    case PE_PanelStatusBar:
      return;
    case PE_IndicatorDockWidgetResizeHandle:
      painter->fillRect(option->rect, c.window);
      return;
    default:
      QProxyStyle::drawPrimitive(element, option, painter, widget);
  }
}

/// With an ellipsis where the text of a box has no room; Qt 6.4 cuts it off.
QStyleOptionComboBox StudioStyle::elided(const QStyleOptionComboBox& option,
                                         const QWidget* widget) const {
  QStyleOptionComboBox shown(option);
  int room = subControlRect(CC_ComboBox, &option, SC_ComboBoxEditField, widget).width() - 2;
  if (!option.currentIcon.isNull()) room -= option.iconSize.width() + 4;
  shown.currentText = option.fontMetrics.elidedText(option.currentText, Qt::ElideRight, room);
  return shown;
}

void StudioStyle::drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                              const QWidget* widget) const {
  const Colors& c = colors();
  switch (element) {
    case CE_TabBarTabShape:
      return drawTab(*option, *painter);
    case CE_HeaderSection:
      return drawHeader(*option, *painter);
    case CE_HeaderEmptyArea:
      painter->fillRect(option->rect, c.surface);
      painter->setPen(c.border);
      painter->drawLine(option->rect.bottomLeft(), option->rect.bottomRight());
      return;
    case CE_Splitter:
      return;
    case CE_MenuBarItem:
      QProxyStyle::drawControl(element, option, painter, widget);
      if (has(*option, State_Selected)) return;
      // Fusion draws a line under the items alone, which ends where they do.
      painter->fillRect(QRect(option->rect.left(), option->rect.bottom(), option->rect.width(), 1),
                        c.window);
      return;
    case CE_MenuBarEmptyArea:
      painter->fillRect(option->rect, c.window);
      return;
    case CE_ProgressBar:
      if (const auto* bar = qstyleoption_cast<const QStyleOptionProgressBar*>(option)) {
        return drawProgress(*bar, *painter);
      }
      break;
    case CE_ComboBoxLabel:
      if (const auto* box = qstyleoption_cast<const QStyleOptionComboBox*>(option)) {
        const QStyleOptionComboBox shown = elided(*box, widget);
        return QProxyStyle::drawControl(element, &shown, painter, widget);
      }
      break;
    case CE_PushButtonLabel:
      if (const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option)) {
        QStyleOptionButton copy(*button);
        const bool primary = copy.features.testFlag(QStyleOptionButton::DefaultButton);
        const bool down = has(copy, State_Sunken) || has(copy, State_On);
        if (primary && has(copy, State_Enabled)) {
          copy.palette.setColor(QPalette::ButtonText, c.accentText);
        } else if (down && has(copy, State_Enabled)) {
          copy.palette.setColor(QPalette::ButtonText, c.selectionText);
        }
        return QProxyStyle::drawControl(element, &copy, painter, widget);
      }
      break;
    default:
      break;
  }
  QProxyStyle::drawControl(element, option, painter, widget);
}

void StudioStyle::drawComplexControl(ComplexControl control, const QStyleOptionComplex* option,
                                     QPainter* painter, const QWidget* widget) const {
  if (const auto* slider = qstyleoption_cast<const QStyleOptionSlider*>(option)) {
    if (control == CC_ScrollBar) return drawScrollBar(*this, *slider, *painter, widget);
    if (control == CC_Slider && slider->tickPosition == 0) {
      return drawSlider(*this, *slider, *painter, widget);
    }
  }
  if (const auto* tool = qstyleoption_cast<const QStyleOptionToolButton*>(option)) {
    // A menu that opens at once needs no arrow in the corner: these buttons have icons that say so.
    QStyleOptionToolButton copy(*tool);
    if (!copy.features.testFlag(QStyleOptionToolButton::MenuButtonPopup)) {
      copy.features.setFlag(QStyleOptionToolButton::HasMenu, false);
    }
    return QProxyStyle::drawComplexControl(control, &copy, painter, widget);
  }
  QProxyStyle::drawComplexControl(control, option, painter, widget);
  // Fusion draws the outline of these itself, too dark: ours goes over it.
  const auto* spin = qstyleoption_cast<const QStyleOptionSpinBox*>(option);
  if (control == CC_SpinBox && spin && spin->frame) {
    const Painting scope(*painter);
    painter->setBrush(Qt::NoBrush);
    painter->setPen(QPen(colors().raised, 1));
    painter->drawRoundedRect(inner(option->rect, 1.5), kRadius - 1, kRadius - 1);
    painter->setPen(QPen(frameColor(*option), 1));
    painter->drawRoundedRect(inner(option->rect), kRadius, kRadius);
  }
}

int StudioStyle::pixelMetric(PixelMetric metric, const QStyleOption* option,
                             const QWidget* widget) const {
  switch (metric) {
    case PM_ScrollBarExtent:
      return 12;
    case PM_ScrollBarSliderMin:
      return 28;
    case PM_ButtonIconSize:
    case PM_TabBarIconSize:
    case PM_SmallIconSize:
      return 16;
    case PM_ToolBarIconSize:
      return kIcon;
    case PM_LayoutHorizontalSpacing:
    case PM_LayoutVerticalSpacing:
      return kGrid;
    case PM_LayoutLeftMargin:
    case PM_LayoutRightMargin:
    case PM_LayoutTopMargin:
    case PM_LayoutBottomMargin:
      return kGrid;
    case PM_SplitterWidth:
    case PM_DockWidgetSeparatorExtent:
      return kGrid - 2;
    case PM_DockWidgetFrameWidth:
      return 0;
    case PM_MenuPanelWidth:  // without it menus are drawn without their edge
      return 1;
    case PM_IndicatorWidth:
    case PM_IndicatorHeight:
    case PM_ExclusiveIndicatorWidth:
    case PM_ExclusiveIndicatorHeight:
      return 16;
    case PM_TabBarTabHSpace:
      return 24;
    case PM_TabBarTabVSpace:
      return 12;
    case PM_TabBarTabShiftVertical:
    case PM_TabBarTabShiftHorizontal:
    case PM_ButtonShiftHorizontal:
    case PM_ButtonShiftVertical:
      return 0;
    default:
      return QProxyStyle::pixelMetric(metric, option, widget);
  }
}

int StudioStyle::styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                           QStyleHintReturn* data) const {
  switch (hint) {
    case SH_EtchDisabledText:
    case SH_DitherDisabledText:
    case SH_Menu_SubMenuPopupDelay:
    case SH_Widget_Animation_Duration:
    case SH_DockWidget_ButtonsHaveFrame:
    case SH_DialogButtonBox_ButtonsHaveIcons:  // Qt's own are black, in the dark theme too
      return 0;
    case SH_ToolTip_WakeUpDelay:
      return 450;
    case SH_ItemView_ShowDecorationSelected:
    case SH_ScrollBar_LeftClickAbsolutePosition:
      return 1;
    default:
      return QProxyStyle::styleHint(hint, option, widget, data);
  }
}

QSize StudioStyle::sizeFromContents(ContentsType type, const QStyleOption* option,
                                    const QSize& size, const QWidget* widget) const {
  QSize full = QProxyStyle::sizeFromContents(type, option, size, widget);
  switch (type) {
    case CT_PushButton:
      full.setWidth(std::max(full.width(), size.width() + 3 * kGrid));
      full.setHeight(std::max(full.height(), kRowHeight));
      return full;
    case CT_ComboBox:
    case CT_LineEdit:
    case CT_SpinBox:
      full.setHeight(std::max(full.height(), kRowHeight));
      return full;
    case CT_MenuItem:
      if (full.height() > kGrid) full.setHeight(std::max(full.height(), 24));
      return full;
    default:
      return full;
  }
}

}  // namespace tessera::ui::theme
