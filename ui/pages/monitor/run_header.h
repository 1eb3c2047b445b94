// SPDX-License-Identifier: MIT
// The head of Monitor: which run, how it stands, how far it is, and what can be done with it.
#pragma once

#include <QTimer>
#include <QWidget>
#include <memory>
#include <optional>

#include "ui/bridge/runs/run_feed.h"
#include "ui/shell_context.h"

class QMenu;
class QProgressBar;
class QPushButton;
class QToolButton;

namespace tessera::ui {

class ElidedLabel;
class GlossaryLabel;
class RunPicker;
class StateBadge;
class TextLabel;

class RunHeader : public QWidget {
  Q_OBJECT
 public:
  explicit RunHeader(Studio& studio, QWidget* parent = nullptr);

  void setFeed(const QString& id, std::shared_ptr<RunFeed> feed);
  /// Where the run was forked from; an empty parent: it was not. `there`: it can be shown.
  void setLineage(const QString& parent, const QString& name, std::int64_t step, bool there);
  QPushButton* lineageButton() const { return m_lineage; }
  /// Reads the feed again.
  void refresh();

  /// What each button does, for the palette and for tests.
  void stop(bool now);
  void togglePause();
  void resume();
  void fork(std::int64_t step = -1);
  void openChat(const QString& checkpoint = {});
  void openExperts();

  QPushButton* stopButton() const { return m_stop; }
  QPushButton* pauseButton() const { return m_pause; }
  QPushButton* resumeButton() const { return m_resume; }
  QPushButton* forkButton() const { return m_fork; }
  QPushButton* chatButton() const { return m_chat; }
  QPushButton* expertsButton() const { return m_experts; }

 private:
  void buildButtons();
  void connectParts();
  void refreshButtons();
  void refreshNumbers();
  void refreshPhase();
  void ask(Control control, const QString& waiting);
  QString phaseOf() const;

  Studio& m_studio;
  QString m_id;
  std::shared_ptr<RunFeed> m_feed;
  std::optional<RunState> m_askedIn;  ///< the state in which something was asked for
  QString m_waiting;                  ///< for what, until the state changes
  QString m_tag;                      ///< a resume that the launcher has not answered
  RunPicker* m_picker;
  StateBadge* m_badge;
  ElidedLabel* m_phase;
  QPushButton* m_lineage;  ///< to the run that this one was forked from
  QString m_parent;
  QPushButton *m_stop, *m_pause, *m_resume, *m_fork, *m_chat, *m_experts;
  TextLabel *m_steps, *m_left, *m_rate, *m_mfu, *m_loss, *m_age;
  GlossaryLabel* m_mfuName;
  QProgressBar* m_progress;
  std::int64_t m_totalTokens = 0;  ///< by the spec as run; 0: not read yet
  QTimer m_clock;                  ///< for ages
};

/// The curriculum's stage of a step: "stage 2 of 3: anneal"; empty with one stage.
QString stageText(const RunSpec& spec, std::int64_t step);
/// What a run does before its first step: "training the vocabulary: 1.2 of 3.4 MB".
QString phaseText(const PhaseEvent& phase);
/// How much of it is done, 0 to 1; 0 where that is not known.
double phaseShare(const PhaseEvent& phase);
/// What the run said of how its MFU is computed; empty: nothing.
QString mfuFormula(const RunHistory& history);

}  // namespace tessera::ui
