// SPDX-License-Identifier: MIT
// Configure: the form of a spec, its text and its plan, side by side. From a preset to a running
// run in three clicks, or to any spec at all.
#pragma once

#include <optional>
#include <vector>

#include "ui/bridge/draft/plan_service.h"
#include "ui/widgets/spec/draft_page.h"

class QComboBox;
class QPushButton;
class QSplitter;
class QTimer;
class QToolButton;

namespace tessera::ui {

class ElidedLabel;
class MachineSpeed;
class PlaceBar;
class PlanPane;
class SearchField;
class SpecForm;
class SpecText;
class TextLabel;

class ConfigurePage : public DraftPage {
  Q_OBJECT
 public:
  explicit ConfigurePage(Studio& studio, QWidget* parent = nullptr);
  ~ConfigurePage() override;

  void open(const Location& location) override;
  Location location() const override;
  QString command() const override;
  PlaceBar& place() { return *m_place; }

 private:
  void build();
  QWidget* makeTop();
  QWidget* makeFormSide();
  QWidget* makeTextSide();
  QWidget* makeCommandLine();
  void connectDraft();
  void connectLauncher();
  void connectPlace();
  void tellPlace();
  void endStart(const QString& problem = {});
  void showRun(QString run);
  void addCommands();
  void listPresets();
  void requestPlan();
  void takePlan(const PlanPtr& plan);
  void tellProblems(const Plan& plan);
  QString commandThere(QString& problem) const;
  void showCommand();
  void showOrigin();
  void showButtons();
  bool planAllows(const Plan& plan) const;
  void fix(const PlanProblem& problem);
  void goTo(const QString& key, int line = 0);
  void launch();
  void enqueue();
  void save();
  void openFile();
  void lookAtData();
  void addSource(const QString& path);
  void restore();
  void keep();

  MachineSpeed& m_speed;
  PlanService m_plans;
  QComboBox* m_presets = nullptr;
  ElidedLabel* m_origin = nullptr;
  QPushButton* m_launch = nullptr;
  QPushButton* m_enqueue = nullptr;
  SearchField* m_search = nullptr;
  QPushButton *m_basic = nullptr, *m_allKeys = nullptr;
  SpecForm* m_form = nullptr;
  SpecText* m_text = nullptr;
  PlanPane* m_plan = nullptr;
  ElidedLabel* m_command = nullptr;
  QToolButton *m_copyCommand = nullptr, *m_save = nullptr;
  QSplitter *m_across = nullptr, *m_down = nullptr;
  QTimer* m_keeper = nullptr;
  PlaceBar* m_place = nullptr;
  std::int64_t m_task = -1;                   ///< the task of a start elsewhere; -1: none
  QString m_awaited;                          ///< the run of such a start, until it is listed
  QString m_tag;                              ///< names the launch that is under way
  QString m_launchedText;                     ///< the draft's at that launch
  std::optional<std::int64_t> m_plannedData;  ///< replicas at the place, as the plan has them
  bool m_plannedElsewhere = false;
  bool m_planIsOfDraft = false, m_measureAsked = false, m_wasDirty = false, m_elsewhere = false;
};

}  // namespace tessera::ui
