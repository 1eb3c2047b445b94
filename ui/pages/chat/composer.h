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
  void setUse(int used, int of);  ///< tokens; of 0: unknown
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString text() const;
  int m_used = 0, m_of = 0;
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
  void setSpeed(const QString& text);
  ContextMeter* meter() const { return m_meter; }
  QPlainTextEdit* field() const { return m_field; }
  QPushButton* button() const { return m_button; }

 Q_SIGNALS:
  void sent(const QString& text);
  void stopped();
  void editLast();  ///< up in an empty field
  void textChanged();

 protected:
  bool eventFilter(QObject* object, QEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void press();
  void refresh();
  void fit();
  QPlainTextEdit* m_field;
  QPushButton* m_button;
  ContextMeter* m_meter;
  TextLabel* m_speed;
  ElidedLabel* m_hint;
  QString m_obstacle;
  bool m_busy = false;
};

}  // namespace tessera::ui
