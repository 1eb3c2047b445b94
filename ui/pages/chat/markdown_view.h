// SPDX-License-Identifier: MIT
// A message as formatted text. It grows without rendering anew what is finished, is as high as its
// text, and renders long texts in slices of a few milliseconds. Nothing is loaded from anywhere:
// models write links and images too.
#pragma once

#include <QTextBrowser>
#include <QTextCursor>
#include <vector>

#include "ui/pages/chat/markdown_blocks.h"

class QTimer;

namespace tessera::ui {

class MarkdownView : public QTextBrowser {
  Q_OBJECT
 public:
  enum class Format { Markdown, Plain };
  explicit MarkdownView(Format format, QWidget* parent = nullptr);

  /// `finished`: no more will come.
  void setText(const QString& text, bool finished);
  /// Text that goes on from the one before is appended, anything else replaces it.
  void showText(const QString& text, bool finished);
  const QString& fullText() const { return m_text; }
  /// All of the text is on the screen.
  bool settled() const;

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {80, 16}; }
  QVariant loadResource(int type, const QUrl& name) override;

 Q_SIGNALS:
  void heightChanged();

 protected:
  void changeEvent(QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  void restart();
  void render();
  void renderPlain();
  bool renderClosed(const std::vector<MarkdownPiece>& pieces);
  void renderTail(const MarkdownPiece& piece);
  void dropTail();
  void insertPiece(const MarkdownPiece& piece);
  void insertCode(const MarkdownPiece& piece);
  QTextCursor freshBlock();
  void fit();
  void follow(const QUrl& link);

  Format m_format;
  QString m_text;
  bool m_finished = true;
  qsizetype m_done = 0;    ///< characters rendered for good
  int m_donePosition = 0;  ///< in the document, before the tail
  MarkdownPiece m_tail;    ///< the open piece as it was last rendered; empty: none
  QTextCursor m_openCode;  ///< end of the open block of code
  std::vector<QString> m_codes;
  QTimer* m_more;   ///< the next slice
  QTimer* m_pause;  ///< until the tail may be rendered again
  int m_height = 0;
};

}  // namespace tessera::ui
