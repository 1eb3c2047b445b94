// SPDX-License-Identifier: MIT
#include "ui/pages/chat/template_dialog.h"

#include <QClipboard>
#include <QDialogButtonBox>
#include <QEvent>
#include <QGuiApplication>
#include <QPushButton>
#include <QTextCharFormat>
#include <QTextCursor>
#include <QTextEdit>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kTokensAtOnce = 250;
constexpr double kGround = 0.16, kSpecialGround = 0.3;  // of the colour, in the paper's

/// Two grounds by turns, so that each boundary is seen; a special token has a third.
QTextCharFormat formatOf(const ChatPiece& piece, std::size_t at) {
  const theme::Colors& c = theme::colors();
  QTextCharFormat format;
  const QColor tint = piece.special ? c.accent : at % 2 ? c.neutral : c.raised;
  format.setBackground(theme::mixed(c.raised, tint, piece.special ? kSpecialGround : kGround));
  format.setForeground(c.text);
  if (piece.special) format.setFontWeight(QFont::DemiBold);
  format.setToolTip(piece.special ? TemplateDialog::tr("special token %1").arg(piece.id)
                                  : TemplateDialog::tr("token %1").arg(piece.id));
  return format;
}
}  // namespace

TemplateDialog::TemplateDialog(QWidget* parent)
    : QDialog(parent),
      m_about(new TextLabel({}, theme::TextSize::Body, this)),
      m_text(new QTextEdit(this)),
      m_writer(new QTimer(this)) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(tr("What the model reads"));
  resize(720, 560);
  m_about->setWrapped();
  m_about->setTone(TextLabel::Tone::Secondary);
  m_text->setReadOnly(true);
  m_text->setUndoRedoEnabled(false);
  m_text->setFont(theme::monospace());
  m_text->setAccessibleName(tr("Tokens of the conversation"));
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  QPushButton* copy = buttons->addButton(tr("Copy as text"), QDialogButtonBox::ActionRole);
  for (QAbstractButton* button : buttons->buttons()) {
    if (auto* plain = qobject_cast<QPushButton*>(button)) plain->setAutoDefault(false);
  }
  auto* column = new QVBoxLayout(this);
  column->addWidget(m_about);
  column->addWidget(m_text, 1);
  column->addWidget(buttons);
  m_writer->setInterval(0);
  connect(m_writer, &QTimer::timeout, this, &TemplateDialog::write);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
  connect(copy, &QPushButton::clicked, this, [this] {
    QString all;
    for (const ChatPiece& piece : m_tokens) all += piece.text();
    QGuiApplication::clipboard()->setText(all);
  });
  setProblem(tr("Asking the model"));
}

void TemplateDialog::setProblem(const QString& problem) {
  m_tokens.clear();
  m_about->setText(problem);
  begin();
}

void TemplateDialog::setTokens(std::vector<ChatPiece> tokens) {
  m_tokens = std::move(tokens);
  const auto special = std::count_if(m_tokens.begin(), m_tokens.end(),
                                     [](const ChatPiece& piece) { return piece.special; });
  QString about =
      tr("%1 tokens, %2 of them special. The ground changes with each token; special tokens, which "
         "only the template writes, have a colour.")
          .arg(numbers::whole(std::ssize(m_tokens)), numbers::whole(special));
  if (m_tokens.size() > kMostTokens) {
    about += u' ' + tr("Shown are the last %1.").arg(numbers::whole(kMostTokens));
  }
  m_about->setText(about);
  begin();
}

void TemplateDialog::begin() {
  m_text->clear();
  m_next = m_tokens.size() > kMostTokens ? m_tokens.size() - kMostTokens : 0;
  if (isWhole()) {
    m_writer->stop();
  } else {
    m_writer->start();
  }
}

/// In pieces: laying out all of a long conversation at once would hold up the window.
void TemplateDialog::write() {
  QTextCursor cursor(m_text->document());
  cursor.beginEditBlock();  // laid out once
  for (int i = 0; i < kTokensAtOnce && !isWhole(); ++i) append(m_next++);
  cursor.endEditBlock();
  if (isWhole()) m_writer->stop();
}

/// Line ends are both seen and done.
void TemplateDialog::append(std::size_t token) {
  const ChatPiece& piece = m_tokens[token];
  QTextCursor cursor(m_text->document());
  cursor.movePosition(QTextCursor::End);
  cursor.insertText(piece.shown, formatOf(piece, token));
  if (!piece.special && piece.shown.endsWith(QLatin1String("\\n"))) {
    cursor.insertText(QStringLiteral("\n"), QTextCharFormat());
  }
}

void TemplateDialog::changeEvent(QEvent* event) {
  QDialog::changeEvent(event);
  if (event->type() == QEvent::PaletteChange) begin();
}

}  // namespace tessera::ui
