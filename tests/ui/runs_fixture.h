// SPDX-License-Identifier: MIT
// The page of runs over four stored runs, as its tests need it.
#pragma once

#include <QTableView>
#include <cmath>

#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/runs/run_table.h"
#include "ui/pages/runs/runs_page.h"

namespace tessera::ui::test {

/// Runs that differ in everything a table shows.
struct DiverseRuns {
  std::unique_ptr<TemporaryHome> home = std::make_unique<TemporaryHome>();
  std::filesystem::path folder = home->runs().toStdString();
  QString base, wide, failed, child;

  DiverseRuns() {
    auto first = makeRun("base", 400, 3.2, 1.0);
    first.state(RunState::Finished);
    base = first.id();
    auto second = makeRun("wide experts", 400, 2.9, 0.5);
    second.state(RunState::Stopped, "asked to stop");
    wide = second.id();
    auto third = makeRun("hot learning rate", 150, 7.5, 1.0);
    third.state(RunState::Failed, "the loss is not a number at step 149");
    failed = third.id();
    Lineage lineage{first.folder.id(), first.folder.path().string(), "checkpoints/step-200", 200};
    WrittenRun fourth(folder, "base, lower rate", lineage);
    writeSteps(fourth, 300, 3.0);
    fourth.state(RunState::Finished);
    child = fourth.id();
  }

  WrittenRun makeRun(const std::string& name, int steps, double end, double clip) const {
    RunSpec spec = smallSpec(name);
    spec.optimiser.clip = clip;
    WrittenRun run(folder, spec);
    writeSteps(run, steps, end);
    return run;
  }
  static void writeSteps(WrittenRun& run, int steps, double end) {
    run.state(RunState::Running);
    for (int s = 0; s < steps; ++s) {
      const double wave = 0.05 * std::sin(0.7 * s);
      run.log->append(stepEvent(s, end + (8 - end) * std::exp(-0.012 * s) + wave));
    }
    ValidationEvent v;
    v.step = steps - 1;
    v.tokens = steps * 2048;
    v.loss = end + 0.1;
    v.sources = {{"web", end}, {"code", end + 0.2}};
    run.log->append(v);
  }
};

struct RunsFixture {
  DiverseRuns runs;
  std::unique_ptr<StudioFixture> studio = makeStudio(std::move(runs.home));
  RunsPage page{*studio->studio};

  bool open(const QSize& size = QSize(1024, 700), int rows = 4) {
    page.setActivity(true, true);
    return show(page, size) &&
           waitUntil([this, rows] { return page.table().proxy().rowCount() == rows; });
  }
  QTableView& view() { return *page.table().view(); }
  QRect cell(const QString& id, int column) {
    return view().visualRect(page.table().proxy().index(page.table().proxy().rowOf(id), column));
  }
  bool clickRow(const QString& id, Qt::KeyboardModifiers modifiers = {}) {
    view().scrollTo(page.table().proxy().index(page.table().proxy().rowOf(id), 0));
    return click(view().viewport(), cell(id, 0).center(), Qt::LeftButton, modifiers);
  }
  QString folderOf(const QString& id) const {
    return QString::fromStdString(studio->runs->run(id)->folder.string());
  }
  int rowOf(const QString& id) { return page.table().proxy().rowOf(id); }
  QStringList shown() {
    QStringList ids;
    for (int r = 0; r < page.table().proxy().rowCount(); ++r) ids << page.table().proxy().id(r);
    return ids;
  }
  QAbstractButton* button(const QString& text) { return test::button(&page, text); }
};

}  // namespace tessera::ui::test
