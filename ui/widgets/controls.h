// SPDX-License-Identifier: MIT
// Small things that every page makes, made alike.
#pragma once

#include <QFrame>
#include <QLabel>
#include <QScrollArea>
#include <QString>

#include "ui/theme/theme.h"

class QPushButton;
class QToolButton;

namespace tessera::ui {

/// A label in one of the sizes of the theme; follows the scheme.
class TextLabel : public QLabel {
  Q_OBJECT
 public:
  enum class Tone { Plain, Secondary, Good, Warning, Bad };
  explicit TextLabel(const QString& text = {}, theme::TextSize size = theme::TextSize::Body,
                     QWidget* parent = nullptr);
  TextLabel* setTone(Tone tone);
  /// Digits of equal width, for numbers that change.
  TextLabel* setTabular(bool tabular = true);
  TextLabel* setStrong();      ///< heavier, for names
  TextLabel* setWrapped();     ///< over several lines
  TextLabel* setSelectable();  ///< by mouse and keyboard

 protected:
  void changeEvent(QEvent* event) override;

 private:
  void refresh();
  theme::TextSize m_size;
  Tone m_tone = Tone::Plain;
  bool m_tabular = false, m_strong = false, m_refreshing = false;
};

/// A label of one line that shows as much of its text as there is room for, and all of it as a tip.
class ElidedLabel : public QLabel {
  Q_OBJECT
 public:
  explicit ElidedLabel(const QString& text = {}, QWidget* parent = nullptr);
  void setFullText(const QString& text);
  const QString& fullText() const { return m_full; }
  void setMode(Qt::TextElideMode mode);
  QSize minimumSizeHint() const override;
  QSize sizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_full;
  Qt::TextElideMode m_mode = Qt::ElideRight;
};

/// A raised surface with a thin frame; give it a layout.
class Card : public QFrame {
  Q_OBJECT
 public:
  explicit Card(QWidget* parent = nullptr);

 protected:
  void paintEvent(QPaintEvent* event) override;
};

/// An icon by itself, in the colours of the moment: a pixmap would keep those of another scheme.
class IconLabel : public QWidget {
  Q_OBJECT
 public:
  explicit IconLabel(int size, QWidget* parent = nullptr);
  void setName(const QString& name);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_name;
};

/// Scrolls up and down alone: as wide as its content needs, so that nothing is cut off.
class ColumnArea : public QScrollArea {
  Q_OBJECT
 public:
  explicit ColumnArea(QWidget* parent = nullptr);
  QSize minimumSizeHint() const override;

 protected:
  bool eventFilter(QObject* object, QEvent* event) override;
};

/// Fills `page` with `body`, which scrolls, stands in the middle and is no wider than `mostWidth`.
void setCentredBody(QWidget* page, QWidget* body, int mostWidth);

/// A thin line between parts.
QFrame* separator(Qt::Orientation orientation = Qt::Horizontal, QWidget* parent = nullptr);

/// The one button of a page or dialog that goes on: drawn in the accent. Enter presses it only
/// where it has the focus.
QPushButton* primaryButton(const QString& text, QWidget* parent = nullptr);

/// A button with an icon alone; `name` is its tip and its name for screen readers.
QToolButton* iconButton(const QString& icon, const QString& name, QWidget* parent = nullptr);

/// Enables, or disables with the reason as its tip. The tip it had comes back with it.
void setEnabledBecause(QWidget* widget, bool enabled, const QString& reasonIfNot);

}  // namespace tessera::ui
