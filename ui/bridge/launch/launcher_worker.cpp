// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/launcher_worker.h"

#include <QDateTime>
#include <QUuid>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/history/library.h"
#include "ui/bridge/launch/detached_process.h"

namespace tessera::ui {

namespace fs = std::filesystem;

namespace {
constexpr int kChildMs = 100, kAroundMs = 2000;
constexpr std::size_t kMostOutput = 64 << 10;
constexpr auto kKeepFiles = std::chrono::hours(24 * 14);

fs::path launches() {
  const fs::path folder = home_folder() / "launches";
  fs::create_directories(folder);
  return folder;
}

fs::path with(fs::path files, const char* suffix) {
  return files += suffix;
}

/// What the program said, its end where it is long.
QString outputOf(const fs::path& files) {
  std::string text;
  try {
    text = read_file(with(files, ".log"));
  } catch (const Error&) {
    return {};  // it ended before it said anything
  }
  if (text.size() > kMostOutput) text.erase(0, text.size() - kMostOutput);
  QString shown = QString::fromUtf8(text).trimmed();
  if (shown.startsWith("tessera: ")) shown.remove(0, 9);
  return shown;
}

/// Every problem of a spec, as the checker words them; empty: none.
QString problemsOf(const QString& spec) {
  const SpecReading reading = read_spec_text(spec.toStdString(), "spec");
  if (reading.ok()) return {};
  QStringList lines;
  for (const Problem& problem : reading.problems) {
    if (problem.severity == Severity::Error) lines << QString::fromStdString(problem.text());
  }
  return lines.join('\n');
}

void removeFiles(const fs::path& files) {
  std::error_code error;
  for (const char* suffix : {".toml", ".id", ".log"}) fs::remove(with(files, suffix), error);
}
}  // namespace

Launcher::Worker::Worker(std::shared_ptr<Mailbox> mailbox, Launcher* launcher)
    : m_mailbox(std::move(mailbox)), m_launcher(launcher) {}

void Launcher::Worker::start() {
  m_childTimer = new QTimer(this);
  m_aroundTimer = new QTimer(this);
  connect(m_childTimer, &QTimer::timeout, this, [this] { watchChildren(); });
  connect(m_aroundTimer, &QTimer::timeout, this, [this] { lookAround(); });
  try {
    pruneOldFiles();
  } catch (const std::exception& problem) {
    queueFailed(QString::fromUtf8(problem.what()));
  }
  loadQueue();
  m_aroundTimer->start(kAroundMs);
  lookAround();
}

void Launcher::Worker::pruneOldFiles() {
  const auto now = fs::file_time_type::clock::now();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(launches())) {
    if (now - entry.last_write_time(error) > kKeepFiles) fs::remove(entry.path(), error);
  }
}

fs::path Launcher::Worker::folderOf(const QString& runId) {
  if (!m_library) m_library = std::make_unique<Library>();
  if (const auto row = m_library->run(runId.toStdString())) return row->folder;
  return RunFolder::find(runId.toStdString(), runs_folder()).path();
}

std::vector<std::string> Launcher::Worker::argumentsOf(const LaunchOrder& order,
                                                       const fs::path& files) {
  std::vector<std::string> arguments;
  const std::string spec = with(files, ".toml");
  if (order.parent.isEmpty()) {
    arguments = {"train", spec};
  } else {
    arguments = {"resume", folderOf(order.parent).string()};
    if (order.fork) arguments.insert(arguments.end(), {"--fork", "--spec", spec});
    if (order.step >= 0) arguments.insert(arguments.end(), {"--step", std::to_string(order.step)});
  }
  arguments.insert(arguments.end(), {"--id-file", with(files, ".id").string()});
  return arguments;
}

fs::path Launcher::Worker::launchFiles(const LaunchOrder& order) {
  const fs::path files = launches() / QUuid::createUuid().toString(QUuid::Id128).toStdString();
  if (!order.spec.isEmpty()) write_file_atomically(with(files, ".toml"), order.spec.toStdString());
  return files;
}

