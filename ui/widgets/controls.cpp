// SPDX-License-Identifier: MIT
#include "ui/widgets/controls.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QPainter>
#include <QPushButton>
#include <QScrollBar>
#include <QStyle>
#include <QStyleOptionButton>
#include <QToolButton>
#include <QVBoxLayout>

namespace tessera::ui {

using theme::TextSize;

TextLabel::TextLabel(const QString& text, TextSize size, QWidget* parent)
    : QLabel(text, parent), m_size(size) {
  setTextFormat(Qt::PlainText);
  refresh();
}

TextLabel* TextLabel::setTone(Tone tone) {
  m_tone = tone;
  refresh();
  return this;
}
TextLabel* TextLabel::setTabular(bool tabular) {
  m_tabular = tabular;
  refresh();
  return this;
}
TextLabel* TextLabel::setStrong() {
  m_strong = true;
  refresh();
  return this;
}
TextLabel* TextLabel::setWrapped() {
  setWordWrap(true);
  return this;
}
TextLabel* TextLabel::setSelectable() {
  setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  return this;
}

void TextLabel::changeEvent(QEvent* event) {
  QLabel::changeEvent(event);
  if (event->type() == QEvent::PaletteChange && !m_refreshing) refresh();
}

void TextLabel::refresh() {
  m_refreshing = true;
  const theme::Colors& c = theme::colors();
  const QColor color = m_tone == Tone::Secondary ? c.textSecondary
                       : m_tone == Tone::Good    ? c.good
                       : m_tone == Tone::Warning ? c.warning
                       : m_tone == Tone::Bad     ? c.bad
                                                 : c.text;
  setFont(theme::font(m_size, m_tabular, m_strong));
  QPalette changed;
  changed.setColor(QPalette::WindowText, color);
  changed.setColor(QPalette::Disabled, QPalette::WindowText, c.textDisabled);
  setPalette(changed);
  m_refreshing = false;
}

ElidedLabel::ElidedLabel(const QString& text, QWidget* parent) : QLabel(parent) {
  setTextFormat(Qt::PlainText);
  setFullText(text);
}

void ElidedLabel::setFullText(const QString& text) {
  m_full = text;
  QLabel::setText(text);  // for screen readers; painted by us
  update();
}

void ElidedLabel::setMode(Qt::TextElideMode mode) {
  m_mode = mode;
  update();
}

QSize ElidedLabel::sizeHint() const {
  return {fontMetrics().horizontalAdvance(m_full) + 2, fontMetrics().height()};
}
QSize ElidedLabel::minimumSizeHint() const {
  return {fontMetrics().horizontalAdvance(QStringLiteral("mmm\u2026")), fontMetrics().height()};
}

void ElidedLabel::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  const QString shown = fontMetrics().elidedText(m_full, m_mode, width());
  setToolTip(shown == m_full ? QString() : m_full);
  style()->drawItemText(&painter, rect(), static_cast<int>(Qt::AlignVCenter) | alignment(),
                        palette(), isEnabled(), shown, foregroundRole());
}

Card::Card(QWidget* parent) : QFrame(parent) {
  setContentsMargins(0, 0, 0, 0);
}

void Card::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(theme::colors().border, 1));
  painter.setBrush(theme::colors().raised);
  painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
}

ColumnArea::ColumnArea(QWidget* parent) : QScrollArea(parent) {
  setFrameShape(QFrame::NoFrame);
  setWidgetResizable(true);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
}

QSize ColumnArea::minimumSizeHint() const {
  const int content = widget() ? widget()->minimumSizeHint().width() : 0;
  return {content + verticalScrollBar()->sizeHint().width(), 80};
}

bool ColumnArea::eventFilter(QObject* object, QEvent* event) {
  if (object == widget() && event->type() == QEvent::LayoutRequest) updateGeometry();
  return QScrollArea::eventFilter(object, event);
}

IconLabel::IconLabel(int size, QWidget* parent) : QWidget(parent) {
  setFixedSize(size, size);
}

void IconLabel::setName(const QString& name) {
  if (name == m_name) return;
  m_name = name;
  update();
}

void IconLabel::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  if (!m_name.isEmpty()) theme::icon(m_name).paint(&painter, rect());
}

namespace {
class Separator : public QFrame {
 public:
  using QFrame::QFrame;

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter(this).fillRect(rect(), theme::colors().border);
  }
};

class PrimaryButton : public QPushButton {
 public:
  using QPushButton::QPushButton;

 protected:
  void initStyleOption(QStyleOptionButton* option) const override {
    QPushButton::initStyleOption(option);
    option->features |= QStyleOptionButton::DefaultButton;
  }
};
}  // namespace

void setCentredBody(QWidget* page, QWidget* body, int mostWidth) {
  body->setMaximumWidth(mostWidth);
  auto* centred = new QWidget;
  auto* across = new QHBoxLayout(centred);
  across->setContentsMargins(0, 0, 0, 0);
  across->addStretch(1);
  across->addWidget(body, 1000);
  across->addStretch(1);
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setWidget(centred);
  auto* all = new QVBoxLayout(page);
  all->setContentsMargins(0, 0, 0, 0);
  all->addWidget(area);
}

QFrame* separator(Qt::Orientation orientation, QWidget* parent) {
  auto* line = new Separator(parent);
  orientation == Qt::Horizontal ? line->setFixedHeight(1) : line->setFixedWidth(1);
  return line;
}

QPushButton* primaryButton(const QString& text, QWidget* parent) {
  return new PrimaryButton(text, parent);
}

QToolButton* iconButton(const QString& icon, const QString& name, QWidget* parent) {
  auto* button = new QToolButton(parent);
  button->setIcon(theme::icon(icon));
  button->setIconSize(QSize(theme::kIcon, theme::kIcon));
  button->setAutoRaise(true);
  button->setToolTip(name);
  button->setAccessibleName(name);
  return button;
}

void setEnabledBecause(QWidget* widget, bool enabled, const QString& reasonIfNot) {
  constexpr auto kTip = "tessera_usual_tip";
  if (!widget->property(kTip).isValid()) widget->setProperty(kTip, widget->toolTip());
  widget->setEnabled(enabled);
  widget->setToolTip(enabled ? widget->property(kTip).toString() : reasonIfNot);
}

}  // namespace tessera::ui
