// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_curriculum
// Scales: 1 1.5 2
// The curriculum editor: curves are the trainer's schedule, edges are dragged, fields are typed,
// and all of it is the one draft.
#include "ui/pages/curriculum/curriculum_page.h"

#include <QLineEdit>
#include <QPushButton>
#include <QTableWidget>
#include <QToolButton>
#include <QUndoStack>

#include "core/spec/curriculum.h"
#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/pages/curriculum/curriculum_view.h"
#include "ui/pages/curriculum/stage_axis.h"
#include "ui/theme/theme.h"

namespace tessera::ui {

using namespace test;

class CurriculumPageTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    m_studio = makeStudio();
    m_page = std::make_unique<CurriculumPage>(*m_studio->studio);
    QVERIFY(test::show(*m_page, QSize(1000, 720)));
  }
  void cleanup() {
    m_page.reset();
    m_studio.reset();
  }

  void axisShowsEveryStageAndGoesBothWays();
  void lengthsAreRoundAsPeopleWriteThem();
  void isEmptyWithoutASpec();
  void showsTheSchedule();
  void dragsAnEdge();
  void typesALength();
  void addsDuplicatesMovesAndRemovesStages();
  void changesTheRate();
  void choosesAStageByMouseAndKeyboard();
  void staysUsableWithABrokenCurriculum();
  void showsATable();
  void pictures();

 private:
  DraftSpec& draft() { return DraftSpec::of(*m_studio->preferences); }
  CurriculumView* view() { return m_page->findChild<CurriculumView*>(); }
  bool load(const QString& preset) {
    draft().loadPreset(preset);
    return waitUntil(
        [&] { return draft().loaded() && draft().settled() && draft().origin().name == preset; });
  }
  void drag(const QPoint& from, const QPoint& to) { QVERIFY(test::drag(view(), from, to)); }
  bool settled() {
    return waitUntil([&] { return draft().settled(); });
  }

  std::unique_ptr<StudioFixture> m_studio;
  std::unique_ptr<CurriculumPage> m_page;
};

void CurriculumPageTest::axisShowsEveryStageAndGoesBothWays() {
  const StageAxis axis({10'000'000, 1000, 5'000'000, 1}, 1000, 60);
  QVERIFY(axis.distorted());
  QCOMPARE(axis.stages(), 4);
  QCOMPARE(axis.edge(4), 1000.0);
  for (int i = 0; i < 4; ++i) QVERIFY(axis.edge(i + 1) - axis.edge(i) >= 60 - 1e-9);
  for (const std::int64_t tokens : {0, 1, 9'999'999, 10'000'500, 12'000'000, 15'001'000}) {
    const double x = axis.x(tokens);
    QVERIFY(std::abs(static_cast<double>(axis.tokensAt(x) - tokens)) <=
            axis.tokensPerPixel(std::max(0, axis.stageAt(x))) + 1);
  }
  QVERIFY(!StageAxis({3, 4}, 700, 60).distorted());
  // More stages than there is room for: all of the same width.
  const StageAxis narrow(std::vector<std::int64_t>(100, 5), 500, 60);
  QVERIFY(std::abs(narrow.edge(100) - 500) < 1e-6);
  QVERIFY(std::abs(narrow.edge(1) - 5) < 1e-6);
}

void CurriculumPageTest::lengthsAreRoundAsPeopleWriteThem() {
  QCOMPARE(roundedLength(853.4, 1), std::int64_t{853});
  QCOMPARE(roundedLength(853.4, 7), std::int64_t{850});
  QCOMPARE(roundedLength(9'876'543'210, 3e8), std::int64_t{10'000'000'000});
  QCOMPARE(roundedLength(-5, 10), std::int64_t{1});
}

void CurriculumPageTest::isEmptyWithoutASpec() {
  QVERIFY(!view()->isVisible());
  QAbstractButton* begin = button(m_page.get(), QStringLiteral("Begin with the demo"));
  QVERIFY(begin);
  QVERIFY(click(begin));
  QVERIFY(waitUntil([&] { return view()->isVisible(); }));
}

void CurriculumPageTest::showsTheSchedule() {
  QVERIFY(load(QStringLiteral("v3")));
  QVERIFY(view()->curriculum());
  const Curriculum curriculum(draft().spec());
  QCOMPARE(view()->curriculum()->total_tokens(), curriculum.total_tokens());
  QVERIFY(labelWith(m_page.get(), QStringLiteral("6 stages")));
  QSignalSpy said(view(), &CurriculumView::readout);
  // NOTE: through the window: moving the cursor ends at the edge of a small screen.
  QWidget* window = view()->window();
  QTest::mouseMove(window->windowHandle(), view()->mapTo(window, view()->middleOf(1)));
  QVERIFY(waitUntil([&] { return !said.isEmpty(); }));
  const QString text = said.back().at(0).toString();
  QVERIFY2(text.startsWith(QStringLiteral("cosine: step ")), qPrintable(text));
}

void CurriculumPageTest::dragsAnEdge() {
  QVERIFY(load(QStringLiteral("length-extension-demo")));
  const std::int64_t before = draft().spec().curriculum[0].steps;
  const QPoint edge = view()->edgeAfter(0);
  drag(edge, edge + QPoint(80, 0));
  QVERIFY(draft().spec().curriculum[0].steps > before);
  QCOMPARE(draft().spec().curriculum[1].steps, 100);
  QVERIFY(settled());
  QVERIFY(draft().readable());
  draft().undoStack().undo();
  QCOMPARE(draft().spec().curriculum[0].steps, before);
  // Far to the left: a stage keeps a length.
  drag(view()->edgeAfter(0), QPoint(2, 10));
  QVERIFY(draft().spec().curriculum[0].steps >= 1);
  QVERIFY(draft().spec().curriculum[0].steps < before);
}

