// SPDX-License-Identifier: MIT
// The list of runs and logs: many rows, in widgets on the screen.
#include <fmt/format.h>

#include <QApplication>
#include <QFile>
#include <QListView>
#include <QTableView>
#include <QTimer>
#include <algorithm>
#include <atomic>
#include <thread>

#include "core/base/error.h"
#include "tests/ui/bench.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_feed.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/monitor/logs_tab.h"
#include "ui/pages/monitor/monitor_page.h"
#include "ui/pages/runs/run_table.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"
#include "ui/widgets/log_view.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui::test {

namespace {
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

QStringList logLines(int from, int count) {
  QStringList lines;
  for (int i = from; i < from + count; ++i) {
    lines +=
        QStringLiteral("2026-01-31T12:00:00Z info: step %1, loss 4.526, 11.7 k tokens/s").arg(i);
  }
  return lines;
}

/// Ten thousand lines a second into a file, as a run that has much to say.
class Writer {
 public:
  Writer(std::filesystem::path path, int seconds)
      : m_path(std::move(path)), m_thread([this, seconds] { write(seconds); }) {}
  ~Writer() { m_thread.join(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  bool done() const { return m_done; }
  double last() const { return m_last; }  ///< when the last lines were in the file

 private:
  void write(int seconds) {
    std::ofstream out(m_path, std::ios::app);
    const double began = secondsNow();
    for (int part = 0; part < 20 * seconds; ++part) {
      const QByteArray text = logLines(500 * part, 500).join(u'\n').toUtf8() + '\n';
      out.write(text.constData(), text.size());
      out.flush();
      m_last = secondsNow();
      const double wait = began + 0.05 * (part + 1) - secondsNow();
      if (wait > 0) std::this_thread::sleep_for(std::chrono::duration<double>(wait));
    }
    m_done = true;
  }
  std::filesystem::path m_path;
  std::atomic<bool> m_done = false;
  std::atomic<double> m_last = 0;
  std::thread m_thread;
};

void measureBurst(BudgetRows& rows) {
  constexpr int kSeconds = 5, kLines = 10'000 * kSeconds;
  const TemporaryHome home;
  WrittenRun run(home.runs().toStdString(), "talks");
  const RunLock lock(run.folder);
  run.state(RunState::Running);
  run.steps(0, 10);
  run.log->sync();
  std::filesystem::create_directories(run.folder.log_path(0).parent_path());
  const auto studio = makeStudioApp();
  MainWindow* window = openWindow(*studio);
  const auto feed = feedOf(*studio, run.id());
  window->open({QStringLiteral("monitor"), run.id(), {{QStringLiteral("tab"), "logs"}}});
  auto* page = qobject_cast<MonitorPage*>(window->page(QStringLiteral("monitor")));
  LogModel& model = page->logs().view().model();
  QTest::qWait(1'000);
  application().setWatching(true);
  application().forgetStalls();
  const double cpu = processorSeconds(), began = secondsNow();
  double last = 0, ended = 0;
  {
    const Writer writer(run.folder.log_path(0), kSeconds);
    QObject::connect(&model, &LogModel::rowsInserted, &model, [&] { ended = secondsNow(); });
    waitUntil([&] { return writer.done() && model.lines() >= kLines; }, 20'000);
    last = writer.last();
  }
  QTest::qWait(50);
  application().setWatching(false);
  fmt::print("({} lines in {:.1f} s took {:.1f} % of a core, writing included)\n", model.lines(),
             ended - began, 100 * (processorSeconds() - cpu) / (ended - began));
  rows.push_back({"log, 10k lines/s: longest event", application().longestMs(), 50, "ms"});
  rows.push_back({"log, 10k lines/s: lines lost", double(kLines - model.lines()), 0, ""});
  rows.push_back({"log, 10k lines/s: last line shown after", 1e3 * (ended - last), 250, "ms"});
}

void measureSearch(BudgetRows& rows) {
  LogView view(100'000);
  show(view, {1200, 500});
  for (int i = 0; i < 50; ++i) view.append(logLines(2'000 * i, 2'000));
  QApplication::processEvents();
  application().setWatching(true);
  application().forgetStalls();
  std::vector<double> times;
  int wrong = 0;
  for (const char* words : {"step 99999", "LOSS", "nothing like it", "step 77"}) {
    QSignalSpy done(&view.model(), &LogModel::filtered);
    const double began = secondsNow();
    view.searchField()->setText(QLatin1String(words));
    if (!done.wait(10'000)) throw Error("studio_bench", "a search did not end");
    times.push_back(1e3 * (secondsNow() - began));
    const QString text = QLatin1String(words);
    int expected = 0;
    for (int i = 0; i < 100'000; ++i) {
      if (text.startsWith(QLatin1String("step"))) {
        expected += QStringLiteral("step %1,").arg(i).contains(text) ? 1 : 0;
      } else {
        expected += text == QLatin1String("LOSS") ? 1 : 0;
      }
    }
    wrong += std::abs(expected - view.model().rowCount());
  }
  application().setWatching(false);
  rows.push_back({"100k log lines searched: longest event", application().longestMs(), 50, "ms"});
  rows.push_back({"100k log lines searched: lines missed", double(wrong), 0, ""});
  fmt::print("(100k lines searched in {:.0f} ms at the longest, in slices)\n", slowest(times));
}
}  // namespace

void measureRunList(BudgetRows& rows) {
  const auto fixture = makeStudio();
  RunTable table(*fixture->studio);
  show(table, kDesktop);
  waitUntil([&] { return fixture->runs->loaded(); }, 20'000);
  QTest::qWait(200);  // the list of this home, which is empty, has been shown
  RunsModel& model = table.model();
  RunsProxy& proxy = table.proxy();
  model.setRows(manyRows(10'000));
  QApplication::processEvents();
  const auto timed = [](const std::function<void()>& work) {
    return ownMs([&] {
      work();
      QApplication::processEvents();
    });
  };
  std::vector<double> sorts, filters;
  for (int column = 0; column < model.columnCount(); ++column) {
    for (const Qt::SortOrder order : {Qt::DescendingOrder, Qt::AscendingOrder}) {
      sorts.push_back(timed([&] { table.view()->sortByColumn(column, order); }));
    }
  }
  for (int i = 0; i < 3; ++i) {
    for (const char* words : {"base", "run 12", "long 9", ""}) {
      RunFilter wanted;
      wanted.words = QLatin1String(words);
      filters.push_back(timed([&] { proxy.setFilter(wanted); }));
    }
  }
  if (proxy.rowCount() != 10'000) throw Error("studio_bench", "the list lost its rows");
  std::vector<double> groups;
  for (int column = 0; column < model.columnCount(); ++column) {
    if (column != RunsModel::Curve) groups.push_back(timed([&] { proxy.setGroup(column); }));
  }
  proxy.setGroup(-1);
  rows.push_back({"10k runs: sort by any column", slowest(sorts), 50, "ms"});
  rows.push_back({"10k runs: filter", slowest(filters), 100, "ms"});
  rows.push_back({"10k runs: group by any column", slowest(groups), 100, "ms"});
}

void measureLogs(BudgetRows& rows) {
  measureBurst(rows);
  measureSearch(rows);
}

}  // namespace tessera::ui::test
