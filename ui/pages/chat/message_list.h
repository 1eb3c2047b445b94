// SPDX-License-Identifier: MIT
// The messages of one path of a conversation, newest at the bottom. Only what is near is built:
// a history of thousands opens as fast as one of ten.
#pragma once

#include <QScrollArea>
#include <deque>
#include <functional>

#include "ui/bridge/chat/conversation.h"

class QPushButton;
class QTimer;
class QVBoxLayout;

namespace tessera::ui {

class MessageWidget;

class MessageList : public QScrollArea {
  Q_OBJECT
 public:
  explicit MessageList(int side, QWidget* parent = nullptr);

  int side() const { return m_side; }
  /// The conversation has changed, or is another one. It must live as long as it is shown.
  void display(const Conversation* conversation);
  /// One answer grew or is done.
  void refresh(int index);
  void setAsTokens(bool asTokens);
  void setWaiting(int index, const QString& text);
  void setBusy(bool busy, const QString& reason);

  MessageWidget* widgetOf(int index) const;  ///< null: not built
  int built() const { return static_cast<int>(m_widgets.size()); }
  int earlier() const { return m_first; }  ///< messages that are not built yet
  bool atEnd() const;
  void scrollToEnd();
  /// Builds up to this message and brings it into view.
  void reveal(int index);

 Q_SIGNALS:
  void editDone(int index, const QString& text);
  void regenerate(int index);
  void goOn(int index);
  void editQuestion(int index);
  void showSibling(int index);
  void tokenPicked(int index, int token);
  void spanPicked(int index, int from, int to);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  MessageWidget* make(int index);
  void buildEarlier();
  void buildToReveal();
  void settle();
  bool wantsEarlier() const;
  int textWidth() const;

  int m_side;
  const Conversation* m_conversation = nullptr;
  QString m_id;  ///< id of the conversation
  std::vector<int> m_path;
  int m_first = 0;  ///< the path is built from here on
  std::deque<MessageWidget*> m_widgets;
  QWidget* m_content;
  QVBoxLayout* m_layout;
  QPushButton* m_more;
  QTimer* m_fill;
  bool m_asTokens = false, m_follow = true, m_busy = false, m_settling = false;
  QString m_busyReason;
  int m_reveal = -1;      ///< message to be brought into view
  int m_fromBottom = -1;  ///< keep this distance while earlier messages come in above
};

}  // namespace tessera::ui
