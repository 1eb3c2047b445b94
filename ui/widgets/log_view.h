// SPDX-License-Identifier: MIT
// LogView: lines of text, as many as memory is given for; follows the end until one scrolls away,
// and shows only the lines that hold what is searched for.
#pragma once

#include <QAbstractListModel>
#include <QStringList>
#include <QWidget>
#include <deque>
#include <vector>

class QListView;
class QTimer;
class QToolButton;

namespace tessera::ui {

class SearchField;
class TextLabel;

/// Lines, newest last; the oldest go when there are too many. A filter is applied in slices, so
/// that a hundred thousand lines never hold up the window.
class LogModel : public QAbstractListModel {
  Q_OBJECT
 public:
  explicit LogModel(int mostLines, QObject* parent = nullptr);
  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;

  void append(const QStringList& lines);
  void clear();
  void setMostLines(int lines);
  void setFilter(const QString& text);  ///< empty: all lines; letters match in either case
  int lines() const { return static_cast<int>(m_lines.size()); }
  bool filtering() const { return m_scanned < m_lines.size() && !m_filter.isEmpty(); }

 Q_SIGNALS:
  void filtered();  ///< a filter has seen every line

 private:
  void trim();
  void scan();
  const QString& lineOfRow(int row) const;
  std::deque<QString> m_lines;
  quint64 m_dropped = 0;          ///< lines that went: line n is m_lines[n - m_dropped]
  std::deque<quint64> m_matches;  ///< numbers of lines, where there is a filter
  std::size_t m_scanned = 0;
  QString m_filter;
  int m_most;
  QTimer* m_slices;
};

class LogView : public QWidget {
  Q_OBJECT
 public:
  explicit LogView(int mostLines, QWidget* parent = nullptr);
  LogModel& model() { return *m_model; }
  void append(const QStringList& lines);
  void clear();
  SearchField* searchField() const { return m_search; }
  /// Search, count and Follow: above the lines, or where somebody else puts them.
  QWidget* bar() const { return m_bar; }

 private:
  void showCount();
  void copySelection() const;
  LogModel* m_model;
  QListView* m_list;
  QWidget* m_bar;
  SearchField* m_search;
  TextLabel* m_count;
  QToolButton* m_follow;
};

}  // namespace tessera::ui
