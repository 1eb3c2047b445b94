// SPDX-License-Identifier: MIT
// A line over a page that says what failed and offers one action.
#pragma once

#include <QFrame>
#include <functional>

class QPushButton;

namespace tessera::ui {

class TextLabel;

class Banner : public QFrame {
  Q_OBJECT
 public:
  /// `severity`: "error", "warning" or "info"; anything else is info.
  Banner(const QString& severity, const QString& text, const QString& action = {},
         std::function<void()> run = {}, QWidget* parent = nullptr);

  QString severity() const { return m_severity; }
  QString text() const;
  void setText(const QString& text);
  /// The action leaves it standing; only its cross closes it.
  void keepAfterAction() { m_stays = true; }
  QPushButton* actionButton() const { return m_action; }  ///< null without an action

 Q_SIGNALS:
  void closed();

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_severity;
  TextLabel* m_text;
  QPushButton* m_action = nullptr;
  bool m_stays = false;
};

/// "Error", "Warning" or "Note", and the icon and colour that go with it.
QString severityWord(const QString& severity);
QString severityIcon(const QString& severity);
QColor severityColor(const QString& severity);

}  // namespace tessera::ui
