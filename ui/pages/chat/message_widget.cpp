// SPDX-License-Identifier: MIT
#include "ui/pages/chat/message_widget.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLocale>
#include <QPainter>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QShortcut>
#include <QToolButton>
#include <algorithm>

#include "ui/pages/chat/markdown_view.h"
#include "ui/pages/chat/token_view.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

QString reasonText(const QString& reason) {
  if (reason == QLatin1String("stop")) return MessageWidget::tr("ended by itself");
  if (reason == QLatin1String("length")) return MessageWidget::tr("longest answer reached");
  if (reason == QLatin1String("full")) return MessageWidget::tr("context full");
  if (reason == QLatin1String("cancelled")) return MessageWidget::tr("stopped");
  if (reason == QLatin1String("failed")) return MessageWidget::tr("failed");
  return {};
}

namespace {
constexpr int kHeaderMs = 400;

/// Whether there is more to come: it was cut off by its length, by Stop or by a failure.
bool canGoOn(const ChatMessage& message) {
  const QString& reason = message.reason;
  const bool cut = reason == QLatin1String("length") || reason == QLatin1String("cancelled") ||
                   reason == QLatin1String("failed");
  return cut && message.tokens && !message.tokens->empty();
}

QString tokensText(int count) {
  return count == 1 ? MessageWidget::tr("1 token")
                    : MessageWidget::tr("%1 tokens").arg(numbers::whole(count));
}
}  // namespace

MessageWidget::MessageWidget(int index, QWidget* parent)
    : QFrame(parent), m_index(index), m_layout(new QVBoxLayout(this)) {
  m_layout->setContentsMargins(2 * theme::kGrid, theme::kGrid, 2 * theme::kGrid, theme::kGrid);
  m_layout->setSpacing(theme::kHalf);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setAttribute(Qt::WA_StaticContents);  // message_list.cpp says why
}

QToolButton* MessageWidget::action(const QString& icon, const QString& name) {
  QToolButton* made = iconButton(icon, name, this);
  made->setAutoRaise(true);
  return made;
}

void MessageWidget::buildHeader() {
  auto* row = new QHBoxLayout;
  row->setSpacing(theme::kHalf);
  m_who = new ElidedLabel({}, this);
  m_who->setFont(theme::font(theme::TextSize::Caption, false, true));
  m_note = new ElidedLabel({}, this);
  m_note->setFont(theme::font(theme::TextSize::Caption, true));
  dressNote();
  row->addWidget(m_who);
  row->addSpacing(theme::kGrid);
  row->addWidget(m_note);
  row->addStretch(1);

  m_previous = action(QStringLiteral("chevron-left"), tr("Branch before"));
  m_place = new TextLabel({}, theme::TextSize::Caption, this);
  m_place->setTabular();
  m_next = action(QStringLiteral("chevron-right"), tr("Branch after"));
  m_copy = action(QStringLiteral("copy"), tr("Copy text"));
  for (QWidget* widget : {static_cast<QWidget*>(m_previous), static_cast<QWidget*>(m_place),
                          static_cast<QWidget*>(m_next), static_cast<QWidget*>(m_copy)}) {
    row->addWidget(widget);
  }
  connect(m_previous, &QToolButton::clicked, this, [this] { Q_EMIT showSibling(m_previousIndex); });
  connect(m_next, &QToolButton::clicked, this, [this] { Q_EMIT showSibling(m_nextIndex); });
  connect(m_copy, &QToolButton::clicked, this,
          [this] { QGuiApplication::clipboard()->setText(m_text); });
  if (m_answer) {
    m_goOn = action(QStringLiteral("play"), tr("Continue this answer"));
    row->addWidget(m_goOn);
    connect(m_goOn, &QToolButton::clicked, this, [this] { Q_EMIT goOn(m_index); });
    m_again = action(QStringLiteral("refresh"), tr("Regenerate as a branch"));
    row->addWidget(m_again);
    connect(m_again, &QToolButton::clicked, this, [this] { Q_EMIT regenerate(m_index); });
  } else {
    m_edit = action(QStringLiteral("edit"), tr("Edit as a branch"));
    row->addWidget(m_edit);
    connect(m_edit, &QToolButton::clicked, this, &MessageWidget::startEditing);
  }
  m_layout->addLayout(row);
  m_built = true;
}

void MessageWidget::dressNote() {
  QPalette palette;
  palette.setColor(QPalette::WindowText, theme::colors().textSecondary);
  m_note->setPalette(palette);
}

void MessageWidget::changeEvent(QEvent* event) {
  QFrame::changeEvent(event);
  if (event->type() == QEvent::PaletteChange && m_note) dressNote();
}

