// SPDX-License-Identifier: MIT
// Starting, and what an open window takes while nobody touches it. Each is a process of its own.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <QDir>
#include <QEventLoop>
#include <QFile>
#include <QFileInfo>
#include <QProcess>
#include <QSet>
#include <QTimer>
#include <cmath>
#include <cstdio>

#include "core/base/error.h"
#include "core/events/events.h"
#include "core/run/run_folder.h"
#include "tests/ui/bench.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_feed.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/page.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"
#include "ui/widgets/chart/chart_panel.h"

namespace tessera::ui::test {

namespace {
constexpr std::int64_t kMillion = 1'000'000;

void say(const char* name, double value) {
  fmt::print("{} {:.3f}\n", name, value);
  std::fflush(stdout);
}

/// From the start of the process to the first painted window, and to the list of its runs.
/// `maps`: where to leave which files are in memory; empty: nowhere.
int paintOnce(double began, const QString& maps) {
  const auto studio = makeStudioApp();
  studio->window()->resize(kScreen);
  studio->show({});
  waitUntil([&] { return studio->window()->page(QStringLiteral("home")) != nullptr; });
  studio->window()->grab();
  say("painted", 1e3 * (secondsNow() - began - waitedSeconds()));
  waitUntil([&] { return studio->runs().loaded(); }, 30'000);
  QTest::qWait(0);
  studio->window()->grab();
  say("usable", 1e3 * (secondsNow() - began - waitedSeconds()));
  if (!maps.isEmpty()) {
    QFile file(QStringLiteral("/proc/self/maps")), out(maps);
    if (!file.open(QIODevice::ReadOnly) || !out.open(QIODevice::WriteOnly)) return 1;
    out.write(file.readAll());
  }
  return 0;
}

int idleOnce() {
  const auto studio = makeStudioApp();
  openWindow(*studio);
  QTest::qWait(2'000);
  const double cpu = processorSeconds(), began = secondsNow();
  // NOTE: not qWait(), which wakes up a hundred times a second and would be most of what is
  // measured.
  QEventLoop loop;
  QTimer::singleShot(10'000, &loop, &QEventLoop::quit);
  loop.exec();
  say("memory", residentMegabytes());
  say("cpu", 100 * (processorSeconds() - cpu) / (secondsNow() - began));
  return 0;
}

/// Opens the only run in Monitor, large enough for twelve charts, and looks at all of them.
int chartsOnce() {
  const auto studio = makeStudioApp();
  MainWindow* window = openWindow(*studio, {2200, 1300});
  waitUntil([&] { return studio->runs().runs() && !studio->runs().runs()->empty(); }, 60'000);
  const std::string id = studio->runs().runs()->at(0).id;
  window->open({QStringLiteral("monitor"), QString::fromStdString(id), {}});
  const auto feed = feedOf(*studio, QString::fromStdString(id));
  const auto million = static_cast<std::size_t>(kMillion);
  if (!waitUntil([&] { return feed->history().rows() == million; }, 120'000)) return 1;
  QTest::qWait(1'000);
  window->grab();
  int drawn = 0;
  for (const ChartPanel* panel : window->findChildren<ChartPanel*>()) {
    drawn += panel->isVisible() && panel->drawn().any ? 1 : 0;
  }
  say("charts", drawn);
  say("memory", residentMegabytes());
  return 0;
}

double valueOf(const std::vector<std::pair<QString, double>>& lines, const char* name) {
  for (const auto& [key, value] : lines) {
    if (key == QLatin1String(name)) return value;
  }
  throw Error("studio_bench", fmt::format("its child did not say {}", name));
}

std::vector<std::pair<QString, double>> startOnce() {
  return runChild({QStringLiteral("--paint-once"), QString::number(secondsNow(), 'f', 6)});
}

void makeRuns(const QString& folder, int count) {
  RunSpec spec = load_spec("demo");
  for (int i = 0; i < count; ++i) {
    spec.run.name = fmt::format("run-{:04}", i);
    WrittenRun run(folder.toStdString(), spec);
    run.state(RunState::Running);
    run.steps(0, 4);
    run.state(RunState::Finished);
  }
}

/// The program with every file that it maps, copied to where nothing of it is in memory.
class ColdCopy {
 public:
  ColdCopy(const QString& folder, const QString& maps) : m_folder(folder) {
    QFile file(maps);
    if (!file.open(QIODevice::ReadOnly)) throw Error("studio_bench", "its child left no maps");
    QSet<QString> seen;
    for (const QByteArray& line : file.readAll().split('\n')) {
      const qsizetype slash = line.indexOf('/');
      if (slash > 0) seen.insert(QString::fromUtf8(line.mid(slash)));
    }
    for (const QString& path : seen) take(path);
  }
  QString program() const { return m_folder + QStringLiteral("/studio_bench"); }
  double megabytes() const { return m_bytes / 1e6; }

  /// Drops the copies from the page cache. The share of them that stayed there.
  double evict() const {
    double resident = 0, pages = 0;
    for (const QString& path : m_files) {
      const int file = ::open(qPrintable(path), O_RDONLY | O_CLOEXEC);
      if (file < 0) throw Error("studio_bench", "cannot open " + path.toStdString());
      ::fsync(file);
      ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
      const auto bytes = static_cast<std::size_t>(QFileInfo(path).size());
      void* map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
      std::vector<unsigned char> in((bytes + 4095) / 4096);
      if (map != MAP_FAILED && ::mincore(map, bytes, in.data()) == 0) {
        for (const unsigned char page : in) resident += page & 1;
      }
      if (map != MAP_FAILED) ::munmap(map, bytes);
      pages += static_cast<double>(in.size());
      ::close(file);
    }
    return resident / pages;
  }

  double paint() const {
    QProcess child;
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert(QStringLiteral("LD_LIBRARY_PATH"), m_folder + QStringLiteral("/lib"));
    environment.insert(QStringLiteral("QT_PLUGIN_PATH"), m_folder + QStringLiteral("/plugins"));
    child.setProcessEnvironment(environment);
    child.start(program(), {QStringLiteral("--paint-once"), QString::number(secondsNow(), 'f', 6)});
    waitUntil([&] { return child.state() == QProcess::NotRunning; }, 60'000);
    for (const QByteArray& line : child.readAllStandardOutput().split('\n')) {
      if (line.startsWith("painted ")) return line.mid(8).toDouble();
    }
    throw Error("studio_bench",
                "the copy did not paint: " + child.readAllStandardError().toStdString());
  }

 private:
  void take(const QString& path) {
    const QFileInfo info(path);
    const QString name = info.fileName();
    QString to = m_folder + QStringLiteral("/lib/") + name;
    if (info.canonicalFilePath() ==
        QFileInfo(QCoreApplication::applicationFilePath()).canonicalFilePath()) {
      to = program();
    } else if (path.contains(QLatin1String("/plugins/"))) {
      to = m_folder + path.mid(path.indexOf(QLatin1String("/plugins/")));
    } else if (!name.contains(QLatin1String(".so")) || name.startsWith(QLatin1String("ld-"))) {
      return;  // fonts and caches of the system stay where they are
    }
    QDir().mkpath(QFileInfo(to).path());
    if (!QFile::copy(path, to)) throw Error("studio_bench", "cannot copy " + path.toStdString());
    m_files << to;
    m_bytes += static_cast<double>(info.size());
  }
  QString m_folder;
  QStringList m_files;
  double m_bytes = 0;
};

/// Programs and libraries read from the disk anew. The loader, fonts and the kernel's own caches
/// stay warm: they are shared with all that runs.
double coldStart() {
  const TemporaryHome home;
  const QString maps = home.home() + QStringLiteral("/maps");
  runChild({QStringLiteral("--paint-once"), QString::number(secondsNow(), 'f', 6), maps});
  // Beside the program, on its disk: a folder in memory would never be cold.
  QTemporaryDir folder(QCoreApplication::applicationDirPath() + QStringLiteral("/cold-XXXXXX"));
  const ColdCopy copy(folder.path(), maps);
  std::vector<double> times;
  double stayed = 0;
  for (int i = 0; i < 3; ++i) {
    stayed = std::max(stayed, copy.evict());
    times.push_back(copy.paint());
  }
  fmt::print("(cold: {:.0f} MB of programs and libraries, {:.1f} % of them still in memory)\n",
             copy.megabytes(), 100 * stayed);
  if (stayed > 0.05) throw Error("studio_bench", "the page cache could not be emptied");
  return median(times);
}
}  // namespace

int startChild(const QStringList& arguments) {
  const QString what = arguments.value(1);
  if (what == QLatin1String("--paint-once")) {
    return paintOnce(arguments.value(2).toDouble(), arguments.value(3));
  }
  if (what == QLatin1String("--idle-once")) return idleOnce();
  if (what == QLatin1String("--charts-once")) return chartsOnce();
  return -1;
}

void measureStart(BudgetRows& rows) {
  {
    const TemporaryHome home;
    startOnce();  // the page cache of the machine is warm from here on
    std::vector<double> times;
    for (int i = 0; i < 7; ++i) times.push_back(valueOf(startOnce(), "painted"));
    rows.push_back({"first window, warm (median of 7)", median(times), 300, "ms"});
    rows.push_back({"first window, cold (median of 3)", coldStart(), 1'000, "ms"});
  }
  const TemporaryHome home;
  makeRuns(home.runs(), 1'000);
  const double first = valueOf(startOnce(), "usable");
  fmt::print("(1,000 runs, library made anew: {:.0f} ms)\n", first);
  std::vector<double> times;
  for (int i = 0; i < 3; ++i) times.push_back(valueOf(startOnce(), "usable"));
  rows.push_back({"usable with 1,000 stored runs (median of 3)", median(times), 1'500, "ms"});
}

void measureMemory(BudgetRows& rows) {
  {
    const TemporaryHome home;
    const auto idle = runChild({QStringLiteral("--idle-once")});
    rows.push_back({"memory, idle (resident)", valueOf(idle, "memory"), 150, "MB"});
    rows.push_back({"processor, idle, of one core", valueOf(idle, "cpu"), 1, "%"});
  }
  const TemporaryHome home;
  {
    WrittenRun run(home.runs().toStdString(), "million");
    run.state(RunState::Running);
    for (std::int64_t step = 0; step < kMillion; ++step) {
      const double wave = std::sin(0.37 * static_cast<double>(step));
      StepEvent e = stepEvent(step, 4 + 0.1 * wave);
      e.mtp_loss = 4.2 + 0.1 * wave;
      e.balance_loss = 0.01;
      e.bias_speed = 1e-3;
      e.mtp_lambda = 0.3;
      run.log->append(e);
    }
    run.state(RunState::Finished);
  }
  const auto charts = runChild({QStringLiteral("--charts-once")}, 240'000);
  rows.push_back({"charts of 1 M points drawn at once", valueOf(charts, "charts"), 12, "", true});
  rows.push_back({"memory with these charts (resident)", valueOf(charts, "memory"), 500, "MB"});
}

void measurePages(BudgetRows& rows) {
  const TemporaryHome home;
  makeRuns(home.runs(), 200);
  const auto studio = makeStudioApp();
  MainWindow* window = openWindow(*studio);
  const auto show = [&](const char* id) {
    QTimer::singleShot(0, window, [window, id] { window->open({QLatin1String(id), {}, {}}); });
    QTest::qWait(300);
  };
  // Pages are made in the first round.
  double slowest = 0;
  for (const PageInfo& info : pages()) {
    const double took = longestEvent([&] { show(info.id); }, 1);
    fmt::print("({} made in {:.1f} ms)\n", info.id, took);
    slowest = std::max(slowest, took);
  }
  const auto walk = [&] {
    for (const PageInfo& info : pages()) show(info.id);
  };
  rows.push_back({"pages made and shown: longest event", slowest, 50, "ms"});
  rows.push_back({"pages shown again: longest event", longestEvent(walk), 50, "ms"});
}

}  // namespace tessera::ui::test