void Launcher::Worker::launch(const LaunchOrder& order) {
  try {
    if (!order.spec.isEmpty() || order.parent.isEmpty()) {
      const QString problems = problemsOf(order.spec);
      if (!problems.isEmpty()) return startFailed(order, problems);
    }
    const QString program = Launcher::program();
    if (program.isEmpty()) {
      throw Error("tessera", "was found neither beside the studio nor on the PATH",
                  "install the program whole");
    }
    Child child;
    child.order = order;
    child.files = launchFiles(order);
    const auto arguments = argumentsOf(order, child.files);
    if (QueueEntry* entry = m_queue.find(order.queued)) {
      // Written down first: a studio that is killed now must not start the run a second time.
      entry->announced = QString::fromStdString(with(child.files, ".id"));
      saveQueue();
    }
    child.pid = startDetached(program.toStdString(), arguments, with(child.files, ".log"));
    m_children.push_back(std::move(child));
    m_childTimer->start(kChildMs);
  } catch (const std::exception& problem) {
    startFailed(order, QString::fromUtf8(problem.what()));
  }
}

void Launcher::Worker::control(const QString& runId, Control control) {
  try {
    request_control(RunFolder::open(folderOf(runId)), control);
  } catch (const std::exception& problem) {
    m_mailbox->post([l = m_launcher, runId, text = QString::fromUtf8(problem.what())] {
      Q_EMIT l->controlFailed(runId, text);
    });
  }
}

void Launcher::Worker::watchChildren() {
  std::vector<Child> running;
  std::vector<std::pair<Child, int>> ended;
  for (Child& child : m_children) {
    if (const auto status = endOf(child.pid)) {
      ended.emplace_back(std::move(child), *status);
    } else {
      running.push_back(std::move(child));
    }
  }
  m_children = std::move(running);
  for (auto& [child, status] : ended) finish(child, status);
  for (Child& child : m_children) {
    if (!child.told && lookForRun(child)) {
      child.told = true;
      begun(child.order, QString::fromStdString(child.run->id()));
    }
  }
  if (m_children.empty()) m_childTimer->stop();
  if (!ended.empty()) lookAround();
}

/// True once the program has named its run and holds it.
bool Launcher::Worker::lookForRun(Child& child) {
  try {
    if (!child.run) {
      const fs::path id = with(child.files, ".id");
      if (!fs::exists(id)) return false;
      std::string folder = read_file(id, 1 << 16);
      while (!folder.empty() && folder.back() == '\n') folder.pop_back();
      child.run = RunFolder::open(folder);
    }
    const auto process = process_of(*child.run);
    return process && process->pid == child.pid;
  } catch (const Error&) {
    return false;  // looked for again soon; a program that ends without a run is told of then
  }
}

void Launcher::Worker::finish(Child& child, int waitStatus) {
  const int code = exitCodeOf(waitStatus);
  const bool held = child.told || lookForRun(child);
  if (!held) {
    QString said = outputOf(child.files);
    if (said.isEmpty()) said = Launcher::tr("The program ended with exit status %1.").arg(code);
    startFailed(child.order, said);
    if (!child.run) removeFiles(child.files);
    return;
  }
  const QString id = QString::fromStdString(child.run->id());
  if (!child.told) begun(child.order, id);
  try {
    const auto process = process_of(*child.run);
    if (process && process->pid == child.pid) record_exit(*child.run, *process, waitStatus);
    std::error_code error;
    fs::rename(with(child.files, ".log"), child.run->path() / "log" / "console.log", error);
    removeFiles(child.files);
  } catch (const Error& problem) {
    queueFailed(QString::fromUtf8(problem.what()));
  }
  m_mailbox->post([l = m_launcher, id, code] { Q_EMIT l->ended(id, code); });
}

void Launcher::Worker::startFailed(const LaunchOrder& order, const QString& message) {
  if (QueueEntry* entry = m_queue.find(order.queued)) {
    entry->problem = message;
    entry->announced.clear();
    publishQueue();
  }
  m_mailbox->post(
      [l = m_launcher, tag = order.tag, message] { Q_EMIT l->startFailed(tag, message); });
}

void Launcher::Worker::begun(const LaunchOrder& order, const QString& runId) {
  if (m_queue.find(order.queued)) {
    m_queue.remove(order.queued);
    publishQueue();
  }
  m_mailbox->post([l = m_launcher, tag = order.tag, runId] { Q_EMIT l->started(tag, runId); });
}

}  // namespace tessera::ui
