// SPDX-License-Identifier: MIT
// What a page or dock without content shows: one sentence and one button.
#pragma once

#include <QWidget>

class QPushButton;

namespace tessera::ui {

class TextLabel;

class EmptyState : public QWidget {
  Q_OBJECT
 public:
  /// `button` may be empty where nothing can be done; `icon` names a file of resources/icons.
  explicit EmptyState(const QString& sentence, const QString& button = {}, const QString& icon = {},
                      QWidget* parent = nullptr);

  void setSentence(const QString& sentence);
  void setButton(const QString& text);
  QPushButton* button() const { return m_button; }

 Q_SIGNALS:
  void pressed();

 private:
  TextLabel* m_sentence;
  QPushButton* m_button;
};

}  // namespace tessera::ui
