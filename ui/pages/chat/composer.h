// SPDX-License-Identifier: MIT
// Where a message is written: a field that grows, Send or Stop, and how full the context is.
#pragma once

#include <QWidget>

class QPlainTextEdit;
class QPushButton;

namespace tessera::ui {

class ElidedLabel;
class TextLabel;

/// A thin bar with words beside it: how much of the context is used.
class ContextMeter : public QWidget {
  Q_OBJECT
 public:
  explicit ContextMeter(QWidget* parent = nullptr);
  void setUse(int used, int of);           ///< tokens; of 0: unknown
  void setUnknown(const QString& reason);  ///< why the tokens could not be counted
  QString text() const;                    ///< the words beside the bar
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  int m_used = 0, m_of = 0;
  QString m_unknown;
};

class Composer : public QWidget {
  Q_OBJECT
 public:
  explicit Composer(QWidget* parent = nullptr);

  QString text() const;
  void setText(const QString& text);
  void clear();
  void setBusy(bool busy);
  /// Why nothing can be sent; empty: it can.
  void setObstacle(const QString& reason);
  /// Said above the field, and nothing can be sent either: the conversation is too long. With
  /// `fresh` a button offers a new chat. Empty: it is not.
  void setTooLong(const QString& reason, bool fresh = false);
  void setSpeed(const QString& text);
  ContextMeter* meter() const { return m_meter; }
  QPlainTextEdit* field() const { return m_field; }
  QPushButton* button() const { return m_button; }

 Q_SIGNALS:
  void sent(const QString& text);
  void stopped();
  void editLast();     ///< up in an empty field
  void freshWanted();  ///< a new chat, with what is written if there is something
  void textChanged();

 protected:
  bool eventFilter(QObject* object, QEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  QWidget* makeWarning();
  void press();
  void refresh();
  void fit();
  QPlainTextEdit* m_field;
  QPushButton* m_button;
  ContextMeter* m_meter;
  TextLabel* m_speed;
  ElidedLabel* m_hint;
  QWidget* m_warning;  ///< that the conversation is too long
  TextLabel* m_warningText;
  QPushButton* m_fresh;
  QString m_obstacle, m_tooLong;
  bool m_busy = false;
};

}  // namespace tessera::ui
