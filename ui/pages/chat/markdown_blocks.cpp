// SPDX-License-Identifier: MIT
#include "ui/pages/chat/markdown_blocks.h"

#include <QStringView>

namespace tessera::ui {

namespace {
constexpr qsizetype kMostPiece = 6000;  ///< for a loose list: rendering is superlinear

/// The characters of a fence that this line opens or closes: at least three ` or ~; empty: none.
QStringView fenceOf(QStringView line) {
  qsizetype at = 0;
  while (at < line.size() && at < 4 && line[at] == u' ') ++at;
  if (at > 3 || at >= line.size() || (line[at] != u'`' && line[at] != u'~')) return {};
  qsizetype end = at;
  while (end < line.size() && line[end] == line[at]) ++end;
  return end - at >= 3 ? line.mid(at, end - at) : QStringView{};
}

/// Goes on with a list, or might: an item, or text that is indented below one.
bool belongsToList(QStringView line) {
  if (line.startsWith(u' ') || line.startsWith(u'\t')) return true;
  if (line.size() > 1 && (line[0] == u'-' || line[0] == u'*' || line[0] == u'+')) {
    return line[1] == u' ';
  }
  qsizetype digits = 0;
  while (digits < line.size() && line[digits].isDigit()) ++digits;
  return digits > 0 && digits + 1 < line.size() && (line[digits] == u'.' || line[digits] == u')') &&
         line[digits + 1] == u' ';
}

/// Walks over lines and collects pieces.
class Splitter {
 public:
  Splitter(const QString& text, qsizetype from) : m_text(text), m_begin(from) {}

  std::vector<MarkdownPiece> run(bool finished) {
    for (qsizetype at = m_begin; at < m_text.size();) {
      const qsizetype newline = m_text.indexOf(u'\n', at);
      if (newline < 0 && !finished) break;  // half a line decides nothing
      const qsizetype end = newline < 0 ? m_text.size() : newline;
      const qsizetype next = newline < 0 ? end : newline + 1;
      line(QStringView(m_text).mid(at, end - at), at, next);
      at = next;
    }
    const bool inCode = !m_fence.isEmpty();
    if (finished) {
      close(m_text.size());
    } else if (inCode) {
      m_pieces.push_back(code(m_text.size(), m_text.size(), false));
    } else if (m_begin < m_text.size()) {
      m_pieces.push_back(
          {MarkdownPiece::Kind::Text, m_text.mid(m_begin), {}, false, m_text.size()});
    }
    return m_pieces;
  }

 private:
  void line(QStringView text, qsizetype at, qsizetype next) {
    const QStringView fence = fenceOf(text);
    if (!m_fence.isEmpty()) {
      const bool closes = !fence.isEmpty() && fence[0] == m_fence[0] &&
                          fence.size() >= m_fence.size() && text.trimmed().size() == fence.size();
      if (!closes) return;
      m_pieces.push_back(code(at, next, true));
      m_fence.clear();
      m_begin = next;
      m_blank = m_list = m_seen = false;
      return;
    }
    if (!fence.isEmpty()) {
      close(at);
      m_fence = fence.toString();
      const QStringView rest = text.mid(text.indexOf(fence[0]) + fence.size()).trimmed();
      m_language = rest.toString().section(u' ', 0, 0);
      m_begin = at;
      m_codeBegin = next;
      return;
    }
    if (text.trimmed().isEmpty()) {
      m_blank = true;
      return;
    }
    const bool goesOn = m_list && belongsToList(text) && at - m_begin < kMostPiece;
    if (m_blank && !goesOn) close(at);
    m_list = (m_seen && m_list) || belongsToList(text);
    m_seen = true;
    m_blank = false;
  }

  void close(qsizetype end) {
    if (!m_fence.isEmpty()) {
      m_pieces.push_back(code(end, end, true));
      m_fence.clear();
    } else if (!QStringView(m_text).mid(m_begin, end - m_begin).trimmed().isEmpty()) {
      m_pieces.push_back(
          {MarkdownPiece::Kind::Text, m_text.mid(m_begin, end - m_begin), {}, true, end});
    }
    m_begin = end;
    m_blank = m_seen = m_list = false;
  }

  MarkdownPiece code(qsizetype end, qsizetype next, bool closed) const {
    QString lines = m_text.mid(m_codeBegin, end - m_codeBegin);
    if (closed && lines.endsWith(u'\n')) lines.chop(1);
    return {MarkdownPiece::Kind::Code, lines, m_language, closed, next};
  }

  const QString& m_text;
  qsizetype m_begin, m_codeBegin = 0;
  QString m_fence, m_language;
  bool m_blank = false, m_list = false, m_seen = false;
  std::vector<MarkdownPiece> m_pieces;
};
}  // namespace

std::vector<MarkdownPiece> markdownPieces(const QString& text, qsizetype from, bool finished) {
  return Splitter(text, from).run(finished);
}

}  // namespace tessera::ui
