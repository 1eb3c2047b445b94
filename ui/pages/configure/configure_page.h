// SPDX-License-Identifier: MIT
// Configure: the form of a spec, its text and its plan, side by side. From a preset to a running
// run in three clicks, or to any spec at all.
#pragma once

#include <vector>

#include "ui/bridge/draft/plan_service.h"
#include "ui/pages/page.h"

class QComboBox;
class QPushButton;
class QSplitter;
class QTimer;
class QToolButton;

namespace tessera::ui {

class Banner;
class DraftSpec;
class ElidedLabel;
class EmptyState;
class PlanPane;
class SearchField;
class SpecForm;
class SpecText;
class TextLabel;

class ConfigurePage : public Page {
  Q_OBJECT
 public:
  explicit ConfigurePage(Studio& studio, QWidget* parent = nullptr);
  ~ConfigurePage() override;

  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override;
  QString command() const override;

  DraftSpec& draft() { return m_draft; }

 private:
  QWidget* makeTop();
  QWidget* makeFormSide();
  QWidget* makeTextSide();
  QWidget* makeCommandLine();
  void connectDraft();
  void connectLauncher();
  QAction* addCommand(const QString& name, const char* icon, const QKeySequence& keys,
                      const std::function<void()>& run);
  void listPresets();
  void requestPlan();
  void takePlan(const PlanPtr& plan);
  void showOrigin();
  void showButtons();
  void fix(const PlanProblem& problem);
  void goTo(const QString& key);
  void launch();
  void enqueue();
  void save();
  void openFile();
  void restore();
  void keep();

  DraftSpec& m_draft;
  PlanService m_plans;
  QComboBox* m_presets = nullptr;
  TextLabel* m_origin = nullptr;
  QPushButton* m_launch = nullptr;
  QPushButton* m_enqueue = nullptr;
  QToolButton *m_undoButton = nullptr, *m_redoButton = nullptr;
  SearchField* m_search = nullptr;
  QPushButton *m_basic = nullptr, *m_allKeys = nullptr;
  SpecForm* m_form = nullptr;
  SpecText* m_text = nullptr;
  PlanPane* m_plan = nullptr;
  ElidedLabel* m_command = nullptr;
  QSplitter *m_across = nullptr, *m_down = nullptr;
  QWidget* m_body = nullptr;
  EmptyState* m_empty = nullptr;
  QTimer* m_keeper = nullptr;
  std::vector<QAction*> m_commands;
  QString m_tag;  ///< of the launch that is under way
  bool m_planIsOfDraft = false;
};

}  // namespace tessera::ui
