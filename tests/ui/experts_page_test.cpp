// SPDX-License-Identifier: MIT
// Experts: the map shows what was logged at the step it names, alarms follow their definitions,
// comparisons compare what they say.
// Links: tessera_ui_page_experts
// Scales: 1 1.5 2
#include <QAbstractItemModelTester>
#include <QCheckBox>
#include <QListWidget>
#include <QPushButton>
#include <QSlider>
#include <QSpinBox>
#include <QTableView>
#include <QTest>
#include <QToolButton>
#include <cmath>
#include <random>

#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/experts/alarms_panel.h"
#include "ui/pages/experts/expert_table.h"
#include "ui/pages/experts/experts_page.h"
#include "ui/pages/experts/placement_panel.h"
#include "ui/pages/experts/time_scrubber.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/bar_plot.h"
#include "ui/widgets/chart/fan_plot.h"
#include "ui/widgets/chart/heat_map.h"
#include "ui/widgets/chart/load_histogram.h"

namespace tessera::ui::test {

namespace {
ExpertsFrame frameOf(int layers, int experts, std::vector<std::int64_t> counts) {
  auto e = std::make_shared<ExpertsEvent>();
  e->layers = layers;
  e->experts = experts;
  e->biases.assign(counts.size(), 0.0f);
  e->counts = std::move(counts);
  return e;
}

/// Loads that even out over the steps, by biases that follow the sign rule. Expert 3 of layer 1
/// never gets a token from step 30 on; expert 5 of layer 0 always gets four times its share.
ExpertsEvent balancing(std::int64_t step, int layers, int experts) {
  ExpertsEvent e;
  e.step = step;
  e.tokens = (step + 1) * 2048;
  e.layers = layers;
  e.experts = experts;
  for (int l = 0; l < layers; ++l) {
    for (int x = 0; x < experts; ++x) {
      const double uneven = 0.9 * std::exp(-double(step) / 60);
      std::int64_t n = std::int64_t(512 * (1 + uneven * std::sin(1.7 * x + l)));
      if (l == 1 && x == 3 && step >= 30) n = 0;
      if (l == 0 && x == 5) n = 4 * 512;
      e.counts.push_back(n);
      e.biases.push_back(float(-0.001 * double(step) * std::sin(1.7 * x + l)));
    }
  }
  return e;
}

WrittenRun expertRun(const TemporaryHome& home, const std::string& name, std::int64_t steps,
                     int layers = 3, int experts = 16) {
  WrittenRun run(home.runs().toStdString(), name);
  run.state(RunState::Running);
  for (std::int64_t s = 0; s < steps; ++s) {
    StepEvent e = stepEvent(s, 5);
    e.bias_speed = 0.001;
    run.log->append(e);
    if (s % 10 == 0) run.log->append(balancing(s, layers, experts));
  }
  run.state(RunState::Stopped);
  run.log->sync();
  return run;
}

struct Shown {
  Shown(std::unique_ptr<TemporaryHome> home, const QString& run, const QSize& size = {1024, 700})
      : fixture(makeStudio(std::move(home))), page(*fixture->studio) {
    waitUntil([&] { return fixture->runs->loaded(); });
    page.open({QStringLiteral("experts"), run, {}});
    show(page, size);
    page.setActivity(true, true);
    waitUntil([&] { return page.shownStep() >= 0; });
    page.grab();
  }
  ~Shown() { page.hide(); }
  HeatMap& map() { return *page.findChild<HeatMap*>(QStringLiteral("expert-map")); }
  HeatMap& baseMap() { return *page.findChild<HeatMap*>(QStringLiteral("expert-base-map")); }
  TimeScrubber& scrubber() { return *page.findChild<TimeScrubber*>(); }
  AlarmsPanel& alarms() { return *page.findChild<AlarmsPanel*>(); }
  std::unique_ptr<StudioFixture> fixture;
  ExpertsPage page;
};
}  // namespace

class ExpertsPageTest : public QObject {
  Q_OBJECT

  static RunSpec spreadSpec(std::int64_t expert, std::int64_t data) {
    RunSpec spec = smallSpec("spread");
    spec.parallel.data = data;
    spec.parallel.expert = expert;
    spec.model.n_routed_experts = 16;
    for (CurriculumStage& stage : spec.curriculum) {
      stage.batch_sequences = data * spec.parallel.micro_batch_sequences;
    }
    return spec;
  }