void MessageWidget::showHeader(const Conversation& conversation) {
  const ChatMessage& message = conversation.at(m_index);
  m_who->setFullText(m_answer ? message.model : tr("You"));
  QStringList notes;
  if (m_answer && message.tokens && !message.tokens->empty()) {
    notes += tokensText(message.tokens->size());
  }
  if (message.tokensPerSecond > 0) {
    notes += numbers::rate(message.tokensPerSecond, QStringLiteral("tokens/s"));
  }
  if (m_answer && !reasonText(message.reason).isEmpty()) notes += reasonText(message.reason);
  m_note->setFullText(notes.join(QStringLiteral(" · ")));
  setToolTip(QLocale().toString(message.time, QLocale::ShortFormat));
  if (m_goOn) m_goOn->setVisible(canGoOn(message));
}

void MessageWidget::buildProblem() {
  m_problem = new QWidget(this);
  auto* row = new QHBoxLayout(m_problem);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kGrid);
  auto* icon = new IconLabel(theme::kIcon, m_problem);
  icon->setName(QStringLiteral("error"));
  m_problemText = new TextLabel({}, theme::TextSize::Body, m_problem);
  m_problemText->setTone(TextLabel::Tone::Bad)->setWrapped()->setSelectable();
  m_mend = new QPushButton(m_problem);
  row->addWidget(icon, 0, Qt::AlignTop);
  row->addWidget(m_problemText, 1);
  row->addWidget(m_mend, 0, Qt::AlignTop);
  m_layout->addWidget(m_problem);
  connect(m_mend, &QPushButton::clicked, this, [this] {
    if (m_tooLong) {
      Q_EMIT editQuestion(m_index);
    } else {
      Q_EMIT regenerate(m_index);
    }
  });
}

/// The reason of a failure stays where the answer would be. What was too long fails again however
/// often it is tried: there the message is to be edited.
void MessageWidget::showProblem(const ChatMessage& message) {
  const bool failed = m_answer && !message.problem.isEmpty();
  if (!m_problem && !failed) return;
  if (!m_problem) buildProblem();
  if (failed) {
    m_tooLong = message.tooLong;
    m_problemText->setText(message.problem);
    m_problem->setAccessibleName(tr("The answer failed: %1").arg(message.problem));
    m_mend->setText(m_tooLong ? tr("Edit the message") : tr("Try again"));
  }
  m_layout->removeWidget(m_problem);  // below the text, which may be newer
  m_layout->addWidget(m_problem);
  m_problem->setVisible(failed);
}

void MessageWidget::showBranches(const Conversation& conversation) {
  const std::vector<int> siblings = conversation.siblings(m_index);
  const auto here = std::find(siblings.begin(), siblings.end(), m_index) - siblings.begin();
  const bool several = siblings.size() > 1;
  m_previousIndex = here > 0 ? siblings[static_cast<std::size_t>(here) - 1] : -1;
  m_nextIndex = static_cast<std::size_t>(here) + 1 < siblings.size()
                    ? siblings[static_cast<std::size_t>(here) + 1]
                    : -1;
  m_place->setText(QStringLiteral("%1/%2").arg(here + 1).arg(siblings.size()));
  m_place->setAccessibleName(tr("Branch %1 of %2").arg(here + 1).arg(siblings.size()));
  for (QWidget* widget : {static_cast<QWidget*>(m_previous), static_cast<QWidget*>(m_place),
                          static_cast<QWidget*>(m_next)}) {
    widget->setVisible(several);
  }
  setEnabledBecause(m_previous, m_previousIndex >= 0, tr("This is the first branch"));
  setEnabledBecause(m_next, m_nextIndex >= 0, tr("This is the last branch"));
}

int MessageWidget::textWidth() const {
  return width() - m_layout->contentsMargins().left() - m_layout->contentsMargins().right();
}

