// SPDX-License-Identifier: MIT
// The text of the draft, with line numbers and marks beside lines with problems. What a form
// changes is changed here in place, so that cursor and scroll position stay.
#pragma once

#include <QPlainTextEdit>
#include <map>
#include <vector>

#include "core/plan/plan.h"

namespace tessera::ui {

class DraftSpec;

class SpecText : public QPlainTextEdit {
  Q_OBJECT
 public:
  explicit SpecText(DraftSpec& draft, QWidget* parent = nullptr);

  void setProblems(const std::vector<PlanProblem>& problems);
  void goToLine(int line);
  /// What is wrong in a line (from 1); empty: nothing.
  QString problemIn(int line) const;

  int numbersWidth() const;
  void paintNumbers(QPaintEvent* event);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  void takeText();
  void mark();
  void restyle();
  DraftSpec& m_draft;
  QWidget* m_numbers;
  struct Mark {
    bool error = false;
    QString text;
  };
  std::map<int, Mark> m_marks;
  bool m_taking = false;
};

}  // namespace tessera::ui