void CurriculumPageTest::typesALength() {
  QVERIFY(load(QStringLiteral("demo")));
  auto* steps = m_page->findChild<QLineEdit*>(QStringLiteral("curriculum[0].steps"));
  QVERIFY(steps);
  QVERIFY(waitUntil([&] { return steps->isVisible(); }));
  QVERIFY(typeInto(steps, QStringLiteral("1000")));
  QVERIFY(waitUntil([&] { return draft().spec().curriculum[0].steps == 1000; }));
  QVERIFY(labelWith(m_page.get(), QStringLiteral("1 stage, 1")));
  QCOMPARE(view()->curriculum()->total_steps(), 1000);
}

void CurriculumPageTest::addsDuplicatesMovesAndRemovesStages() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(click(button(m_page.get(), QStringLiteral("Add a stage"))));
  QVERIFY(settled());
  QCOMPARE(draft().spec().curriculum.size(), std::size_t{2});
  QCOMPARE(view()->selected(), 1);
  QCOMPARE(draft().spec().curriculum[1].learning_rate[0].to, 2e-4);  // goes on with the last rate
  QVERIFY(draft().ok());
  QVERIFY(click(button(m_page.get(), QStringLiteral("Duplicate the stage"))));
  QVERIFY(settled());
  QCOMPARE(draft().spec().curriculum.size(), std::size_t{3});
  QVERIFY(click(button(m_page.get(), QStringLiteral("Move earlier"))));
  QVERIFY(settled());
  QCOMPARE(view()->selected(), 1);
  QVERIFY(click(button(m_page.get(), QStringLiteral("Remove the stage"))));
  QVERIFY(settled());
  QCOMPARE(draft().spec().curriculum.size(), std::size_t{2});
  QVERIFY(draft().readable());
  while (draft().undoStack().canUndo()) draft().undoStack().undo();
  QVERIFY(settled());
  QCOMPARE(draft().spec().curriculum.size(), std::size_t{1});
  QVERIFY(!button(m_page.get(), QStringLiteral("Remove the stage"))->isEnabled());
}

void CurriculumPageTest::changesTheRate() {
  QVERIFY(load(QStringLiteral("demo")));
  QLineEdit* to = nullptr;
  for (QLineEdit* line : m_page->findChildren<QLineEdit*>()) {
    if (line->accessibleName() == QStringLiteral("Rate at the end of piece 1")) to = line;
  }
  QVERIFY(to);
  QVERIFY(waitUntil([&] { return to->isVisible(); }));
  QTest::qWait(50);  // rows below the fold find their places
  QVERIFY(typeInto(to, QStringLiteral("0.002")));
  QTest::keyClick(to, Qt::Key_Return);
  QVERIFY(waitUntil([&] { return draft().spec().curriculum[0].learning_rate[0].to == 0.002; }));
  QCOMPARE(view()->curriculum()->at_step(49).learning_rate, 0.002);
}

void CurriculumPageTest::choosesAStageByMouseAndKeyboard() {
  QVERIFY(load(QStringLiteral("v3")));
  QVERIFY(click(view(), view()->middleOf(2)));
  QCOMPARE(view()->selected(), 2);
  QVERIFY(labelWith(m_page.get(), QStringLiteral("Stage 3 of 6: tail")));
  QTest::keyClick(view(), Qt::Key_Right);
  QCOMPARE(view()->selected(), 3);
  const std::int64_t before = draft().spec().curriculum[3].tokens;
  QTest::keyClick(view(), Qt::Key_Right, Qt::ControlModifier);
  QVERIFY(draft().spec().curriculum[3].tokens > before);
}

void CurriculumPageTest::staysUsableWithABrokenCurriculum() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(!draft().setValue("curriculum[0].steps", spec::Value(std::int64_t{0})));
  QVERIFY(settled());
  QVERIFY(waitUntil(
      [&] { return labelWith(m_page.get(), QStringLiteral("is 0, as is tokens")) != nullptr; }));
  QVERIFY(view()->isVisible());
  QVERIFY(!draft().setValue("curriculum[0].steps", spec::Value(std::int64_t{10})));
  QVERIFY(settled());
  QCOMPARE(view()->curriculum()->total_steps(), 10);
}

void CurriculumPageTest::showsATable() {
  QVERIFY(load(QStringLiteral("v3")));
  QVERIFY(click(button(m_page.get(), QStringLiteral("Show as table"))));
  auto* table = m_page->findChild<QTableWidget*>();
  QVERIFY(table->isVisible());
  QCOMPARE(table->rowCount(), 6);
  QCOMPARE(table->item(5, 0)->text(), QStringLiteral("128K"));
}

void CurriculumPageTest::pictures() {
  if (qEnvironmentVariableIsEmpty("TESSERA_PICTURES")) return;
  const WatchPause pause;
  for (const auto& [name, scheme] :
       {std::pair("light", theme::Scheme::Light), std::pair("dark", theme::Scheme::Dark)}) {
    theme::apply(application(), scheme);
    for (const QSize size : {QSize(936, 640), QSize(1820, 960)}) {
      m_page->resize(size);
      const QString tail = QStringLiteral("-%1-%2").arg(size.width()).arg(QLatin1String(name));
      for (const char* preset : {"demo", "length-extension-demo", "v3"}) {
        QVERIFY(load(QString::fromLatin1(preset)));
        QTest::qWait(50);
        picture(*m_page, QStringLiteral("curriculum-") + QLatin1String(preset) + tail);
      }
    }
  }
}

}  // namespace tessera::ui

TESSERA_UI_MAIN(tessera::ui::CurriculumPageTest)
#include "curriculum_page_test.moc"
