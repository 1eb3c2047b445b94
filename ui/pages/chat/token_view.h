// SPDX-License-Identifier: MIT
// An answer as the tokens it was written in, coloured by their probability. A click or the arrow
// keys pick a token; a selection is a span of tokens.
#pragma once

#include <QTextEdit>
#include <memory>
#include <vector>

#include "ui/bridge/chat/token_record.h"

namespace tessera::ui {

/// The colour behind a token of this probability; transparent for one that was as good as certain.
/// Text stays readable on all of them.
QColor probabilityColor(float probability);

class TokenView : public QTextEdit {
  Q_OBJECT
 public:
  explicit TokenView(QWidget* parent = nullptr);

  /// Tokens that go on from the ones before are appended.
  void showTokens(const QString& text, std::shared_ptr<const TokenRecord> record);
  void pick(int token);  ///< -1: none
  int picked() const { return m_picked; }
  /// Middle of a token in the coordinates of the viewport.
  QPoint positionOf(int token) const;
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {80, 16}; }

 Q_SIGNALS:
  void tokenPicked(int token);
  void spanPicked(int from, int to);  ///< tokens [from, to); equal: none
  void heightChanged();

 protected:
  void changeEvent(QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  bool event(QEvent* event) override;

 private:
  void restart();
  void append();
  void fit();
  int tokenAtPosition(int position) const;
  void reportSpan();

  QString m_text;
  std::shared_ptr<const TokenRecord> m_record;
  std::vector<int> m_positions;  ///< where tokens begin in the document, and its end
  int m_picked = -1, m_height = 0;
};

}  // namespace tessera::ui
