// SPDX-License-Identifier: MIT
// What the docks below hold: the log of the picked run, tasks, problems.
#pragma once

#include <QPointer>
#include <QWidget>
#include <memory>

class QComboBox;
class QStackedWidget;
class QTimer;
class QVBoxLayout;

namespace tessera::ui {

struct Studio;
class LogTail;
class LogView;
class Problems;
class EmptyState;

/// Follows log/rank-N.log of the picked run, and what the studio itself has to say.
class LogsPanel : public QWidget {
  Q_OBJECT
 public:
  explicit LogsPanel(Studio& studio, QWidget* parent = nullptr);
  ~LogsPanel() override;
  void say(const QString& line);  ///< a line of the studio itself

 protected:
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;

 private:
  void pick();
  Studio& m_studio;
  QComboBox* m_source;
  QStackedWidget* m_stack;
  QStackedWidget* m_bars = nullptr;
  EmptyState* m_empty;
  LogView* m_run;
  LogView* m_own;
  std::unique_ptr<LogTail> m_tail;
};

/// Rows that are made anew when their list changes, at most ten times a second.
class RowsPanel : public QWidget {
  Q_OBJECT
 public:
  RowsPanel(const QString& empty, const QString& button, const QString& icon,
            QWidget* parent = nullptr);
  EmptyState* empty() const { return m_empty; }

 protected:
  void changed();  ///< fill() is called soon, if the panel is visible
  void showEvent(QShowEvent* event) override;
  /// Adds rows to the layout.
  virtual void fill(QVBoxLayout& rows) = 0;

 private:
  void rebuild();
  QStackedWidget* m_stack;
  EmptyState* m_empty;
  QPointer<QWidget> m_rows;
  QTimer* m_soon;
};

class TasksPanel : public RowsPanel {
  Q_OBJECT
 public:
  explicit TasksPanel(Studio& studio, QWidget* parent = nullptr);

 protected:
  void fill(QVBoxLayout& rows) override;

 private:
  Studio& m_studio;
};

class ProblemsPanel : public RowsPanel {
  Q_OBJECT
 public:
  ProblemsPanel(Studio& studio, Problems& problems, QWidget* parent = nullptr);

 protected:
  void fill(QVBoxLayout& rows) override;

 private:
  Studio& m_studio;
  Problems& m_problems;
};

}  // namespace tessera::ui
