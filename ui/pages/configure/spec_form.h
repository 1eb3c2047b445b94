// SPDX-License-Identifier: MIT
// The form of the spec: sections at the left, the fields of one at the right, all from the table of
// keys, so that a key that is added there is here too.
#pragma once

#include <QPointer>
#include <QWidget>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/plan/plan.h"
#include "core/spec/spec_table.h"
#include "ui/bridge/draft/plan_service.h"

class QListWidget;
class QScrollArea;
class QTimer;
class QVBoxLayout;

namespace tessera::ui {

class DifferenceDot;
class DraftSpec;
class FieldRow;
class LayoutView;
class ProblemLine;
class RateEditor;
class SearchField;
class TextLabel;

struct FormSection {
  const char* title;               ///< to be translated
  std::vector<std::string> roots;  ///< keys of the spec's first level
};
const std::vector<FormSection>& formSections();

class SpecForm : public QWidget {
  Q_OBJECT
 public:
  explicit SpecForm(DraftSpec& draft, QWidget* parent = nullptr);

  void setAll(bool all);
  bool all() const { return m_all; }
  void setSearch(const QString& words);
  void showSection(int index);
  int section() const { return m_section; }
  /// Shows the field of a key, or what is nearest to it, and gives it the focus.
  void goTo(const std::string& path);
  void setProblems(const std::vector<PlanProblem>& problems);
  void setPlan(const PlanPtr& plan);
  FieldRow* row(const std::string& path) const;
  /// Every path that a row stands for at present.
  std::vector<std::string> paths() const;

 Q_SIGNALS:
  void fixed(const tessera::PlanProblem& problem);
  void curriculumAsked();
  void dataAsked();
  void sectionChanged(int index);

 private:
  struct Group;
  void rebuild();
  void showUnreadable();
  void buildSome();
  void refresh();
  void plan(const spec::Schema& schema, const std::string& prefix, const QString& title, int level);
  void addLayoutView();
  void addElement(const spec::Key& list, const std::string& path, std::size_t index);
  std::string shape() const;
  void addHeading(const QString& text, int level, QWidget* buttons = nullptr);
  QWidget* elementButtons(const std::string& list, std::size_t index, std::size_t count);
  void changeList(const QString& label, const std::string& list,
                  const std::function<void(RunSpec&)>& edit);
  void placeProblems();
  void showRateDot(const std::string& path);
  void makeRoom();
  void countProblems();
  int sectionOf(const std::string& path) const;
  bool hasBasic(int section) const;

  DraftSpec& m_draft;
  QListWidget* m_sections;
  QScrollArea* m_scroll;
  QWidget* m_body = nullptr;
  QVBoxLayout* m_rowsLayout = nullptr;
  TextLabel* m_hint;
  std::vector<std::function<void()>> m_toBuild;
  QTimer* m_builder;
  std::map<std::string, FieldRow*> m_rows;
  std::map<std::string, RateEditor*> m_rates;
  std::map<std::string, DifferenceDot*> m_rateDots;
  std::map<std::string, ProblemLine*> m_headProblems;  ///< below rates and lists
  std::vector<PlanProblem> m_problems;
  std::string m_shape;   ///< how many elements the lists of what is shown have, if any are known
  std::string m_wanted;  ///< to be shown once it is built
  QPointer<LayoutView> m_layoutView;  ///< in the section of ranks alone
  PlanPtr m_plan;
  QString m_words;
  int m_section = 0;
  bool m_all = false, m_everyKey = false;
};

}  // namespace tessera::ui
