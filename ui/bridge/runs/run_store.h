// SPDX-License-Identifier: MIT
// RunStore: the library of runs for the window. It owns the worker that talks to library.db and
// watches the runs' folders; answers come as whole values.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <functional>
#include <memory>
#include <vector>

#include "core/history/library.h"
#include "ui/bridge/runs/run_feed.h"

namespace tessera::ui {

/// A run whose folder lies in the trash.
struct TrashedRun {
  QString id, name;
  double when = 0;  ///< seconds since 1970
};

using RunRows = std::shared_ptr<const std::vector<RunRow>>;

class RunStore : public QObject {
  Q_OBJECT
 public:
  /// `library`: empty for home_folder()/library.db.
  explicit RunStore(const QString& library = {}, QObject* parent = nullptr);
  ~RunStore() override;

  /// As of the last runsChanged(), newest first, archived ones included. The state of each is that
  /// of status_of(): evidence, not hope.
  RunRows runs() const;
  bool loaded() const;
  const RunRow* run(const QString& id) const;

  /// The shared feed of a run; kept while anyone holds it. Null for an unknown id.
  std::shared_ptr<RunFeed> feed(const QString& id);

  /// What rows have cells for (RunColumns), as soon as they come again.
  void setColumns(const QStringList& columns);
  /// Asks for what settings the runs have; answered by settingNames().
  void requestSettingNames();

  void refresh();
  void addRoot(const QString& folder);
  void setTags(const QString& id, const QStringList& tags);
  void setNotes(const QString& id, const QString& notes);
  void setName(const QString& id, const QString& name);
  void setArchived(const QString& id, bool archived);
  /// Moves the folder to the trash of the file system's user; answered by removed(). restore()
  /// brings it back, in later sessions too. A run that is being written is left alone.
  void remove(const QString& id);
  void restore(const QString& id);
  /// What restore() can bring back, last removed first.
  const std::vector<TrashedRun>& trashed() const;

 Q_SIGNALS:
  void settingNames(const QStringList& names);  ///< "model.hidden_size", in the order of specs
  void trashChanged();
  void runsChanged();
  void removed(const QString& id, const QString& name);
  void failed(const QString& message);
  void recovered(const QString& message);  ///< library.db was made anew

 private:
  class Worker;
  struct State;
  void take(const RunRows& rows, quint64 edits);
  void takeTrash(const std::vector<TrashedRun>& list);
  void edit(const QString& id, const std::function<void(RunRow&)>& change,
            std::function<void(Worker&)> order);
  std::unique_ptr<State> m_state;
};

}  // namespace tessera::ui
