// SPDX-License-Identifier: MIT
// The budgets of the studio with their measured values, on this machine. Not a test: times depend
// on what else the machine does. Exit status 1 where one does not hold.
//
//   studio_bench                  all of them, about four minutes
//   studio_bench charts chat      some of them
//   studio_bench --soak [SECONDS] a day of telemetry in five minutes, charts in sight
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "core/base/error.h"
#include "tests/ui/bench.h"
#include "tests/ui/harness.h"

namespace {

using namespace tessera::ui;
using test::BudgetRow;
using test::BudgetRows;

struct Part {
  const char* name;
  void (*measure)(BudgetRows& rows);
};
constexpr Part kParts[] = {
    {"start", test::measureStart},     {"memory", test::measureMemory},
    {"pages", test::measurePages},     {"runs", test::measureRunList},
    {"charts", test::measureCharts},   {"overlaid", test::measureOverlaid},
    {"spikes", test::measureSpikes},   {"cadence", test::measureCadence},
    {"logs", test::measureLogs},       {"chat", test::measureChat},
    {"experts", test::measureExperts}, {"timeline", test::measureTimeline},
};

/// True where all hold.
bool print(const BudgetRows& rows) {
  bool all = true;
  fmt::print("\n{:<58} {:>10} {:>12}\n", "what", "measured", "budget");
  for (const BudgetRow& row : rows) {
    all = all && row.holds();
    fmt::print(
        "{:<58} {:>10} {:>12}{}\n", row.what.toStdString(),
        fmt::format("{:.3g} {}", row.measured, row.unit.toStdString()),
        fmt::format("{} {:.4g} {}", row.least ? ">=" : "<=", row.budget, row.unit.toStdString()),
        row.holds() ? "  holds" : "  OVER");
  }
  return all;
}

bool wanted(const QStringList& names, const char* name) {
  return names.isEmpty() || names.contains(QLatin1String(name));
}

int measure(QStringList arguments) {
  BudgetRows rows;
  arguments.removeFirst();
  if (arguments.value(0) == QLatin1String("--soak")) {
    const double seconds = arguments.size() > 1 ? arguments[1].toDouble() : 300;
    test::measureSoak(rows, seconds);
    return print(rows) ? 0 : 1;
  }
  for (const QString& name : arguments) {
    const auto known = [&](const Part& part) { return name == QLatin1String(part.name); };
    if (std::none_of(std::begin(kParts), std::end(kParts), known)) {
      throw tessera::Error("studio_bench", "there is no part " + name.toStdString());
    }
  }
  for (const Part& part : kParts) {
    if (!wanted(arguments, part.name)) continue;
    fmt::print("{} ...\n", part.name);
    std::fflush(stdout);
    part.measure(rows);
  }
  return print(rows) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  test::TestApplication app(argc, argv);
  app.setWatching(false);
  const QStringList arguments = QCoreApplication::arguments();
  for (const auto child : {test::startChild, test::chatChild}) {
    const int status = child(arguments);
    if (status >= 0) return status;
  }
  try {
    return measure(arguments);
  } catch (const tessera::Error& error) {
    std::fprintf(stderr, "studio_bench: %s\n", error.what());
    return 2;
  }
}
