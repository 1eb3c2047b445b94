// SPDX-License-Identifier: MIT
#include "ui/pages/chat/message_list.h"

#include <QElapsedTimer>
#include <QKeyEvent>
#include <QPushButton>
#include <QScrollBar>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "ui/pages/chat/message_widget.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"

namespace tessera::ui {

namespace {
constexpr int kTurnMs = 12, kWidest = 860;
}

MessageList::MessageList(int side, QWidget* parent)
    : QScrollArea(parent),
      m_side(side),
      m_content(new QWidget),
      m_layout(new QVBoxLayout(m_content)),
      m_more(new QPushButton(m_content)),
      m_fill(new QTimer(this)) {
  setFrameShape(QFrame::NoFrame);
  setWidgetResizable(true);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Messages"));
  m_layout->setContentsMargins(theme::kGrid, theme::kGrid, theme::kGrid, theme::kGrid);
  m_layout->setSpacing(theme::kGrid);
  // NOTE: Qt moves what is painted instead of painting it again only where nothing in it is to be
  // painted; without this, growing at the end makes all of it so.
  m_content->setAttribute(Qt::WA_StaticContents);
  m_more->setFlat(true);
  m_layout->addWidget(m_more);
  m_layout->addStretch(1);
  setWidget(m_content);
  m_fill->setSingleShot(true);
  m_fill->setInterval(0);
  connect(m_fill, &QTimer::timeout, this, &MessageList::buildEarlier);
  connect(m_more, &QPushButton::clicked, this, [this] {
    m_follow = false;
    verticalScrollBar()->setValue(0);
    m_fill->start();
  });
  QScrollBar* bar = verticalScrollBar();
  connect(bar, &QScrollBar::rangeChanged, this, &MessageList::settle);
  connect(bar, &QScrollBar::valueChanged, this, [this, bar] {
    if (m_settling) return;
    m_follow = atEnd();
    m_fromBottom = bar->maximum() - bar->value();  // the place that settle() keeps
    if (wantsEarlier()) m_fill->start();
  });
}

bool MessageList::atEnd() const {
  return verticalScrollBar()->value() >= verticalScrollBar()->maximum() - 2 * theme::kGrid;
}

void MessageList::scrollToEnd() {
  m_follow = true;
  settle();
}

/// Keeps what the user looks at in place: the end, or the same distance from it.
void MessageList::settle() {
  QScrollBar* bar = verticalScrollBar();
  m_settling = true;
  if (m_follow) {
    bar->setValue(bar->maximum());
  } else if (m_fromBottom >= 0) {
    bar->setValue(bar->maximum() - m_fromBottom);
  }
  m_settling = false;
  if (wantsEarlier() && m_conversation) m_fill->start();
}

bool MessageList::wantsEarlier() const {
  return m_first > 0 && verticalScrollBar()->value() < viewport()->height();
}

MessageWidget* MessageList::make(int index) {
  auto* widget = new MessageWidget(index, m_content);
  widget->resize(textWidth(), widget->height());  // texts are laid out once, at the right width
  widget->display(*m_conversation, m_asTokens);
  widget->setBusy(m_busy, m_busyReason);
  connect(widget, &MessageWidget::editDone, this, &MessageList::editDone);
  connect(widget, &MessageWidget::regenerate, this, &MessageList::regenerate);
  connect(widget, &MessageWidget::goOn, this, &MessageList::goOn);
  connect(widget, &MessageWidget::editQuestion, this, &MessageList::editQuestion);
  connect(widget, &MessageWidget::showSibling, this, &MessageList::showSibling);
  connect(widget, &MessageWidget::tokenPicked, this, &MessageList::tokenPicked);
  connect(widget, &MessageWidget::spanPicked, this, &MessageList::spanPicked);
  return widget;
}

void MessageList::display(const Conversation* conversation) {
  const QString id = conversation ? conversation->id : QString();
  const bool another = id != m_id;
  m_id = id;
  m_conversation = conversation;
  const std::vector<int> path = conversation ? conversation->path(m_side) : std::vector<int>{};
  const auto split = std::mismatch(m_path.begin(), m_path.end(), path.begin(), path.end());
  auto same = another ? 0 : static_cast<int>(split.first - m_path.begin());
  if (same < m_first) same = 0;  // nothing that is built stays
  const bool appended = same == static_cast<int>(m_path.size());
  const int kept = std::max(0, same - m_first);
  while (static_cast<int>(m_widgets.size()) > kept) {
    m_widgets.back()->hide();
    m_widgets.back()->deleteLater();
    m_widgets.pop_back();
  }
  m_path = path;
  if (m_widgets.empty()) m_first = static_cast<int>(m_path.size());
  for (MessageWidget* widget : m_widgets) widget->display(*m_conversation, m_asTokens);
  if (!m_widgets.empty()) {
    for (std::size_t i = static_cast<std::size_t>(m_first) + m_widgets.size(); i < m_path.size();
         ++i) {
      m_widgets.push_back(make(m_path[i]));
      m_layout->insertWidget(m_layout->count() - 1, m_widgets.back());
    }
  }
  m_follow = m_follow || another || appended;
  m_fromBottom = m_reveal = -1;
  buildEarlier();
  settle();
}

int MessageList::textWidth() const {
  return std::min(kWidest, viewport()->width() - 2 * theme::kGrid);
}

/// Builds messages above those that are there until two screens are full, a slice at once.
void MessageList::buildEarlier() {
  if (m_reveal >= 0) return buildToReveal();
  QElapsedTimer clock;
  clock.start();
  QScrollBar* bar = verticalScrollBar();
  m_fromBottom = bar->maximum() - bar->value();
  int height = 0;
  for (const MessageWidget* widget : m_widgets) height += widget->sizeHint().height();
  const bool start = m_follow;
  while (m_first > 0 && clock.elapsed() < kTurnMs &&
         (start ? height < 2 * viewport()->height() : wantsEarlier())) {
    MessageWidget* widget = make(m_path[static_cast<std::size_t>(--m_first)]);
    m_widgets.push_front(widget);
    m_layout->insertWidget(1, widget);
    height += std::max(widget->sizeHint().height(), 8 * theme::kGrid);
    if (!start) break;  // one at a time: its height is known after the layout
  }
  m_more->setVisible(m_first > 0);
  m_more->setText(tr("Earlier messages: %1").arg(m_first));
  const bool more = m_first > 0 && (start ? height < 2 * viewport()->height() : wantsEarlier());
  if (more) m_fill->start();
}

void MessageList::refresh(int index) {
  if (MessageWidget* widget = widgetOf(index)) widget->display(*m_conversation, m_asTokens);
}

void MessageList::setAsTokens(bool asTokens) {
  if (asTokens == m_asTokens) return;
  m_asTokens = asTokens;
  for (MessageWidget* widget : m_widgets) widget->display(*m_conversation, asTokens);
}

void MessageList::setWaiting(int index, const QString& text) {
  if (MessageWidget* widget = widgetOf(index)) widget->setWaiting(text);
}

void MessageList::setBusy(bool busy, const QString& reason) {
  if (busy == m_busy) return;
  m_busy = busy;
  m_busyReason = reason;
  for (MessageWidget* widget : m_widgets) widget->setBusy(busy, reason);
}

MessageWidget* MessageList::widgetOf(int index) const {
  const auto found = std::find_if(m_widgets.begin(), m_widgets.end(),
                                  [index](MessageWidget* one) { return one->index() == index; });
  return found == m_widgets.end() ? nullptr : *found;
}

void MessageList::reveal(int index) {
  const auto place = std::find(m_path.begin(), m_path.end(), index);
  if (place == m_path.end()) return;
  m_follow = false;
  m_reveal = index;
  m_fill->start();
}

/// Builds up to the message that is to be seen, then goes there.
void MessageList::buildToReveal() {
  QElapsedTimer clock;
  clock.start();
  const auto found = std::find(m_path.begin(), m_path.end(), m_reveal);
  const auto place = static_cast<int>(found - m_path.begin());
  while (m_first > place && clock.elapsed() < kTurnMs) {
    m_widgets.push_front(make(m_path[static_cast<std::size_t>(--m_first)]));
    m_layout->insertWidget(1, m_widgets.front());
  }
  m_more->setVisible(m_first > 0);
  m_more->setText(tr("Earlier messages: %1").arg(m_first));
  if (m_first > place) return m_fill->start();
  m_fromBottom = -1;
  QTimer::singleShot(0, this, [this, index = std::exchange(m_reveal, -1)] {
    if (MessageWidget* widget = widgetOf(index)) {
      verticalScrollBar()->setValue(widget->y() - theme::kGrid);
    }
  });
}

void MessageList::resizeEvent(QResizeEvent* event) {
  QScrollArea::resizeEvent(event);
  const int side = std::max(theme::kGrid, (viewport()->width() - kWidest) / 2);
  m_layout->setContentsMargins(side, theme::kGrid, side, theme::kGrid);
  settle();
  if (m_first > 0) m_fill->start();
}

void MessageList::keyPressEvent(QKeyEvent* event) {
  QScrollBar* bar = verticalScrollBar();
  switch (event->key()) {
    case Qt::Key_Home:
      bar->setValue(0);
      return;
    case Qt::Key_End:
      bar->setValue(bar->maximum());
      return;
    default:
      QScrollArea::keyPressEvent(event);
  }
}

}  // namespace tessera::ui