void MessageWidget::display(const Conversation& conversation, bool asTokens) {
  const ChatMessage& message = conversation.at(m_index);
  m_answer = message.isAnswer();
  m_text = message.text;
  if (!m_built) buildHeader();
  // While an answer grows its numbers change with every token: a few times a second will do.
  const bool growing = m_answer && message.reason.isEmpty() && !m_text.isEmpty();
  if (!growing || !m_headerClock.isValid() || m_headerClock.elapsed() > kHeaderMs) {
    m_headerClock.start();
    showHeader(conversation);
    showBranches(conversation);
  }
  const bool tokens = asTokens && m_answer && message.tokens && !message.tokens->empty();
  if (tokens && !m_tokenView) {
    m_tokenView = new TokenView(this);
    m_tokenView->resize(textWidth(), m_tokenView->height());
    m_layout->addWidget(m_tokenView);
    connect(m_tokenView, &TokenView::heightChanged, this, &MessageWidget::grew);
    connect(m_tokenView, &TokenView::tokenPicked, this,
            [this](int token) { Q_EMIT tokenPicked(m_index, token); });
    connect(m_tokenView, &TokenView::spanPicked, this,
            [this](int from, int to) { Q_EMIT spanPicked(m_index, from, to); });
  }
  if (!tokens && !m_textView) {
    m_textView = new MarkdownView(
        m_answer ? MarkdownView::Format::Markdown : MarkdownView::Format::Plain, this);
    m_textView->setAccessibleName(m_answer ? tr("Answer") : tr("Your message"));
    m_textView->resize(textWidth(), m_textView->height());
    m_layout->addWidget(m_textView);
    connect(m_textView, &MarkdownView::heightChanged, this, &MessageWidget::grew);
  }
  if (tokens) m_tokenView->showTokens(message.text, message.tokens);
  if (!tokens) m_textView->showText(message.text, !m_answer || !message.reason.isEmpty());
  if (m_tokenView) m_tokenView->setVisible(tokens);
  if (m_textView) m_textView->setVisible(!tokens && !m_editor && !message.text.isEmpty());
  showProblem(message);
  if (m_waiting && (!message.text.isEmpty() || !message.reason.isEmpty())) m_waiting->hide();
}

void MessageWidget::setWaiting(const QString& text) {
  if (!m_waiting && text.isEmpty()) return;
  if (!m_waiting) {
    m_waiting = new TextLabel({}, theme::TextSize::Body, this);
    m_waiting->setTone(TextLabel::Tone::Secondary)->setWrapped();
    m_layout->insertWidget(1, m_waiting);
  }
  m_waiting->setText(text);
  m_waiting->setVisible(!text.isEmpty() && m_text.isEmpty());
}

void MessageWidget::setBusy(bool busy, const QString& reason) {
  for (QWidget* widget : {static_cast<QWidget*>(m_again), static_cast<QWidget*>(m_goOn),
                          static_cast<QWidget*>(m_mend)}) {
    if (widget) setEnabledBecause(widget, !busy, reason);
  }
  if (m_edit) setEnabledBecause(m_edit, !busy, reason);
}

void MessageWidget::startEditing() {
  if (m_editor) return;
  m_editor = new QPlainTextEdit(m_text, this);
  m_editor->setAccessibleName(tr("Edited message"));
  m_editor->setFixedHeight(
      std::clamp(m_textView->height() + 3 * theme::kGrid, 9 * theme::kGrid, 40 * theme::kGrid));
  m_editBar = new QWidget(this);
  auto* row = new QHBoxLayout(m_editBar);
  row->setContentsMargins(0, 0, 0, 0);
  row->addStretch(1);
  auto* cancel = new QPushButton(tr("Cancel"), m_editBar);
  QPushButton* send = primaryButton(tr("Send as a branch"), m_editBar);
  row->addWidget(cancel);
  row->addWidget(send);
  m_layout->addWidget(m_editor);
  m_layout->addWidget(m_editBar);
  m_textView->hide();
  m_editor->show();  // a layout shows what it is given only later
  m_editBar->show();
  const auto finish = [this] {
    const QString text = m_editor->toPlainText().trimmed();
    stopEditing();
    if (!text.isEmpty()) Q_EMIT editDone(m_index, text);
  };
  connect(cancel, &QPushButton::clicked, this, &MessageWidget::stopEditing);
  connect(send, &QPushButton::clicked, this, finish);
  auto* enter = new QShortcut(QKeySequence(QStringLiteral("Ctrl+Return")), m_editor);
  enter->setContext(Qt::WidgetShortcut);
  connect(enter, &QShortcut::activated, this, finish);
  auto* escape = new QShortcut(QKeySequence(Qt::Key_Escape), m_editor);
  escape->setContext(Qt::WidgetShortcut);
  connect(escape, &QShortcut::activated, this, &MessageWidget::stopEditing);
  m_editor->setFocus();
  Q_EMIT grew();
}

void MessageWidget::stopEditing() {
  if (!m_editor) return;
  m_editor->deleteLater();
  m_editor = nullptr;
  if (m_editBar) m_editBar->deleteLater();
  m_textView->show();
  Q_EMIT grew();
}

void MessageWidget::resizeEvent(QResizeEvent* event) {
  QFrame::resizeEvent(event);
  if (!m_answer) update();  // its frame has corners on every side
}

void MessageWidget::paintEvent(QPaintEvent*) {
  if (m_answer) return;
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  painter.setBrush(theme::colors().raised);
  painter.drawRoundedRect(rect(), theme::kHalf, theme::kHalf);
}

}  // namespace tessera::ui
