// SPDX-License-Identifier: MIT
// What the parts of studio_bench share: rows of its table, clocks, and a studio to measure.
#pragma once

#include <QSize>
#include <QString>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace tessera::ui {
class MainWindow;
class RunFeed;
class StudioApp;
}  // namespace tessera::ui

namespace tessera::ui::test {

struct BudgetRow {
  QString what;
  double measured = 0, budget = 0;
  QString unit;
  bool least = false;  ///< the budget is the least there must be, not the most
  bool holds() const { return least ? measured >= budget : measured <= budget; }
};
using BudgetRows = std::vector<BudgetRow>;

/// What 1920x1080 leaves beside rail and docks, and the whole of it.
inline constexpr QSize kDesktop(1832, 900), kScreen(1920, 1080);

double secondsNow();
/// Processor time of all threads of this process.
double processorSeconds();
double residentMegabytes();
double median(std::vector<double> values);
/// What passes for this thread: the clock less the time that it was ready and had no processor.
/// Waiting for anything else counts.
double ownMs();
/// For which this thread was ready and had no processor, since it began.
double waitedSeconds();
double ownMs(const std::function<void()>& work);
/// For what goes from one thread to another and back: the clock less what the thread that waited
/// longest was ready and had no processor, and never less than the processor time it took.
class Stopwatch {
 public:
  Stopwatch();
  double ms() const;

 private:
  double m_began, m_processor;
  std::map<QString, double> m_waited;
};
/// The longest event of the GUI thread in each of some rounds; the one in the middle, since the
/// machine under this one may stop it at any time.
double longestEvent(const std::function<void()>& round, int rounds = 3);
/// The slowest but one of some durations: what one notices, without the one that the machine
/// spoilt.
double slowest(std::vector<double> times);

/// The whole program with its window, on a home that exists: as after the first start.
std::unique_ptr<StudioApp> makeStudioApp();
/// Shows it and waits until its runs are there.
MainWindow* openWindow(StudioApp& app, const QSize& size = kScreen);
/// The feed of a run that may be so new that the library has yet to see it.
std::shared_ptr<RunFeed> feedOf(StudioApp& app, const QString& run);

/// Lines "name number" that a child printed.
std::vector<std::pair<QString, double>> runChild(const QStringList& arguments,
                                                 int timeoutMs = 120'000);

// Each appends its rows. bench_*.cpp
void measureStart(BudgetRows& rows);
void measureMemory(BudgetRows& rows);
void measurePages(BudgetRows& rows);
void measureRunList(BudgetRows& rows);
void measureCharts(BudgetRows& rows);
void measureOverlaid(BudgetRows& rows);
void measureSpikes(BudgetRows& rows);
void measureCadence(BudgetRows& rows);
void measureLogs(BudgetRows& rows);
void measureChat(BudgetRows& rows);
void measureExperts(BudgetRows& rows);
void measureTimeline(BudgetRows& rows);
void measureSoak(BudgetRows& rows, double seconds);

/// What the program does as its own child: the exit status, or -1 where `arguments` ask for none.
int startChild(const QStringList& arguments);
int chatChild(const QStringList& arguments);

}  // namespace tessera::ui::test
