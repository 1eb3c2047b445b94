// SPDX-License-Identifier: MIT
// The worker of the Launcher: a LaunchDesk with a clock, in a thread of its own. Shared by the
// launcher's two files.
#pragma once

#include <QObject>
#include <QTimer>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/launch/launch_desk.h"
#include "ui/bridge/desktop/worker_thread.h"
#include "ui/bridge/launch/launcher.h"

namespace tessera {
class Library;
}
namespace tessera::ui {
class SlurmJobs;
}

namespace tessera::ui {

class Launcher::Worker : public QObject, public LaunchListener {
 public:
  Worker(std::shared_ptr<Mailbox> mailbox, Launcher* launcher);
  ~Worker() override;

  void start();
  void launch(const LaunchOrder& order);
  void cancel(const std::string& tag);
  void control(const QString& runId, Control control);
  void changeQueue(const std::function<void(RunQueue&)>& change);

 private:
  std::unique_ptr<RunHost> makeHost();
  Library& library();
  std::filesystem::path folderOf(const std::string& run);
  void lookAround();
  void beginHolder(const QueueFile& queue);
  void beginKeeper();
  void followJobs();
  bool controlJob(const QString& runId, Control control);

  void begun(const LaunchOrder& order, const std::string& run) override;
  void start_failed(const LaunchOrder& order, const std::string& message, int exitCode) override;
  void ended(const std::string& run, int exitCode) override;
  void start_came_to(const LaunchOrder& order, const StartPhase& phase) override;
  void start_cancelled(const LaunchOrder& order) override;
  void queue_changed(const RunQueue& queue) override;
  void running_changed(const std::string& run) override;
  void trouble(const std::string& message) override;
  void queue_set_aside(const std::string& message, const std::string& aside) override;

  std::shared_ptr<Mailbox> m_mailbox;
  Launcher* m_launcher;
  std::unique_ptr<Library> m_library;
  std::unique_ptr<LaunchDesk> m_desk;     ///< null where it could not be made
  std::string m_broken;                   ///< why it could not be made
  std::optional<int> m_holder, m_keeper;  ///< processes that were begun here and run
  QTimer* m_childTimer = nullptr;
  QTimer* m_aroundTimer = nullptr;
  quint64 m_changes = 0;
  SlurmJobs* m_jobs = nullptr;
};

}  // namespace tessera::ui
