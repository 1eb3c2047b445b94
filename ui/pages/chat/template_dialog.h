// SPDX-License-Identifier: MIT
// What the model reads: the conversation as the model's template writes it out, cut into tokens.
// Neighbouring tokens have different grounds, and special tokens stand out: text that only spells
// one does not.
#pragma once

#include <QDialog>
#include <vector>

#include "ui/bridge/chat/chat_engine.h"

class QTextEdit;
class QTimer;

namespace tessera::ui {

class TextLabel;

class TemplateDialog : public QDialog {
  Q_OBJECT
 public:
  explicit TemplateDialog(QWidget* parent);

  /// Of many tokens the last kMostTokens are shown.
  void setTokens(std::vector<ChatPiece> tokens);
  /// Instead of them: why there are none.
  void setProblem(const QString& problem);
  /// All is written that is to be shown.
  bool isWhole() const { return m_next >= m_tokens.size(); }
  QTextEdit* text() const { return m_text; }

  static constexpr std::size_t kMostTokens = 4000;

 protected:
  void changeEvent(QEvent* event) override;

 private:
  void write();
  void append(std::size_t token);
  void begin();

  TextLabel* m_about;
  QTextEdit* m_text;
  QTimer* m_writer;
  std::vector<ChatPiece> m_tokens;
  std::size_t m_next = 0;  ///< the token to be written next
};

}  // namespace tessera::ui