 private Q_SLOTS:
  void placesHoldTheirExpertsTokens() {
    const ExpertsEvent loads = balancing(40, 3, 16);
    const auto places = withTokens(expertPlaces(spreadSpec(4, 8)), loads);
    QCOMPARE(places.size(), 4u);
    std::int64_t all = 0, counted = 0;
    for (std::size_t p = 0; p < places.size(); ++p) {
      QCOMPARE(places[p].experts.first, std::int64_t(4 * p));
      QCOMPARE(places[p].experts.count(), std::int64_t(4));
      QCOMPARE(places[p].ranks.size(), 2u);
      all += places[p].tokens;
    }
    for (const std::int64_t n : loads.counts) counted += n;
    QCOMPARE(all, counted);
    std::int64_t second = 0;
    for (int l = 0; l < 3; ++l) {
      for (int x = 4; x < 8; ++x) second += loads.counts[std::size_t(l * 16 + x)];
    }
    QCOMPARE(places[1].tokens, second);
    QVERIFY(fullestPlace(places) > 1);
    QCOMPARE(fullestPlace({{{0, 1}, {0}, 30}, {{1, 2}, {1}, 10}}), 1.5);
    QVERIFY(std::isnan(fullestPlace({{{0, 1}, {0}, 0}})));
    QVERIFY(expertPlaces(spreadSpec(1, 8)).empty());
    QVERIFY(expertPlaces(spreadSpec(3, 8)).empty());          // 3 does not divide 8
    QVERIFY(withTokens(places, balancing(0, 3, 8)).empty());  // of another model
    QVERIFY(withTokens({}, loads).empty());
    QCOMPARE(placeOfExpert(places, 0), 0);
    QCOMPARE(placeOfExpert(places, 7), 1);
    QCOMPARE(placeOfExpert(places, 15), 3);
    QCOMPARE(placeOfExpert(places, 16), -1);
    QCOMPARE(placeOfExpert(places, -1), -1);
  }

  void aRunWithSpreadExpertsShowsTheirPlaces() {
    auto home = std::make_unique<TemporaryHome>();
    WrittenRun run(home->runs().toStdString(), spreadSpec(4, 4));
    run.state(RunState::Running);
    for (std::int64_t s = 0; s < 41; ++s) {
      StepEvent e = stepEvent(s, 5);
      e.exchange_bytes = 3.5e6;
      e.ranks_per_token = 1.75;
      e.rank_tokens = {10, 20, 30, 40};
      run.log->append(e);
      if (s % 10 == 0) run.log->append(balancing(s, 3, 16));
    }
    run.state(RunState::Finished);
    run.log->sync();
    Shown s(std::move(home), run.id());
    auto* panel = s.page.findChild<PlacementPanel*>();
    QVERIFY(waitUntil([&] { return panel->isVisible(); }));
    QVERIFY(labelWith(panel, "4 ranks share the experts; each holds 4"));
    QVERIFY(labelWith(panel, "3.50"));
    QVERIFY(labelWith(panel, "A token reached 1.75 of 4 ranks"));
    QVERIFY(click(&panel->bars(), QPoint(panel->bars().width() / 2 + 30, 60)));
    QCOMPARE(s.map().column(), 8);  // the first expert of the third place
    QCOMPARE(panel->bars().current(), 2);
    // The place of the shown expert is marked however it is chosen, and when the step changes.
    s.map().setFocus();
    for (int i = 0; i < 5; ++i) QTest::keyClick(&s.map(), Qt::Key_Right);
    QCOMPARE(s.map().column(), 13);
    QCOMPARE(panel->bars().current(), 3);
    s.page.open({QStringLiteral("experts"), run.id(), {{"step", "20"}}});
    QVERIFY(waitUntil([&] { return s.page.shownStep() == 20; }));
    QCOMPARE(panel->bars().current(), 3);
    picture(s.page, "experts-placement-light");
    theme::apply(*qApp, theme::Scheme::Dark);
    picture(s.page, "experts-placement-dark");
    theme::apply(*qApp, theme::Scheme::Light);
  }

