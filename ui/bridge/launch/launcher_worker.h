// SPDX-License-Identifier: MIT
// The worker of the Launcher: starts programs, waits for their ends, owns the queue's file. Shared
// by the launcher's files.
#pragma once

#include <QObject>
#include <QTimer>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ui/bridge/desktop/worker_thread.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/launch/local_runs.h"
#include "ui/bridge/launch/run_queue.h"

namespace tessera {
class Library;
}

namespace tessera::ui {

/// What is to be started.
struct LaunchOrder {
  QString tag;
  QString spec;    ///< TOML; empty for a plain resume
  QString parent;  ///< id of the run to resume or to fork; empty: a new run
  bool fork = false;
  std::int64_t step = -1;
  QString queued;  ///< id of the queue's entry; empty: by hand
};

class Launcher::Worker : public QObject {
 public:
  Worker(std::shared_ptr<Mailbox> mailbox, Launcher* launcher);
  ~Worker() override;

  void start();
  void launch(const LaunchOrder& order);
  void control(const QString& runId, Control control);
  void changeQueue(const std::function<void(RunQueue&)>& change);

 private:
  struct Child {
    pid_t pid = -1;
    LaunchOrder order;
    std::filesystem::path files;  ///< without the suffix: .toml, .log, .id
    std::optional<RunFolder> run;
    bool told = false;  ///< started() was sent
  };

  std::filesystem::path folderOf(const QString& runId);
  std::filesystem::path launchFiles(const LaunchOrder& order);
  std::vector<std::string> argumentsOf(const LaunchOrder& order,
                                       const std::filesystem::path& files);
  void watchChildren();
  bool lookForRun(Child& child);
  void finish(Child& child, int waitStatus);
  void startFailed(const LaunchOrder& order, const QString& message);
  void begun(const LaunchOrder& order, const QString& runId);
  void pruneOldFiles();

  void loadQueue();
  void saveQueue();
  void publishQueue();
  void queueFailed(const QString& message);
  bool holdsQueue();
  void forgetBegunEntries();
  void advance();
  void lookAround();

  std::shared_ptr<Mailbox> m_mailbox;
  Launcher* m_launcher;
  std::unique_ptr<Library> m_library;
  std::vector<Child> m_children;
  QTimer* m_childTimer = nullptr;
  QTimer* m_aroundTimer = nullptr;

  RunQueue m_queue;
  QString m_queueFile;
  QString m_told;  ///< the failure that was told last
  int m_queueLock = -1;
  quint64 m_changes = 0;
  LocalRuns m_localRuns;
  std::string m_localRun;
};

}  // namespace tessera::ui
