// SPDX-License-Identifier: MIT
// One key of the spec in the form: what it is, its value, its unit, whether it differs from the
// preset, and what is wrong with it.
#pragma once

#include <QWidget>
#include <string>

#include "core/plan/plan.h"
#include "core/spec/spec_table.h"

class QGridLayout;
class QHBoxLayout;
class QLabel;
class QPushButton;
class QToolButton;

namespace tessera::ui {

class DraftSpec;
class FieldEditor;
class GlossaryLabel;
class IconLabel;
class TextLabel;

/// What is wrong, with a Fix link where one is known.
class ProblemLine : public QWidget {
  Q_OBJECT
 public:
  explicit ProblemLine(QWidget* parent = nullptr);
  /// `withKey`: begins with the key or line that it is about, and offers to go there.
  void show(const PlanProblem& problem, bool withKey = false);

 Q_SIGNALS:
  void fixed(const tessera::PlanProblem& problem);
  /// Where it is: a key, or a line of the text (from 1) where it is about no key.
  void goTo(const QString& key, int line);

 private:
  void place(bool narrow);
  IconLabel* m_icon;
  TextLabel* m_text;
  QPushButton *m_fix, *m_go;
  TextLabel* m_what;  ///< what the button does
  QGridLayout* m_lines;
  QHBoxLayout* m_remedy;
  PlanProblem m_problem;
};

/// A dot that says that a value is not the preset's.
class DifferenceDot : public QWidget {
  Q_OBJECT
 public:
  explicit DifferenceDot(QWidget* parent = nullptr);
  void setOn(bool on, const QString& tip);
  bool isOn() const { return m_on; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  bool m_on = false;
};

class FieldRow : public QWidget {
  Q_OBJECT
 public:
  FieldRow(DraftSpec& draft, std::string path, const spec::Key& key, QWidget* parent = nullptr);

  const std::string& path() const { return m_path; }
  const spec::Key& key() const { return m_key; }
  FieldEditor* editor() const { return m_editor; }
  /// Value, dot and whether it can be edited, from the draft.
  void refresh();
  void setProblem(const PlanProblem* problem);
  bool matches(const QString& words) const;

  // The height that its width asks for, and nothing less: in a form that is higher than its window
  // a layout would squeeze rows whose labels wrap.
  bool hasHeightForWidth() const override { return false; }
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 Q_SIGNALS:
  void fixed(const tessera::PlanProblem& problem);
  void focused(const QString& hint);
  void heightChanged();  ///< what is wrong was shown or went

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  void take(const spec::Value& value);
  void read(const QString& text);
  void refuse(const Problem& problem);
  void showProblem(const PlanProblem* problem);
  QString hint() const;

  DraftSpec& m_draft;
  std::string m_path;
  const spec::Key& m_key;
  DifferenceDot* m_dot;
  FieldEditor* m_editor;
  QToolButton* m_reset;
  TextLabel* m_help;
  QGridLayout* m_layout;
  ProblemLine* m_problem = nullptr;
  bool m_refused = false;  ///< what was typed here is not in the spec
};

}  // namespace tessera::ui
