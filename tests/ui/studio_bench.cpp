// SPDX-License-Identifier: MIT
// The budgets of the studio with their measured values, on this machine. Not a test: times depend
// on what else the machine does. Exit status 1 where one does not hold.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <QAbstractItemModel>
#include <QElapsedTimer>
#include <QFile>
#include <QListView>
#include <QProcess>
#include <QTimer>
#include <algorithm>
#include <cstdio>

#include "core/base/error.h"
#include "core/run/events.h"
#include "core/run/run_folder.h"
#include "tests/ui/chart_bench.h"
#include "tests/ui/harness.h"
#include "ui/bridge/preferences.h"
#include "ui/bridge/run_store.h"
#include "ui/models/runs_model.h"
#include "ui/models/runs_proxy.h"
#include "ui/pages/page.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"
#include "ui/widgets/log_view.h"

namespace {

using namespace tessera;
using namespace tessera::ui;
using test::BudgetRow;

double now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double milliseconds(const std::function<void()>& work) {
  QElapsedTimer timer;
  timer.start();
  work();
  return static_cast<double>(timer.nsecsElapsed()) * 1e-6;
}

std::unique_ptr<StudioApp> makeStudio() {
  auto preferences = std::make_unique<Preferences>();
  preferences->finishFirstStart();
  preferences->setLanguage(QStringLiteral("en"));
  auto app = std::make_unique<StudioApp>(test::application(), std::move(preferences));
  return app;
}

/// The child of firstWindow(): prints the time of the first paint, and of the list of runs.
int paintOnce(double began) {
  auto studio = makeStudio();
  studio->show({});
  test::waitUntil([&] { return studio->window()->page(QStringLiteral("home")) != nullptr; });
  studio->window()->grab();
  fmt::print("painted {:.1f}\n", 1e3 * (now() - began));
  test::waitUntil([&] { return studio->runs().loaded(); }, 30'000);
  QTest::qWait(0);
  studio->window()->grab();
  fmt::print("usable {:.1f}\n", 1e3 * (now() - began));
  std::fflush(stdout);
  return 0;
}

/// From the start of a process to its first painted window, and to the list of its runs.
std::pair<double, double> startOnce() {
  QProcess child;
  child.start(QCoreApplication::applicationFilePath(),
              {QStringLiteral("--paint-once"), QString::number(now(), 'f', 6)});
  test::waitUntil([&] { return child.state() == QProcess::NotRunning; }, 60'000);
  double painted = 0, usable = 0;
  for (const QByteArray& line : child.readAllStandardOutput().split('\n')) {
    if (line.startsWith("painted ")) painted = line.mid(8).toDouble();
    if (line.startsWith("usable ")) usable = line.mid(7).toDouble();
  }
  return {painted, usable};
}

void makeRuns(const QString& folder, int count) {
  RunSpec spec = load_spec("demo");
  for (int i = 0; i < count; ++i) {
    spec.run.name = fmt::format("run-{:04}", i);
    const RunFolder run = RunFolder::create(folder.toStdString(), spec);
    EventWriter log(run.events_path());
    log.append(StateEvent{.state = RunState::Running});
    for (int step = 0; step < 4; ++step) {
      log.append(StepEvent{.step = step, .tokens = 2048 * (step + 1), .loss = 8.0 - step});
    }
    log.append(StateEvent{.state = RunState::Finished, .step = 3});
  }
}

void measureStart(std::vector<BudgetRow>& rows) {
  {
    const test::TemporaryHome home;
    startOnce();  // the page cache of the machine is warm from here on
    std::vector<double> times;
    for (int i = 0; i < 5; ++i) times.push_back(startOnce().first);
    std::sort(times.begin(), times.end());
    rows.push_back({"first window, warm (median of 5)", times[2], 300, "ms"});
  }
  const test::TemporaryHome home;
  makeRuns(home.runs(), 1'000);
  const double first = startOnce().second;
  std::printf("(1,000 runs, library made anew: %.0f ms)\n", first);
  rows.push_back({"usable with 1,000 stored runs", startOnce().second, 1'500, "ms"});
}

std::shared_ptr<std::vector<RunRow>> manyRows(int count) {
  auto rows = std::make_shared<std::vector<RunRow>>();
  for (int i = 0; i < count; ++i) {
    RunRow row;
    row.id = fmt::format("run-{:05}-{:x}", i, static_cast<unsigned>(i) * 2654435761u);
    row.name = fmt::format("run {}", (i * 7919) % count);
    row.state = static_cast<RunState>(i % 11);
    row.step = (i * 104729) % 10'000;
    row.total_steps = 10'000;
    row.loss = 2 + (i * 31 % 1000) / 250.0;
    row.created = 1.7e9 + i;
    row.tags = {i % 3 ? "baseline" : "long"};
    row.sparkline.assign(64, 3.F);
    rows->push_back(row);
  }
  return rows;
}

void measureRunList(std::vector<BudgetRow>& rows) {
  RunsModel model;
  RunsProxy proxy(model);
  model.setRows(manyRows(10'000));
  double sort = 0, filter = 0;
  for (const int column : {RunsModel::Name, RunsModel::Loss, RunsModel::Created}) {
    sort = std::max(sort, milliseconds([&] { proxy.sort(column, Qt::DescendingOrder); }));
    sort = std::max(sort, milliseconds([&] { proxy.sort(column, Qt::AscendingOrder); }));
  }
  for (const char* words : {"base", "run 12", "long 9", ""}) {
    RunFilter wanted;
    wanted.words = QLatin1String(words);
    filter = std::max(filter, milliseconds([&] { proxy.setFilter(wanted); }));
  }
  rows.push_back({"10k runs: sort", sort, 50, "ms"});
  rows.push_back({"10k runs: filter", filter, 100, "ms"});
}

void measureLogs(std::vector<BudgetRow>& rows) {
  LogView view(100'000);
  test::show(view, {1000, 400});
  QStringList batch;
  for (int i = 0; i < 2'000; ++i) {
    batch +=
        QStringLiteral("2026-01-31T12:00:00Z info: step %1, loss 4.526, 11.7 k tokens/s").arg(i);
  }
  double worst = 0;
  for (int i = 0; i < 50; ++i) {  // five batches a second are 10k lines/s
    worst = std::max(worst, milliseconds([&] {
                       view.append(batch);
                       QTest::qWait(0);
                     }));
  }
  rows.push_back({"log: a batch of a burst of 10k lines/s", worst, 50, "ms"});
  QElapsedTimer timer;
  timer.start();
  QSignalSpy done(&view.model(), &LogModel::filtered);
  view.model().setFilter(QStringLiteral("step 1999"));
  done.wait(10'000);
  std::printf("(100k lines searched in %lld ms, in slices)\n",
              static_cast<long long>(timer.elapsed()));
}

double residentMegabytes() {
  QFile file(QStringLiteral("/proc/self/statm"));
  if (!file.open(QIODevice::ReadOnly)) return 0;
  const double pages = file.readAll().split(' ').value(1).toDouble();
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

double processorSeconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// The child of measureIdle(): its memory and how much of a core an idle window takes.
int idleOnce() {
  auto studio = makeStudio();
  studio->show({});
  test::waitUntil([&] { return studio->runs().loaded(); });
  QTest::qWait(2'000);
  const double cpu = processorSeconds(), began = now();
  QTest::qWait(10'000);
  fmt::print("memory {:.1f}\ncpu {:.3f}\n", residentMegabytes(),
             100 * (processorSeconds() - cpu) / (now() - began));
  std::fflush(stdout);
  return 0;
}

void measureIdle(std::vector<BudgetRow>& rows) {
  const test::TemporaryHome home;
  QProcess child;
  child.start(QCoreApplication::applicationFilePath(), {QStringLiteral("--idle-once")});
  test::waitUntil([&] { return child.state() == QProcess::NotRunning; }, 60'000);
  for (const QByteArray& line : child.readAllStandardOutput().split('\n')) {
    if (line.startsWith("memory ")) {
      rows.push_back({"memory, idle (resident)", line.mid(7).toDouble(), 150, "MB"});
    }
    if (line.startsWith("cpu ")) {
      rows.push_back({"processor, idle, of one core", line.mid(4).toDouble(), 1, "%"});
    }
  }
}

/// Every page is gone to, twice; the longest event of the GUI thread.
void measureEvents(std::vector<BudgetRow>& rows) {
  const test::TemporaryHome home;
  makeRuns(home.runs(), 200);
  const auto studio = makeStudio();
  studio->show({});
  test::waitUntil([&] { return studio->runs().loaded(); });
  test::application().forgetStalls();
  for (int round = 0; round < 2; ++round) {
    for (const PageInfo& info : pages()) {
      QTimer::singleShot(0, studio->window(), [&] {
        studio->window()->open({QLatin1String(info.id), {}, {}});
      });
      QTest::qWait(300);
    }
  }
  rows.push_back({"longest event of the GUI thread", test::application().longestMs(), 50, "ms"});
}

int print(const std::vector<BudgetRow>& rows) {
  bool all = true;
  fmt::print("\n{:<58} {:>10} {:>10}\n", "what", "measured", "budget");
  for (const BudgetRow& row : rows) {
    all = all && row.holds();
    fmt::print("{:<58} {:>10} {:>10}{}\n", row.what.toStdString(),
               fmt::format("{:.3g} {}", row.measured, row.unit.toStdString()),
               fmt::format("{:.3g} {}", row.budget, row.unit.toStdString()),
               row.holds() ? "" : "  over");
  }
  return all ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  test::TestApplication app(argc, argv);
  const QStringList arguments = QCoreApplication::arguments();
  if (arguments.value(1) == QLatin1String("--paint-once")) {
    app.setWatching(false);
    return paintOnce(arguments.value(2).toDouble());
  }
  if (arguments.value(1) == QLatin1String("--idle-once")) {
    app.setWatching(false);
    return idleOnce();
  }
  std::vector<BudgetRow> rows;
  try {
    measureStart(rows);
    measureEvents(rows);
    app.setWatching(false);
    measureRunList(rows);
    measureLogs(rows);
    measureIdle(rows);
    for (BudgetRow& row : test::measureCharts()) rows.push_back(row);
  } catch (const Error& error) {
    std::fprintf(stderr, "studio_bench: %s\n", error.what());
    return 2;
  }
  return print(rows);
}
