// SPDX-License-Identifier: MIT
#include "tests/ui/bench.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QProcess>
#include <algorithm>
#include <cstdio>
#include <map>

#include "core/base/error.h"
#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/run_feed.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"

namespace tessera::ui::test {

namespace {
double secondsOf(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
}  // namespace

double waitedSeconds() {
  thread_local const int file = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  char text[128] = {};
  if (file < 0 || ::pread(file, text, sizeof text - 1, 0) <= 0) return 0;
  unsigned long long ran = 0, waited = 0;
  const bool read = std::sscanf(text, "%llu %llu", &ran, &waited) == 2;
  return read ? static_cast<double>(waited) * 1e-9 : 0;
}
double secondsNow() {
  return secondsOf(CLOCK_MONOTONIC);
}

double processorSeconds() {
  return secondsOf(CLOCK_PROCESS_CPUTIME_ID);
}

double ownMs() {
  return 1e3 * (secondsNow() - waitedSeconds());
}

double ownMs(const std::function<void()>& work) {
  const double began = ownMs();
  work();
  return ownMs() - began;
}

namespace {
/// Seconds by thread.
std::map<QString, double> waitedByThread() {
  std::map<QString, double> waited;
  const QDir tasks(QStringLiteral("/proc/self/task"));
  for (const QString& task : tasks.entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
    QFile file(tasks.filePath(task) + QStringLiteral("/schedstat"));
    if (!file.open(QIODevice::ReadOnly)) continue;  // it has ended meanwhile
    waited[task] = 1e-9 * file.readAll().split(' ').value(1).toDouble();
  }
  return waited;
}
}  // namespace

Stopwatch::Stopwatch()
    : m_began(secondsNow()), m_processor(processorSeconds()), m_waited(waitedByThread()) {}

double Stopwatch::ms() const {
  double most = 0;
  for (const auto& [thread, waited] : waitedByThread()) {
    const auto before = m_waited.find(thread);
    most = std::max(most, waited - (before == m_waited.end() ? 0 : before->second));
  }
  return 1e3 * std::max(secondsNow() - m_began - most, processorSeconds() - m_processor);
}

double longestEvent(const std::function<void()>& round, int rounds) {
  std::vector<double> longest;
  application().setWatching(true);
  for (int i = 0; i < rounds; ++i) {
    application().forgetStalls();
    round();
    longest.push_back(application().longestMs());
  }
  application().setWatching(false);
  return median(longest);
}

double residentMegabytes() {
  QFile file(QStringLiteral("/proc/self/statm"));
  if (!file.open(QIODevice::ReadOnly)) throw Error("studio_bench", "no /proc/self/statm");
  const double pages = file.readAll().split(' ').value(1).toDouble();
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.at(values.size() / 2);
}

double slowest(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times.at(times.size() - (times.size() > 4 ? 2 : 1));
}

std::unique_ptr<StudioApp> makeStudioApp() {
  auto preferences = std::make_unique<Preferences>();
  preferences->finishFirstStart();
  preferences->setLanguage(QStringLiteral("en"));
  return std::make_unique<StudioApp>(application(), std::move(preferences));
}

MainWindow* openWindow(StudioApp& app, const QSize& size) {
  app.window()->resize(size);
  app.show({});
  app.window()->activateWindow();
  if (!waitUntil([&] { return app.runs().loaded(); }, 60'000)) {
    throw Error("studio_bench", "the runs were not read within a minute");
  }
  return app.window();
}

std::shared_ptr<RunFeed> feedOf(StudioApp& app, const QString& run) {
  if (!waitUntil([&] { return app.runs().run(run) != nullptr; }, 60'000)) {
    throw Error("studio_bench", "the run is not in the library");
  }
  return app.runs().feed(run);
}

std::vector<std::pair<QString, double>> runChild(const QStringList& arguments, int timeoutMs) {
  QProcess child;
  child.setProcessChannelMode(QProcess::ForwardedErrorChannel);
  child.start(QCoreApplication::applicationFilePath(), arguments);
  waitUntil([&] { return child.state() == QProcess::NotRunning; }, timeoutMs);
  if (child.state() != QProcess::NotRunning || child.exitCode() != 0) {
    throw Error("studio_bench", "its own child did not end well: " +
                                    arguments.join(QLatin1Char(' ')).toStdString());
  }
  std::vector<std::pair<QString, double>> found;
  for (const QByteArray& line : child.readAllStandardOutput().split('\n')) {
    const qsizetype space = line.indexOf(' ');
    if (space > 0)
      found.emplace_back(QString::fromUtf8(line.left(space)), line.mid(space).toDouble());
  }
  return found;
}

}  // namespace tessera::ui::test
