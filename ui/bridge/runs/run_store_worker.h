// SPDX-License-Identifier: MIT
// The worker of the RunStore: it alone talks to library.db. Shared by the store's two files.
#pragma once

#include <QDateTime>
#include <QFileSystemWatcher>
#include <QObject>
#include <QTimer>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "ui/bridge/desktop/worker_thread.h"
#include "ui/bridge/runs/run_store.h"

namespace tessera::ui {

class RunStore::Worker : public QObject {
 public:
  Worker(std::filesystem::path file, std::shared_ptr<Mailbox> mailbox, RunStore* store);

  void start();
  void refreshSoon();
  void setColumns(RunColumns columns);
  void tellSettingNames();
  void addRoot(const std::filesystem::path& folder);
  /// An edit by the user: what it changes goes out at once, with the number of edits so far.
  void change(const std::function<void(Library&)>& work);
  void remove(const std::string& id);
  void restore(const std::string& id);

 private:
  struct Trashed {
    std::string id, name;
    std::filesystem::path from, at;
    double when = 0;  ///< seconds since 1970
  };

  void open();
  void firstLook();
  void takeNewRuns();
  void tick();
  void refreshAll();
  void refreshLive();
  void noteJob(RunRow& row);
  std::vector<RunRow> readRows();
  void watchRoots();
  void publish(bool always = false);
  void hand(RunRows rows);
  void readTrash();
  void writeTrash();
  void handTrash();
  std::filesystem::path trashFile() const;
  void guarded(const std::function<void()>& work);
  void fail(const QString& message);

  std::filesystem::path m_file;
  std::shared_ptr<Mailbox> m_mailbox;
  RunStore* m_store;
  std::unique_ptr<Library> m_library;
  QTimer* m_timer = nullptr;
  QTimer* m_soon = nullptr;
  QFileSystemWatcher* m_watcher = nullptr;
  RunColumns m_columns;
  RunRows m_rows;
  std::vector<Trashed> m_trash;      ///< last moved there first
  std::set<std::string> m_withJobs;  ///< ids of runs whose job in Slurm has not ended
  QString m_lastFailure;
  qint64 m_nextFull = 0;  ///< when all folders are looked through again
  quint64 m_edits = 0;
  bool m_published = false;
};

}  // namespace tessera::ui
