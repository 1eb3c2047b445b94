// SPDX-License-Identifier: MIT
// What can be done with the selected runs. Each is one action, for buttons, menu, keys and palette;
// one that cannot be done now says why.
#pragma once

#include <QAction>
#include <QObject>
#include <QStringList>
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "ui/bridge/runs/run_store.h"
#include "ui/shell_context.h"

class QMenu;
class QWidget;

namespace tessera::ui {

class RunActions : public QObject {
  Q_OBJECT
 public:
  RunActions(Studio& studio, QWidget* parent);
  ~RunActions() override;

  void setSelected(const QStringList& ids);
  /// Tags that are sweeps.
  void setSweeps(const QStringList& tags);
  /// Looks again at how the selected runs stand.
  void refresh();

  QAction *open, *experts, *chat, *compare, *resume, *queueResume, *stopSaving, *stopNow, *clone,
      *fork, *rename, *tag, *note, *archive, *trash, *bringBack, *exportNumbers, *exportTable,
      *copyId, *copyCommand, *openFolder, *sweep, *newSweep;
  const std::vector<QAction*>& all() const { return m_all; }
  void fillMenu(QMenu& menu) const;

 Q_SIGNALS:
  void compareRequested(const QStringList& ids);
  void editRequested(const QString& id, int column);  ///< a column of RunsModel
  void exportTableRequested();
  void sweepRequested(const QString& tag);
  void newSweepRequested(const QString& run);

 private:
  QAction* add(const QString& text, const char* icon, const std::function<void()>& work,
               const QKeySequence& keys = {});
  void allow(QAction* action, bool allowed, const QString& reason);
  void addRunning();
  void addMaking();
  void addKeeping();
  void addTaking();
  QString sweepOfSelected() const;
  QString one() const { return m_ids.value(0); }
  std::vector<const RunRow*> rows() const;
  void openPage(const char* page);
  void toConfigure(const char* argument);
  void resumeSelected();
  void askForTag();
  void fillTrash();
  void addTag(const QString& word);
  void setArchived(bool archived);
  void exportSelected();
  void writeNumbers(const QStringList& ids, const QString& folder);

  Studio& m_studio;
  QWidget* m_window;
  QStringList m_ids, m_sweeps;
  std::vector<QAction*> m_all;
  std::unique_ptr<QMenu> m_trash;
};

/// One file a run with every number that it logged up to now, below a folder; made in the
/// background. bridge/run_numbers.h says what is in it.
class NumbersExport : public QObject {
  Q_OBJECT
 public:
  NumbersExport(Studio& studio, QStringList ids, QString target, bool targetIsFile,
                QObject* parent);

 private:
  void next();
  void finish(const QString& error);
  Studio& m_studio;
  QStringList m_ids;
  QString m_target;
  bool m_targetIsFile;
  qsizetype m_done = 0;
  std::int64_t m_task = 0;
  bool m_finished = false;
  QStringList m_notes;  ///< what a reader of the files should know
  std::shared_ptr<std::atomic<bool>> m_cancel;
};

}  // namespace tessera::ui
