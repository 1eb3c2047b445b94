// SPDX-License-Identifier: MIT
// One message: who said it, what it says, and what can be done with it.
#pragma once

#include <QElapsedTimer>
#include <QFrame>
#include <QPointer>

#include "ui/bridge/chat/conversation.h"

class QPlainTextEdit;
class QPushButton;
class QToolButton;
class QVBoxLayout;

namespace tessera::ui {

class ElidedLabel;
class MarkdownView;
class TextLabel;
class TokenView;

class MessageWidget : public QFrame {
  Q_OBJECT
 public:
  /// `index`: of the message in its conversation.
  explicit MessageWidget(int index, QWidget* parent = nullptr);

  int index() const { return m_index; }
  void display(const Conversation& conversation, bool asTokens);
  /// What an answer that has no text yet is waiting for.
  void setWaiting(const QString& text);
  void setBusy(bool busy, const QString& reason);  ///< actions that would start an answer
  TokenView* tokenView() const { return m_tokenView; }
  MarkdownView* textView() const { return m_textView; }
  void startEditing();
  bool editing() const { return m_editor != nullptr; }

 Q_SIGNALS:
  void editDone(int index, const QString& text);
  void regenerate(int index);
  void goOn(int index);          ///< an answer that was cut off
  void editQuestion(int index);  ///< the message that this answer could not be written to
  void showSibling(int index);   ///< shows another branch
  void tokenPicked(int index, int token);
  void spanPicked(int index, int from, int to);
  void grew();

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void buildHeader();
  void dressNote();
  void showHeader(const Conversation& conversation);
  void showBranches(const Conversation& conversation);
  void showProblem(const ChatMessage& message);
  void buildProblem();
  void stopEditing();
  int textWidth() const;
  QToolButton* action(const QString& icon, const QString& name);

  int m_index;
  bool m_answer = false, m_built = false, m_tooLong = false;
  QString m_text;
  QElapsedTimer m_headerClock;  ///< since the numbers were shown
  QVBoxLayout* m_layout;
  ElidedLabel* m_who = nullptr;
  ElidedLabel* m_note = nullptr;
  TextLabel *m_place = nullptr, *m_waiting = nullptr;
  QToolButton *m_previous = nullptr, *m_next = nullptr, *m_copy = nullptr, *m_edit = nullptr,
              *m_again = nullptr, *m_goOn = nullptr;
  QWidget* m_problem = nullptr;  ///< why the answer failed, and what can be done
  TextLabel* m_problemText = nullptr;
  QPushButton* m_mend = nullptr;
  int m_previousIndex = -1, m_nextIndex = -1;
  MarkdownView* m_textView = nullptr;
  TokenView* m_tokenView = nullptr;
  QPlainTextEdit* m_editor = nullptr;
  QPointer<QWidget> m_editBar;
};

/// "ended by itself", "stopped", ... for people; empty for an answer that is not done.
QString reasonText(const QString& reason);

}  // namespace tessera::ui