  void aRunWithoutShowsNoPlaces() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "whole", 21);
    Shown s(std::move(home), run.id());
    QVERIFY(!s.page.findChild<PlacementPanel*>()->isVisible());
  }

  /// A click goes to the point, not a page towards it.
  void aClickOnTheScrubberGoesToThePoint() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "scrubbed", 1001);
    Shown s(std::move(home), run.id());
    auto* slider = s.scrubber().findChild<QSlider*>();
    QVERIFY(waitUntil([&] { return slider->maximum() == 100; }));
    for (const double share : {0.25, 0.75, 0.5}) {
      const int x = static_cast<int>(share * slider->width());
      QVERIFY(click(slider, QPoint(x, slider->height() / 2)));
      QVERIFY2(std::abs(slider->value() - 100 * share) <= 3,
               qPrintable(QString::number(slider->value())));
      QVERIFY(waitUntil([&] { return s.page.shownStep() == 10 * slider->value(); }));
    }
  }

  /// As wide as German leaves it beside the inspector in a window of 1024 x 700.
  void aNarrowPageCutsNothing() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "narrow", 1001);
    Shown s(std::move(home), run.id(), {620, 600});
    s.page.setComparing(true);
    QVERIFY(waitUntil([&] { return s.page.baseStep() >= 0; }));
    QVERIFY(waitUntil([&] { return s.map().columns() > 0; }));
    s.page.resize(620, 600);  // less than it had asked for until it was narrow
    QCOMPARE(s.page.width(), 620);
    for (const QAbstractButton* button : s.page.findChildren<QAbstractButton*>()) {
      if (!button->isVisible()) continue;
      QVERIFY2(button->width() >= button->minimumSizeHint().width(), qPrintable(button->text()));
      QVERIFY2(s.page.rect().contains(QRect(button->mapTo(&s.page, QPoint()), button->size())),
               qPrintable(button->text()));
    }
    const auto cells = [&] {
      return s.map().cellRect(0, s.map().columns() - 1).right() - s.map().cellRect(0, 0).left();
    };
    QVERIFY2(cells() >= 100, qPrintable(QString::number(cells())));
    auto* alarms = s.page.findChild<AlarmsPanel*>();
    const auto at = [&](const QWidget* one) { return one->mapTo(&s.page, QPoint()); };
    QVERIFY(at(alarms).y() > at(&s.map()).y() + s.map().height());
    picture(s.page, "experts-narrow");
    s.page.resize(1200, 700);
    QVERIFY(waitUntil([&] { return at(alarms).x() > at(&s.map()).x() + s.map().width(); }));
  }

  void aHistogramCountsEveryExpert() {
    const Histogram h = histogramOf({0, 0.5f, 0.99f, 1, 1.49f, 4, std::nanf("")}, 8);
    QCOMPARE(h.width, 0.5);  // fair, 1, lies on an edge
    QCOMPARE(h.bins, (std::vector<std::int64_t>{1, 2, 2, 0, 0, 0, 0, 0, 1}));
    QCOMPARE(h.left, 1);
    QCOMPARE(histogramOf({100, 300}, 16).width, 19.0);
    QCOMPARE(histogramOf({}, 16).bins.size(), 1u);
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "counted", 101);
    Shown s(std::move(home), run.id());
    std::unique_ptr<QWidget> inspector(s.page.inspector());
    inspector->setParent(nullptr);
    QVERIFY(show(*inspector, QSize(300, 640)));
    auto* histogram = inspector->findChild<LoadHistogram*>();
    QVERIFY(histogram);
    std::int64_t counted = 0;
    for (const std::int64_t n : histogram->all().bins) counted += n;
    QCOMPARE(counted, 3 * 16);
    picture(*inspector, QStringLiteral("experts-inspector"));
    inspector->setParent(&s.page);
    inspector.release();
  }

  void ratiosAndMaxVioFollowTheirDefinitions() {
    const ExpertsFrame f = frameOf(2, 4, {10, 20, 30, 40, 0, 0, 0, 0});
    QCOMPARE(useRatio(*f, 0, 3), 1.6);
    QVERIFY(std::isnan(useRatio(*f, 1, 0)));  // no token at all: no ratio
    QCOMPARE(double(maxVioOf(*f)[0]), double(float(0.6)));
    QVERIFY(std::isnan(maxVioOf(*f)[1]));
    const auto change =
        expertValues(ExpertMode::Change, *frameOf(1, 2, {30, 10}), frameOf(1, 2, {10, 30}).get());
    QCOMPARE(change[0], 1.0f);
    QCOMPARE(change[1], -1.0f);
    for (const float v : expertValues(ExpertMode::Change, *f, frameOf(1, 2, {1, 1}).get())) {
      QVERIFY(std::isnan(v));
    }
  }

  void deadMeansNoTokenInAllOfTheWindow() {
    const auto a = frameOf(1, 3, {0, 5, 0}), b = frameOf(1, 3, {0, 5, 1});
    QCOMPARE(deadExperts({a, b}).size(), std::size_t(1));
    QCOMPARE(deadExperts({a, b})[0].expert, 0);
    QCOMPARE(deadExperts({a}).size(), std::size_t(2));
    QVERIFY(deadExperts({a, nullptr}).empty());
    const auto hot = hotExperts(*frameOf(1, 4, {100, 10, 10, 40}), 0.9);
    QCOMPARE(hot.size(), std::size_t(2));
    QCOMPARE(hot[0].expert, 0);  // the hottest first
  }

  void fairIsTheMiddleOfTheColours() {
    const auto f = frameOf(1, 4, {10, 10, 10, 10});
    const auto ratio = expertScale(ExpertMode::UseRatio, {1, 1, 1, 1}, *f);
    QCOMPARE(ratio.position(1), 0.5);
    const auto load = expertScale(ExpertMode::Load, {10, 10, 10, 10}, *f);
    QCOMPARE(load.position(10), 0.5);
    const auto bias = expertScale(ExpertMode::Bias, {-0.2f, 0.1f}, *f);
    QCOMPARE(bias.position(0), 0.5);
    QCOMPARE(bias.position(-0.2f), 0.0);
  }

  void withoutARunAndForADenseModelItExplains() {
    {
      auto fixture = makeStudio();
      ExpertsPage page(*fixture->studio);
      QVERIFY(show(page));
      QVERIFY(labelWith(&page, QStringLiteral("Pick a run")));
      QVERIFY(click(button(&page, QStringLiteral("Choose a run"))));
      QCOMPARE(fixture->navigator.opened.back().page, QStringLiteral("runs"));
    }
    auto home = std::make_unique<TemporaryHome>();
    RunSpec spec = smallSpec("dense");
    spec.model.n_routed_experts = 0;
    const RunFolder folder = RunFolder::create(home->runs().toStdString(), spec);
    EventWriter log(folder.events_path());
    log.append(stepEvent(0, 5));
    log.sync();
    auto fixture = makeStudio(std::move(home));
    ExpertsPage page(*fixture->studio);
    QVERIFY(show(page));
    QVERIFY(waitUntil([&] { return fixture->runs->loaded(); }));
    page.open({QStringLiteral("experts"), QString::fromStdString(folder.id()), {}});
    QTRY_VERIFY(labelWith(&page, QStringLiteral("This model is dense")));
    picture(page, QStringLiteral("experts-dense"));
    page.hide();
  }

  void theStepShownIsTheStepLogged() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "balancing", 100);
    Shown s(std::move(home), run.id());
    QCOMPARE(s.page.shownStep(), std::int64_t(90));  // the newest logged
    QCOMPARE(s.scrubber().count(), 10);
    s.fixture->selection->setStep(47);
    QTRY_COMPARE(s.page.shownStep(), std::int64_t(40));
    const ExpertsEvent logged = balancing(40, 3, 16);
    s.map().setCell(2, 7);
    const QString count = QString::number(logged.counts[std::size_t(2 * 16 + 7)]);
    QVERIFY2(s.map().readout().contains(count), qPrintable(s.map().readout()));
    QVERIFY(s.map().readout().contains(QStringLiteral("expert 7")));
    // By the slider, and others follow once it rests.
    s.scrubber().slider()->setFocus();
    QTest::keyClick(s.scrubber().slider(), Qt::Key_Right);
    QTRY_COMPARE(s.page.shownStep(), std::int64_t(50));
    QTRY_COMPARE(s.fixture->selection->step(), std::int64_t(50));
  }

  void scrubbingNeverStalls() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "large", 600, 58, 256);
    Shown s(std::move(home), run.id());
    QCOMPARE(s.scrubber().count(), 60);
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 60; i += 3) {
        s.scrubber().slider()->setValue(i);
        QTest::qWait(5);
      }
    }
    s.scrubber().slider()->setValue(31);
    QTRY_COMPARE(s.page.shownStep(), std::int64_t(310));
    // The stall watchdog of the application judges.
  }

  void playingRunsThroughTheSteps() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "balancing", 60);
    Shown s(std::move(home), run.id());
    QVERIFY(click(s.scrubber().playButton()));
    QVERIFY(s.scrubber().playing());
    QTRY_VERIFY(!s.scrubber().playing());
    QTRY_COMPARE(s.page.shownStep(), std::int64_t(50));
  }

  void deadAndHotExpertsAreListed() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "balancing", 150);
    Shown s(std::move(home), run.id());
    QTRY_COMPARE(s.alarms().deadList()->count(), 1);
    QVERIFY(s.alarms().deadList()->item(0)->text().contains(QStringLiteral("expert 3")));
    QCOMPARE(s.alarms().hotList()->count(), 1);
    QVERIFY(s.alarms().hotList()->item(0)->text().contains(QStringLiteral("expert 5")));
    const QRect row = s.alarms().deadList()->visualItemRect(s.alarms().deadList()->item(0));
    QVERIFY(click(s.alarms().deadList()->viewport(), row.center()));
    QCOMPARE(s.map().row(), 1);
    QCOMPARE(s.map().column(), 3);
    QVERIFY(s.map().readout().contains(QStringLiteral("dead")));
    // At step 50 it has been silent for three logged steps only.
    s.fixture->selection->setStep(50);
    QTRY_COMPARE(s.page.shownStep(), std::int64_t(50));
    QTRY_COMPARE(s.alarms().deadList()->count(), 0);
  }

  void modesAndChange() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "balancing", 100);
    Shown s(std::move(home), run.id());
    QVERIFY(click(button(&s.page, QStringLiteral("Load"))));
    QCOMPARE(s.page.mode(), ExpertMode::Load);
    QVERIFY(!s.map().scale().diverging);
    QVERIFY(click(button(&s.page, QStringLiteral("Bias"))));
    QVERIFY(s.map().scale().diverging);
    QVERIFY(click(button(&s.page, QStringLiteral("Change since"))));
    QTRY_COMPARE(s.page.baseStep(), std::int64_t(0));
    QTRY_VERIFY(s.map().readout().contains(QStringLiteral("since step 0")));
    const double before = useRatio(balancing(0, 3, 16), 2, 4);
    const double now = useRatio(balancing(90, 3, 16), 2, 4);
    s.map().setCell(2, 4);
    const QString wanted = QString::number(std::abs(now - before), 'g', 3).left(4);
    QVERIFY2(s.map().readout().contains(wanted),
             qPrintable(s.map().readout() + QLatin1Char(' ') + wanted));
  }

  void twoStepsAndTwoRunsAreComparedSideBySide() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "balancing", 100);
    const WrittenRun other = expertRun(*home, "other", 80);
    const WrittenRun wide = expertRun(*home, "wide", 20, 3, 32);
    Shown s(std::move(home), run.id());
    QVERIFY(click(s.page.findChild<QCheckBox*>()));
    QTRY_VERIFY(s.baseMap().isVisible());
    QTRY_COMPARE(s.baseMap().columns(), 16);
    s.page.open(
        {QStringLiteral("experts"), run.id(), {{QStringLiteral("base"), QStringLiteral("20")}}});
    QTRY_COMPARE(s.page.baseStep(), std::int64_t(20));
    s.baseMap().setCell(1, 2);
    QCOMPARE(s.map().column(), 2);  // the same cell in both
    const ExpertsEvent logged = balancing(20, 3, 16);
    QTRY_VERIFY(s.baseMap().readout().contains(QString::number(logged.counts[16 + 2])));
    s.page.grab();
    picture(s.page, QStringLiteral("experts-compare"));
    // Another run, at the step shown or the last it has.
    s.page.open(
        {QStringLiteral("experts"),
         run.id(),
         {{QStringLiteral("base"), QStringLiteral("-1")}, {QStringLiteral("with"), other.id()}}});
    QTRY_COMPARE(s.page.baseStep(), std::int64_t(70));
    s.page.open(
        {QStringLiteral("experts"),
         run.id(),
         {{QStringLiteral("base"), QStringLiteral("-1")}, {QStringLiteral("with"), wide.id()}}});
    QTRY_VERIFY(labelWith(&s.page, QStringLiteral("no change can be computed")));
    QTRY_COMPARE(s.baseMap().columns(), 32);
  }

  void biasesFanOutAndTheirUpdatesHaveSigns() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "balancing", 100);
    Shown s(std::move(home), run.id());
    auto* fan = s.page.findChild<FanPlot*>();
    QVERIFY(fan);
    QTRY_VERIFY(std::isfinite(fan->updateSign(1, 0)));
    // Layer 0: the bias of expert 1 falls by sin(1.7) of each update, that of expert 3 rises.
    QVERIFY(std::abs(fan->updateSign(1, 1) + std::sin(1.7)) < 1e-3);
    QVERIFY(fan->updateSign(1, 3) > 0.5);
    QVERIFY(std::isnan(fan->updateSign(0, 1)));
  }

  void theTableHoldsEveryExpert() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "balancing", 50);
    Shown s(std::move(home), run.id());
    QVERIFY(click(button(&s.page, QStringLiteral("Show as table"))));
    auto* dialog = s.page.findChild<ExpertTableDialog*>();
    QVERIFY(dialog);
    QCOMPARE(dialog->table()->model()->rowCount(), 48);
    ExpertTableModel model;
    QAbstractItemModelTester tester(&model);
    auto frame = std::make_shared<ExpertsEvent>(balancing(40, 3, 16));
    model.setFrame(frame, nullptr, {QStringLiteral("a"), QStringLiteral("b"), QStringLiteral("c")},
                   {});
    QCOMPARE(model.index(17, ExpertTableModel::Layer).data().toString(), QStringLiteral("b"));
    QCOMPARE(model.index(17, ExpertTableModel::Expert).data().toString(), QStringLiteral("1"));
    QCOMPARE(model.index(5, ExpertTableModel::Load).data(Qt::UserRole).toDouble(), 2048.0);
    dialog->close();
  }

  void placesAreLinks() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = expertRun(*home, "balancing", 100);
    Shown s(std::move(home), run.id());
    s.page.open(
        Location::fromText(QStringLiteral("run/%1?view=experts&step=33&mode=bias").arg(run.id())));
    QTRY_COMPARE(s.page.shownStep(), std::int64_t(30));
    QCOMPARE(s.page.mode(), ExpertMode::Bias);
    const Location at = s.page.location();
    QCOMPARE(at.arguments.value(QStringLiteral("step")), QStringLiteral("30"));
    QCOMPARE(at.arguments.value(QStringLiteral("mode")), QStringLiteral("bias"));
  }

  void looks() {
    if (!qEnvironmentVariableIsSet("TESSERA_PICTURES")) return;
    WatchPause pause;
    for (const auto scheme : {theme::Scheme::Light, theme::Scheme::Dark}) {
      theme::apply(application(), scheme);
      const QString suffix = theme::isDark() ? QStringLiteral("-dark") : QStringLiteral("-light");
      auto home = std::make_unique<TemporaryHome>();
      const WrittenRun small = expertRun(*home, "balancing", 200);
      const WrittenRun large = expertRun(*home, "v3", 300, 58, 256);
      Shown s(std::move(home), small.id());
      QTest::qWait(500);
      s.map().setCell(1, 4);
      for (const auto& [mode, name] :
           {std::pair{ExpertMode::Load, "load"}, std::pair{ExpertMode::UseRatio, "ratio"},
            std::pair{ExpertMode::Bias, "bias"}, std::pair{ExpertMode::Change, "change"}}) {
        s.page.setMode(mode);
        QTest::qWait(300);
        picture(s.page, QStringLiteral("experts-%1").arg(QLatin1String(name)) + suffix);
      }
      s.page.setMode(ExpertMode::UseRatio);
      s.page.open({QStringLiteral("experts"),
                   large.id(),
                   {{QStringLiteral("step"), QStringLiteral("40")}}});
      s.page.resize(1700, 950);
      QTest::qWait(1500);
      s.map().setCell(20, 100);
      QTest::qWait(500);
      picture(s.page, QStringLiteral("experts-large") + suffix);
      s.page.setComparing(true);
      s.page.resize(1024, 700);
      QTest::qWait(500);
      picture(s.page, QStringLiteral("experts-large-compare") + suffix);
    }
    theme::apply(application(), theme::Scheme::Light);
  }
};

}  // namespace tessera::ui::test

using tessera::ui::test::ExpertsPageTest;
TESSERA_UI_MAIN(ExpertsPageTest)
#include "experts_page_test.moc"
