// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_configure
// Scales: 1 1.5 2
// Configure as a person uses it: form and text side by side, problems with their fixes.
#include "ui/pages/configure/configure_page.h"

#include <signal.h>

#include <QClipboard>
#include <QComboBox>
#include <QFile>
#include <QFileInfo>
#include <QGuiApplication>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QLocale>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTableWidget>
#include <QToolButton>
#include <QUndoStack>
#include <utility>

#include "core/plan/plan.h"
#include "core/run/run_folder.h"
#include "core/spec/spec_table.h"
#include "tests/build_paths.h"
#include "tests/ui/configure_scene.h"
#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/draft/draft_shelf.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/configure/bar_list.h"
#include "ui/pages/configure/data_dialog.h"
#include "ui/pages/configure/layout_view.h"
#include "ui/pages/configure/plan_pane.h"
#include "ui/pages/configure/rank_map.h"
#include "ui/pages/configure/spec_form.h"
#include "ui/pages/configure/spec_text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/spec/field_editor.h"
#include "ui/widgets/spec/field_row.h"
#include "ui/widgets/spec/rate_editor.h"

namespace tessera::ui {

using namespace test;

class ConfigurePageTest : public QObject, protected ConfigureScene {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { findProgram(); }
  void init() { setUp(); }
  void cleanup() { tearDown(); }

  void beginsWithOneSentenceAndOneButton();
  void reachesEveryKey();
  void formChangesTextAndBack();
  void choosesWhatIsMadeAgain();
  void choosesRanksThatFit();
  void textChangesForm();
  void keepsTheCursorOfTheText();
  void undoesChangesOfBothSides();
  void resetsAFieldToThePreset();
  void showsProblemsBesideTheirFieldAndFixesThem();
  void fixesLeaveTheWishAlone();
  void keepsWhatItRefuses();
  void keepsARateThatIsNoNumber();
  void anotherPresetCanBeUndone();
  void marksAChangedRate();
  void aRateFitsASmallWindow();
  void undoesFromAnyField();
  void showsNoDefaultsForABrokenSpec();
  void tellsOfThePlansErrors();
  void takesADroppedText();
  void looksAtDataBeforeTraining();
  void explainsInGerman();
  void refusesValuesInTheCheckersWords();
  void survivesTextThatIsNoToml();
  void renamesASlip();
  void findsSettings();
  void addsAndRemovesSources();
  void pictures();
};

void ConfigurePageTest::beginsWithOneSentenceAndOneButton() {
  QAbstractButton* begin = button(m_page.get(), QStringLiteral("Begin with the demo"));
  QVERIFY(begin);
  QVERIFY(!button(m_page.get(), QStringLiteral("Launch"))->isEnabled());
  QVERIFY(!button(m_page.get(), QStringLiteral("Save as spec"))->isEnabled());
  QVERIFY(click(begin));
  QVERIFY(waitUntil([&] { return draft().loaded(); }));
  QVERIFY(planned());
  QCOMPARE(status(), QStringLiteral("Ready to launch"));
}

void ConfigurePageTest::reachesEveryKey() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(click(button(m_page.get(), QStringLiteral("All"))));
  std::set<std::string> reached;
  for (const FormSection& section_ : formSections()) {
    QVERIFY2(section(QString::fromLatin1(section_.title)), section_.title);
    for (const std::string& path : form()->paths()) reached.insert(path);
  }
  for (const spec::Entry& entry : spec::flatten(draft().spec())) {
    std::string path = entry.path;
    if (const auto at = path.find(".learning_rate["); at != path.npos) {
      path = path.substr(0, at + std::string(".learning_rate").size());
    }
    QVERIFY2(reached.count(path), entry.path.c_str());
  }
}

void ConfigurePageTest::formChangesTextAndBack() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Model")));
  auto* hidden = field<QLineEdit>("model.hidden_size");
  QVERIFY(hidden);
  QCOMPARE(hidden->text(), QStringLiteral("128"));
  QVERIFY(typeInto(hidden, QStringLiteral("192")));
  QVERIFY(waitUntil([&] { return draft().spec().model.hidden_size == 192; }));
  QCOMPARE(text()->toPlainText(),
           QStringLiteral("preset = \"demo\"\n\n[model]\nhidden_size = 192\n"));
  QVERIFY(row("model.hidden_size")->findChild<DifferenceDot*>()->isOn());
  QVERIFY(waitUntil(
      [&] { return m_page->command().contains(QStringLiteral("--set model.hidden_size=192")); }));
}

/// A box for each word of parallel.recompute; the plan says what each saves and costs.
void ConfigurePageTest::choosesWhatIsMadeAgain() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(click(button(m_page.get(), QStringLiteral("All"))));
  QVERIFY(section(QStringLiteral("Parallelism")));
  BarList* saves = nullptr;
  for (BarList* list : m_page->findChildren<BarList*>()) {
    if (list->accessibleName() == QStringLiteral("What recomputation saves")) saves = list;
  }
  QVERIFY(saves);
  QCOMPARE(saves->rows().size(), std::size_t(4));
  QCOMPARE(saves->rows()[3].name, QStringLiteral("whole blocks"));
  QVERIFY(saves->rows()[3].share > 0);
  QAbstractButton* blocks = button(row("parallel.recompute"), QStringLiteral("blocks"));
  QAbstractButton* norms = button(row("parallel.recompute"), QStringLiteral("norms"));
  QVERIFY(blocks && norms && !blocks->isChecked());
  QVERIFY(click(blocks));
  QVERIFY(click(norms));
  const Recompute both{.norms = true, .blocks = true};
  QVERIFY(waitUntil([&] { return draft().spec().parallel.recompute == both; }));
  QVERIFY(text()->toPlainText().contains(QStringLiteral("recompute = [\"norms\", \"blocks\"]")));
  QVERIFY(planned());
  QVERIFY(
      waitUntil([&] { return saves->rows()[3].name == QStringLiteral("whole blocks, chosen"); }));
  QVERIFY(click(norms));
  QVERIFY(
      waitUntil([&] { return draft().spec().parallel.recompute == Recompute{.blocks = true}; }));
}

/// Numbers of ranks are buttons, those that do not fit say why; a cell for each rank tells what it
/// holds and sends.
void ConfigurePageTest::choosesRanksThatFit() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Parallelism")));
  LayoutView* view = nullptr;
  QVERIFY(waitUntil([&] { return (view = m_page->findChild<LayoutView*>()) != nullptr; }));
  const auto choice = [&](const char* name) {
    return view->findChild<QToolButton*>(QLatin1String(name));
  };
  const auto says = [&](const QString& words) {
    const auto labels = view->findChildren<QLabel*>();
    return std::any_of(labels.begin(), labels.end(), [&](const QLabel* label) {
      return label->isVisible() && label->text().contains(words);
    });
  };
  QVERIFY(says(QStringLiteral("One rank")));
  QVERIFY(!view->map()->isVisible());
  QVERIFY(choice("parallel.pipeline=1")->isChecked());
  QVERIFY(!choice("parallel.pipeline=64")->isEnabled());
  QVERIFY(choice("parallel.pipeline=64")->toolTip().contains(QStringLiteral("layers")));

  QVERIFY(click(choice("parallel.pipeline=2")));
  QVERIFY(waitUntil([&] { return draft().spec().parallel.pipeline == 2; }));
  QVERIFY(waitUntil([&] { return view->map()->isVisible(); }));
  QVERIFY(says(QStringLiteral("2 ranks")));
  QVERIFY(planned());
  QVERIFY(waitUntil([&] { return says(QStringLiteral("a step")); }));  // bytes of the plan
  QVERIFY(says(QStringLiteral("Rank 0 holds token table")));
  for (QWidget* w = view->map()->parentWidget(); w; w = w->parentWidget()) {
    if (auto* area = qobject_cast<QScrollArea*>(w)) area->ensureWidgetVisible(view->map(), 0, 0);
  }
  QTest::mouseClick(view->map(), Qt::LeftButton, {}, view->map()->placeOf(1));
  QVERIFY(says(QStringLiteral("Rank 1 holds layer")));
  QTest::keyClick(view->map(), Qt::Key_Left);
  QCOMPARE(view->map()->selected(), 0);
  QTest::keyClick(view->map(), Qt::Key_Down);  // there is none below
  QCOMPARE(view->map()->selected(), 0);
  QVERIFY(click(choice("parallel.pipeline=2")));  // chosen already
  QVERIFY(choice("parallel.pipeline=2")->isChecked());
  picture(*m_page, QStringLiteral("configure-ranks"));
  draft().undoStack().undo();
  QVERIFY(waitUntil([&] { return says(QStringLiteral("One rank")); }));
}

void ConfigurePageTest::textChangesForm() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Model")));
  QVERIFY(click(text()->viewport()));
  text()->moveCursor(QTextCursor::End);
  type(QStringLiteral("[model]\nnum_hidden_layers = 6\n"));
  QVERIFY(waitUntil([&] { return draft().spec().model.num_hidden_layers == 6; }));
  QVERIFY(waitUntil(
      [&] { return field<QLineEdit>("model.num_hidden_layers")->text() == QStringLiteral("6"); }));
}

void ConfigurePageTest::keepsTheCursorOfTheText() {
  QVERIFY(load(QStringLiteral("demo")));
  draft().writeOut();
  QVERIFY(planned());
  const QTextCursor place = text()->document()->find(QStringLiteral("weight_decay"));
  QVERIFY(!place.isNull());
  text()->setTextCursor(place);
  text()->centerCursor();
  const int scroll = text()->verticalScrollBar()->value();
  QVERIFY(!draft().setValue("model.hidden_size", spec::Value(std::int64_t{1024})));
  QVERIFY(planned());
  QCOMPARE(text()->textCursor().selectedText(), QStringLiteral("weight_decay"));
  QCOMPARE(text()->verticalScrollBar()->value(), scroll);
  QVERIFY(text()->toPlainText().contains(QStringLiteral("hidden_size = 1024")));
}

void ConfigurePageTest::undoesChangesOfBothSides() {
  QVERIFY(load(QStringLiteral("demo")));
  const QString before = text()->toPlainText();
  QVERIFY(section(QStringLiteral("Model")));
  QVERIFY(typeInto(field<QLineEdit>("model.hidden_size"), QStringLiteral("64")));
  QVERIFY(waitUntil([&] { return draft().spec().model.hidden_size == 64; }));
  QVERIFY(click(text()->viewport()));
  text()->moveCursor(QTextCursor::End);
  type(QStringLiteral("vocab_size = 5000"));
  QVERIFY(waitUntil([&] { return draft().spec().model.vocab_size == 5000; }));
  QTest::keyClick(text(), Qt::Key_Z, Qt::ControlModifier);
  QVERIFY(waitUntil([&] { return draft().spec().model.vocab_size == 4096; }));
  QCOMPARE(draft().spec().model.hidden_size, 64);
  QVERIFY(click(button(m_page.get(), QStringLiteral("Undo"))));
  QVERIFY(waitUntil([&] { return draft().spec().model.hidden_size == 128; }));
  QCOMPARE(text()->toPlainText(), before);
  QVERIFY(!draft().dirty());
  QVERIFY(click(button(m_page.get(), QStringLiteral("Redo"))));
  QVERIFY(waitUntil([&] { return draft().spec().model.hidden_size == 64; }));
}

void ConfigurePageTest::resetsAFieldToThePreset() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Model")));
  QVERIFY(!draft().setValue("model.hidden_size", spec::Value(std::int64_t{64})));
  auto* reset = row("model.hidden_size")->findChild<QToolButton*>();
  QVERIFY(waitUntil([&] { return reset->isVisible(); }));
  QVERIFY(click(reset));
  QVERIFY(waitUntil([&] { return draft().spec().model.hidden_size == 128; }));
  QVERIFY(!text()->toPlainText().contains(QStringLiteral("hidden_size")));
  QVERIFY(!reset->isVisible());
}

void ConfigurePageTest::showsProblemsBesideTheirFieldAndFixesThem() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Curriculum")));
  QVERIFY(typeInto(field<QLineEdit>("curriculum[0].batch_sequences"), QStringLiteral("9")));
  QVERIFY(waitUntil([&] { return draft().spec().curriculum[0].batch_sequences == 9; }));
  QVERIFY(planned());
  QVERIFY2(status().contains(QStringLiteral("problem")), qPrintable(status()));
  FieldRow* batch = row("curriculum[0].batch_sequences");
  QVERIFY(waitUntil([&] {
    return labelWith(batch, QStringLiteral("9 cannot be split into micro-batches")) != nullptr;
  }));
  QAbstractButton* launch = button(m_page.get(), QStringLiteral("Launch"));
  QVERIFY(!launch->isEnabled());
  QVERIFY(launch->toolTip().contains(QStringLiteral("problems")));
  QVERIFY(!text()->problemIn(draft().lineOf("curriculum[0].batch_sequences")).isEmpty());
  QAbstractButton* fix = button(batch, QStringLiteral("Fix"));
  if (!fix) fix = batch->findChild<ProblemLine*>()->findChild<QPushButton*>();
  QVERIFY(fix && fix->isVisible());
  QVERIFY(click(fix));
  // The batch is what was asked for: the micro-batch gives way.
  QVERIFY(waitUntil([&] { return draft().spec().parallel.micro_batch_sequences == 3; }));
  QCOMPARE(draft().spec().curriculum[0].batch_sequences, 9);
  QVERIFY(planned());
  QCOMPARE(status(), QStringLiteral("Ready to launch"));
  QVERIFY(launch->isEnabled());
}

/// The other way round: who sets the micro-batch keeps it.
void ConfigurePageTest::fixesLeaveTheWishAlone() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(!draft().setValue("parallel.micro_batch_sequences", spec::Value(std::int64_t{3})));
  QVERIFY(planned());
  auto* pane = m_page->findChild<PlanPane*>();
  QVERIFY(waitUntil([&] { return labelWith(pane, QStringLiteral("cannot be split")) != nullptr; }));
  QVERIFY(labelWith(pane, QStringLiteral("Set curriculum[0].")));
  QAbstractButton* fix =
      button(pane, QStringLiteral("Fix: Set curriculum[0].batch_sequences to 9"));
  QVERIFY(fix && click(fix));
  QVERIFY(waitUntil([&] { return draft().spec().curriculum[0].batch_sequences == 9; }));
  QCOMPARE(draft().spec().parallel.micro_batch_sequences, 3);
}

/// A value that is not taken is neither launched over nor lost with its row.
void ConfigurePageTest::keepsWhatItRefuses() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(click(button(m_page.get(), QStringLiteral("All"))));
  QVERIFY(section(QStringLiteral("Optimiser")));
  QAbstractButton* launch = button(m_page.get(), QStringLiteral("Launch"));
  QVERIFY(waitUntil([&] { return launch->isEnabled(); }));
  QVERIFY(typeInto(field<QLineEdit>("optimiser.weight_decay"), QStringLiteral("0,05")));
  QTest::keyClick(field<QLineEdit>("optimiser.weight_decay"), Qt::Key_Tab);
  QVERIFY(waitUntil([&] { return !launch->isEnabled(); }));
  QVERIFY(planned());
  QVERIFY(!launch->isEnabled());
  QCOMPARE(status(), QStringLiteral("1 problem"));
  FieldRow* decay = row("optimiser.weight_decay");
  QVERIFY(labelWith(decay, QStringLiteral("0,05 has a comma")));
  // The row has grown: nothing in it lies over anything else.
  QVERIFY(waitUntil([&] { return decay->height() >= decay->sizeHint().height(); }));
  const auto placed = [&](QWidget* widget) {
    return QRect(widget->mapTo(decay, QPoint()), widget->size());
  };
  QWidget* problem = decay->findChild<ProblemLine*>();
  QVERIFY(!placed(problem).intersects(placed(decay->editor())));
  QVERIFY(placed(problem).bottom() <= decay->height());
  QVERIFY(decay->editor()->height() >= theme::kRowHeight - 2);

  QVERIFY(section(QStringLiteral("Precision")));
  QVERIFY(!launch->isEnabled());
  QVERIFY(section(QStringLiteral("Optimiser")));
  QCOMPARE(field<QLineEdit>("optimiser.weight_decay")->text(), QStringLiteral("0,05"));
  QVERIFY(labelWith(row("optimiser.weight_decay"), QStringLiteral("has a comma")));
  auto* pane = m_page->findChild<PlanPane*>();
  QAbstractButton* fix = button(pane, QStringLiteral("Fix: Set optimiser.weight_decay to 0.05"));
  QVERIFY(fix && click(fix));
  QVERIFY(waitUntil([&] { return draft().spec().optimiser.weight_decay == 0.05; }));
  QVERIFY(planned());
  QVERIFY(waitUntil([&] { return launch->isEnabled(); }));
  QCOMPARE(field<QLineEdit>("optimiser.weight_decay")->text(), QStringLiteral("0.05"));

  // Undo and Reset give it up as well.
  QVERIFY(typeInto(field<QLineEdit>("optimiser.clip"), QStringLiteral("much")));
  QVERIFY(waitUntil([&] { return draft().refused().count("optimiser.clip") == 1; }));
  draft().reset("optimiser.clip");
  QVERIFY(draft().refused().empty());
  QVERIFY(waitUntil([&] { return launch->isEnabled(); }, 15000));
}

/// A rate that is no number stays where it was typed, and is told of.
void ConfigurePageTest::keepsARateThatIsNoNumber() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Curriculum")));
  QLineEdit* end = nullptr;
  for (QLineEdit* line : form()->findChildren<QLineEdit*>()) {
    if (line->accessibleName() == QStringLiteral("Rate at the end of piece 2")) end = line;
  }
  QVERIFY(end);
  const double before = draft().spec().curriculum[0].learning_rate[1].to;
  QVERIFY(typeInto(end, QStringLiteral("E-4")));
  QTest::keyClick(end, Qt::Key_Return);
  QCOMPARE(draft().refused().size(), std::size_t{1});
  QVERIFY(planned());
  QCOMPARE(end->text(), QStringLiteral("E-4"));
  QCOMPARE(draft().spec().curriculum[0].learning_rate[1].to, before);
  QCOMPARE(status(), QStringLiteral("1 problem"));
  QVERIFY(waitUntil([&] { return labelWith(form(), QStringLiteral("E-4 is no number")); }));
  QVERIFY(!button(m_page.get(), QStringLiteral("Launch"))->isEnabled());
  QVERIFY(typeInto(end, QStringLiteral("1E-4")));
  QTest::keyClick(end, Qt::Key_Return);
  QVERIFY(waitUntil([&] { return draft().spec().curriculum[0].learning_rate[1].to == 1e-4; }));
  QVERIFY(draft().refused().empty());
  QVERIFY(planned());
  QVERIFY(!labelWith(form(), QStringLiteral("no number")));
}

/// Another preset is one step of undo, and takes nothing with it.
void ConfigurePageTest::anotherPresetCanBeUndone() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(!draft().setValue("model.hidden_size", spec::Value(std::int64_t{96})));
  QVERIFY(planned());
  QVERIFY(load(QStringLiteral("small-20m")));
  QCOMPARE(draft().origin().name, QStringLiteral("small-20m"));
  QVERIFY(!draft().dirty());
  QVERIFY(click(button(m_page.get(), QStringLiteral("Undo"))));
  QVERIFY(waitUntil(
      [&] { return draft().origin().name == QStringLiteral("demo") && draft().settled(); }));
  QCOMPARE(draft().spec().model.hidden_size, 96);
  QCOMPARE(draft().differenceCount(), 1);
  QVERIFY(draft().dirty());
  QCOMPARE(m_page->findChild<QComboBox*>()->currentText(), QStringLiteral("demo"));
  QVERIFY(m_page->command().contains(QStringLiteral("demo --set model.hidden_size=96")));
  QVERIFY(click(button(m_page.get(), QStringLiteral("Redo"))));
  QVERIFY(waitUntil(
      [&] { return draft().origin().name == QStringLiteral("small-20m") && draft().settled(); }));
  QCOMPARE(draft().differenceCount(), 0);
}

/// A changed rate is marked as any other setting that differs from the preset.
void ConfigurePageTest::marksAChangedRate() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Curriculum")));
  const auto marks = [&] {
    int on = 0;
    for (DifferenceDot* dot : form()->findChildren<DifferenceDot*>()) on += dot->isOn();
    return on;
  };
  QCOMPARE(marks(), 0);
  QLineEdit* rate = nullptr;
  for (auto* line : form()->findChildren<QLineEdit*>()) {
    if (line->accessibleName() == QStringLiteral("Rate at the end of piece 1")) rate = line;
  }
  QVERIFY(rate && typeInto(rate, QStringLiteral("0.0015")));
  QTest::keyClick(rate, Qt::Key_Return);
  QVERIFY(waitUntil([&] { return draft().settled() && draft().differenceCount() == 1; }));
  QCOMPARE(marks(), 1);
  draft().undoStack().undo();
  QVERIFY(waitUntil([&] { return draft().settled() && draft().differenceCount() == 0; }));
  QCOMPARE(marks(), 0);
}

/// Beside the rail of a window of 1024 pixels a piece is seen whole, up to its button.
void ConfigurePageTest::aRateFitsASmallWindow() {
  QVERIFY(load(QStringLiteral("demo")));
  m_page->resize(1024 - theme::kRailWidth, 600);
  QVERIFY(section(QStringLiteral("Curriculum")));
  auto* remove = qobject_cast<QToolButton*>(button(m_page.get(), QStringLiteral("Remove piece 1")));
  QVERIFY(remove);
  auto* scroll = form()->findChild<QScrollArea*>();
  scroll->ensureWidgetVisible(remove);
  const int right = remove->mapTo(scroll->viewport(), QPoint(remove->width(), 0)).x();
  QVERIFY2(right <= scroll->viewport()->width(), qPrintable(QString::number(right)));
  QVERIFY(click(remove));
  QVERIFY(waitUntil(
      [&] { return draft().settled() && draft().spec().curriculum[0].learning_rate.size() == 1; }));
}

/// Ctrl+Z is the draft's, whichever field the focus has moved on to.
void ConfigurePageTest::undoesFromAnyField() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Model")));
  auto* hidden = field<QLineEdit>("model.hidden_size");
  QVERIFY(typeInto(hidden, QStringLiteral("64")));
  QTest::keyClick(hidden, Qt::Key_Tab);
  QVERIFY(waitUntil([&] { return draft().spec().model.hidden_size == 64; }));
  QWidget* next = QApplication::focusWidget();
  QVERIFY(next && next != hidden);
  QTest::keyClick(next, Qt::Key_Z, Qt::ControlModifier);
  QVERIFY(waitUntil([&] { return draft().spec().model.hidden_size == 128; }));
}

/// A file with a mistake shows no values, as none are known, and says the line.
void ConfigurePageTest::showsNoDefaultsForABrokenSpec() {
  const QString path = m_studio->home->home() + QStringLiteral("/broken.toml");
  QFile file(path);
  QVERIFY(file.open(QIODevice::WriteOnly));
  file.write("[run]\nname = \"mine\"\nseed = = 3\n");
  file.close();
  m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("spec"), path}}});
  QVERIFY(waitUntil([&] { return draft().loaded() && draft().settled(); }));
  QVERIFY(!draft().hasValues());
  QVERIFY(planned());
  QVERIFY(form()->paths().empty());
  QVERIFY(labelWith(form(), QStringLiteral("cannot be read")));
  auto* pane = m_page->findChild<PlanPane*>();
  QVERIFY(labelWith(pane, QStringLiteral("line 3: ")));
  QVERIFY(!labelWith(pane, QStringLiteral("Parameters")));
  QVERIFY(click(button(pane, QStringLiteral("Show"))));
  QCOMPARE(text()->textCursor().blockNumber(), 2);
  QVERIFY(m_page->command().isEmpty());
  QVERIFY(!m_studio->navigator.problems.empty());
  QVERIFY(
      m_studio->navigator.problems.begin()->second.text.contains(QStringLiteral("broken.toml")) ||
      m_studio->navigator.problems.begin()->second.text.contains(QStringLiteral("draft:3")));
  draft().setText(QStringLiteral("[run]\nname = \"mine\"\n"));
  QVERIFY(waitUntil([&] { return draft().hasValues(); }));
  QVERIFY(waitUntil([&] { return !form()->paths().empty(); }));
}

/// Errors of the plan are under Problems too, until they are mended.
void ConfigurePageTest::tellsOfThePlansErrors() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(!draft().setValue("curriculum[0].batch_sequences", spec::Value(std::int64_t{9})));
  QVERIFY(waitUntil([&] { return m_studio->navigator.problems.size() == 1; }, 15000));
  QVERIFY(m_studio->navigator.problems.begin()->second.text.contains(
      QStringLiteral("curriculum[0].batch_sequences")));
  draft().undoStack().undo();
  QVERIFY(waitUntil([&] { return m_studio->navigator.problems.empty(); }, 15000));
}

/// A text that was dropped on the window becomes a source.
void ConfigurePageTest::takesADroppedText() {
  m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("text"), "/data/my text.txt"}}});
  QVERIFY(waitUntil([&] { return draft().loaded() && draft().spec().data.sources.size() == 6; }));
  QCOMPARE(draft().spec().data.sources[5].name, std::string("my-text"));
  QCOMPARE(draft().spec().data.sources[5].paths, std::vector<std::string>{"/data/my text.txt"});
  // It is read as much as the others are on average, and it is what the form shows now.
  double others = 0;
  for (int i = 0; i < 5; ++i) others += draft().spec().data.sources[std::size_t(i)].weight;
  QCOMPARE(draft().spec().data.sources[5].weight, others / 5);
  const auto shown = [&](const char* path) {
    return row(path) && row(path)->visibleRegion().boundingRect().height() > 30;
  };
  QVERIFY(waitUntil([&] { return built() && shown("data.sources[5].paths"); }));
  QVERIFY(!shown("data.sources[0].paths"));
  QVERIFY(!m_studio->navigator.toasts.empty());
  m_studio->navigator.toasts.back().undo();
  QVERIFY(waitUntil([&] { return draft().spec().data.sources.size() == 5; }));
}

namespace {
/// The row of a table whose first cell begins so; -1: none.
int rowOf(const QTableWidget& table, const QString& words) {
  for (int i = 0; i < table.rowCount(); ++i) {
    if (table.item(i, 0)->text().startsWith(words)) return i;
  }
  return -1;
}
QString tableText(const QTableWidget& table, int row) {
  QStringList cells;
  for (int i = 0; i < table.columnCount(); ++i) cells << table.item(row, i)->text();
  return cells.join(QStringLiteral(" | "));
}
}  // namespace

/// Documents, counts and reasons of a source before anything is built; again after a change, and
/// what is wrong in the engine's words.
void ConfigurePageTest::looksAtDataBeforeTraining() {
  const QString path = m_studio->home->home() + QStringLiteral("/notes.jsonl");
  QFile file(path);
  QVERIFY(file.open(QIODevice::WriteOnly));
  const QByteArray bread =
      "Bread needs flour, water, salt and a warm place where it can rise for hours. Whoever is in "
      "a hurry adds yeast; whoever has time keeps a jar of sour dough and feeds it every day.";
  const QByteArray trains =
      "The night train left the harbour late because snow had covered the rails. Two men with "
      "lanterns walked ahead of the engine, and the passengers watched them from the windows.";
  const QByteArray rivers =
      "Two rivers meet below the old town, and boats carry timber to the mills. In spring the "
      "water stands as high as the bridge, so that merchants must wait for weeks on the far bank.";
  for (const QByteArray& text : {bread, trains, rivers, trains}) {
    file.write("{\"text\": \"" + text + "\"}\n");
  }
  file.write("{\"title\": \"no text\"}\n");
  file.close();
  QVERIFY(load(QStringLiteral("demo")));
  m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("text"), path}}});
  QVERIFY(waitUntil([&] { return draft().settled() && draft().spec().data.sources.size() == 6; }));
  QVERIFY(section(QStringLiteral("Data")));
  QVERIFY(click(button(m_page.get(), QStringLiteral("Look at the data"))));
  auto* dialog = m_page->findChild<DataDialog*>();
  QVERIFY(dialog && dialog->isVisible());
  const auto state = [&] {
    return dialog->findChild<QLabel*>(QStringLiteral("data-state"))->text();
  };
  QCOMPARE(state(), QStringLiteral("Reading the beginning of each source"));
  const auto table = [&](const QString& name) -> QTableWidget& {
    for (auto* one : dialog->findChildren<QTableWidget*>()) {
      if (one->accessibleName() == name) return *one;
    }
    qFatal("the dialog has no table of that name");
  };
  QTableWidget& sources = table(QStringLiteral("Sources"));
  QTableWidget& documents = table(QStringLiteral("Documents"));
  QVERIFY(waitUntil([&] { return sources.rowCount() == 6; }, 60'000));
  const int row = rowOf(sources, QStringLiteral("notes"));
  QVERIFY(row >= 0);
  QVERIFY(click(sources.viewport(), sources.visualItemRect(sources.item(row, 0)).center()));
  QVERIFY2(tableText(sources, row).startsWith(QStringLiteral("notes | 3 of 5 | 1 | ")),
           qPrintable(tableText(sources, row)));
  QCOMPARE(documents.rowCount(), 5);
  QVERIFY(tableText(documents, 0).startsWith(QStringLiteral("notes.jsonl:1 | kept | ")));
  QVERIFY(tableText(documents, 3).contains(QStringLiteral("| dropped: duplicate |")));
  QVERIFY(tableText(documents, 4).contains(QStringLiteral("| dropped: no text field |")));
  QVERIFY(labelWith(dialog, QStringLiteral("Documents read: 5, all of them. Kept: 3.")));
  picture(*dialog, QStringLiteral("configure-data"));
  QVERIFY(click(documents.viewport(), documents.visualItemRect(documents.item(3, 0)).center()));
  auto* beginning = dialog->findChild<QPlainTextEdit*>();
  QVERIFY(beginning->toPlainText().contains(path + QStringLiteral(", line 4")));
  QVERIFY(beginning->toPlainText().contains(QStringLiteral("The night train")));

  // The draft goes on; the dialog says that it is behind.
  draft().setValue("data.sources[5].text_field", spec::Value(std::string("title")));
  QVERIFY(waitUntil([&] { return state().startsWith(QStringLiteral("The draft was changed")); }));
  QVERIFY(click(button(dialog, QStringLiteral("Read again"))));
  QVERIFY(waitUntil(
      [&] {
        return tableText(sources, row).contains(QStringLiteral("1 of 5")) ||
               tableText(sources, row).contains(QStringLiteral("0 of 5"));
      },
      60'000));
  // What is wrong is told, and what was read stays.
  draft().setValue("data.sources[5].paths",
                   spec::Value(std::vector<std::string>{"/no/such/folder"}));
  QVERIFY(waitUntil([&] { return draft().settled(); }));
  QVERIFY(click(button(dialog, QStringLiteral("Read again"))));
  QVERIFY(waitUntil([&] { return state().contains(QStringLiteral("no such file or folder")); },
                    60'000));
  QCOMPARE(sources.rowCount(), 6);
  // Reading can be broken off, and the dialog closed while it reads.
  draft().setValue("data.sources[5].paths",
                   spec::Value(std::vector<std::string>{path.toStdString()}));
  QVERIFY(waitUntil([&] { return draft().settled(); }));
  QVERIFY(click(button(dialog, QStringLiteral("Read again"))));
  QVERIFY(click(button(dialog, QStringLiteral("Cancel"))));
  QCOMPARE(state(), QStringLiteral("Reading was cancelled."));
  QVERIFY(click(button(dialog, QStringLiteral("Read again"))));
  dialog->close();
  QVERIFY(waitUntil([&] { return m_page->findChild<DataDialog*>() == nullptr; }));
}

/// Help and units beside the fields, and the terms of the plan for every recipe, are German where
/// the window is.
void ConfigurePageTest::explainsInGerman() {
  const QLocale before;
  const auto asBefore = qScopeGuard([&] {
    QLocale::setDefault(before);
    reloadEngineWords();
  });
  QLocale::setDefault(QLocale(QLocale::German));
  reloadEngineWords();
  for (const char* recipe : {"fp32", "bf16", "blockwise"}) {
    for (const char* moments : {"f32", "bf16"}) {
      const RunSpec spec = load_spec("demo", {std::string("precision.recipe=") + recipe,
                                              std::string("optimiser.moments=") + moments});
      const Plan plan = make_plan(spec, {}, {});
      for (const auto& group : plan.parameters.groups) {
        QVERIFY2(hasEngineWord(group.name), group.name.c_str());
      }
      for (const auto& term : plan.memory.terms) {
        QVERIFY2(hasEngineWord(term.name), term.name.c_str());
      }
      QCOMPARE(plan.memory.recompute.size(), std::size_t(4));
      for (const auto& choice : plan.memory.recompute) {
        QVERIFY2(hasEngineWord(choice.name), choice.name.c_str());
      }
    }
  }
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Model")));
  QVERIFY(labelWith(row("model.num_hidden_layers"), QStringLiteral("Schichten")));
  QVERIFY(labelWith(row("model.hidden_size"), QStringLiteral("Breite des Residualstroms")));
  // What is refused, what would do, and what contradicts: numbers and all.
  QVERIFY(typeInto(field<QLineEdit>("model.num_hidden_layers"), QStringLiteral("0")));
  QVERIFY(waitUntil([&] {
    return labelWith(row("model.num_hidden_layers"), QStringLiteral("0 liegt außerhalb")) !=
           nullptr;
  }));
  QVERIFY(labelWith(row("model.num_hidden_layers"), QStringLiteral("eine ganze Zahl von 1 bis")));
  QVERIFY(typeInto(field<QLineEdit>("model.num_hidden_layers"), QStringLiteral("4")));
  QVERIFY(typeInto(field<QLineEdit>("model.num_experts_per_tok"), QStringLiteral("17")));
  QVERIFY(waitUntil([&] {
    return labelWith(row("model.num_experts_per_tok"),
                     QStringLiteral("17 ist mehr als die 8 Experten")) != nullptr;
  }));
  auto* search = m_page->findChild<QLineEdit*>();
  for (QLineEdit* line : m_page->findChildren<QLineEdit*>()) {
    if (line->placeholderText() == QStringLiteral("Find a setting")) search = line;
  }
  QVERIFY(typeInto(search, QStringLiteral("Residualstroms")));
  QVERIFY(waitUntil([&] { return row("model.hidden_size") && !row("model.kv_lora_rank"); }));
}

void ConfigurePageTest::refusesValuesInTheCheckersWords() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Model")));
  QVERIFY(typeInto(field<QLineEdit>("model.num_hidden_layers"), QStringLiteral("0")));
  FieldRow* layers = row("model.num_hidden_layers");
  QVERIFY(waitUntil([&] {
    return labelWith(layers, QStringLiteral("0 is out of range; expected a whole number from 1")) !=
           nullptr;
  }));
  QCOMPARE(draft().spec().model.num_hidden_layers, 4);
  QVERIFY(typeInto(field<QLineEdit>("model.num_hidden_layers"), QStringLiteral("many")));
  QVERIFY(waitUntil([&] { return labelWith(layers, QStringLiteral("is a string")) != nullptr; }));
}

void ConfigurePageTest::survivesTextThatIsNoToml() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Model")));
  QVERIFY(click(text()->viewport()));
  text()->moveCursor(QTextCursor::End);
  type(QStringLiteral("[model"));
  QVERIFY(waitUntil([&] { return !draft().readable(); }));
  QVERIFY(planned());
  QVERIFY(!field<QLineEdit>("model.hidden_size")->isEnabled());
  QVERIFY(!button(m_page.get(), QStringLiteral("Launch"))->isEnabled());
  type(QStringLiteral("]\n"));
  QVERIFY(waitUntil([&] { return draft().readable(); }));
  QVERIFY(waitUntil([&] { return field<QLineEdit>("model.hidden_size")->isEnabled(); }));
}

void ConfigurePageTest::renamesASlip() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(click(text()->viewport()));
  text()->moveCursor(QTextCursor::End);
  type(QStringLiteral("[model]\nhiden_size = 64\n"));
  QVERIFY(waitUntil([&] { return !draft().problems().empty(); }));
  QVERIFY(planned());
  auto* pane = m_page->findChild<PlanPane*>();
  QVERIFY(waitUntil([&] { return labelWith(pane, QStringLiteral("unknown key")) != nullptr; }));
  QAbstractButton* fix = button(pane, QStringLiteral("Fix: Rename to hidden_size"));
  if (!fix) fix = button(pane, QStringLiteral("Fix"));
  QVERIFY(fix);
  QVERIFY(click(fix));
  QVERIFY(waitUntil([&] { return draft().spec().model.hidden_size == 64; }));
  QVERIFY(text()->toPlainText().contains(QStringLiteral("\nhidden_size = 64")));
}

void ConfigurePageTest::findsSettings() {
  QVERIFY(load(QStringLiteral("demo")));
  auto* search = m_page->findChild<QLineEdit*>();
  for (QLineEdit* line : m_page->findChildren<QLineEdit*>()) {
    if (line->placeholderText() == QStringLiteral("Find a setting")) search = line;
  }
  QVERIFY(typeInto(search, QStringLiteral("decay")));
  QVERIFY(waitUntil([&] { return row("optimiser.weight_decay") != nullptr; }));
  QVERIFY(waitUntil([&] { return row("optimiser.beta1") && !row("model.hidden_size"); }));
  QVERIFY(typeInto(search, QStringLiteral("no such thing")));
  QVERIFY(waitUntil([&] {
    return labelWith(form(), QStringLiteral("No setting matches \"no such thing\"")) != nullptr;
  }));
}

void ConfigurePageTest::addsAndRemovesSources() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(section(QStringLiteral("Data")));
  QAbstractButton* twin = button(form(), QStringLiteral("Duplicate the source"));
  QVERIFY(twin);
  QVERIFY(click(twin));
  QVERIFY(waitUntil([&] { return draft().spec().data.sources.size() == 6; }));
  QCOMPARE(draft().spec().data.sources[1].name, std::string("web-2"));
  QVERIFY(waitUntil([&] { return draft().settled(); }));
  QVERIFY(built());
  draft().undoStack().undo();
  QVERIFY(waitUntil([&] { return draft().spec().data.sources.size() == 5; }));
}

void ConfigurePageTest::pictures() {
  if (qEnvironmentVariableIsEmpty("TESSERA_PICTURES")) return;
  const WatchPause pause;
  for (const auto& [name, scheme] :
       {std::pair("light", theme::Scheme::Light), std::pair("dark", theme::Scheme::Dark)}) {
    theme::apply(application(), scheme);
    for (const QSize size : {QSize(936, 640), QSize(1820, 960)}) {
      m_page->resize(size);
      const QString tail = QStringLiteral("-%1-%2").arg(size.width()).arg(QLatin1String(name));
      if (!draft().loaded()) picture(*m_page, QStringLiteral("configure-empty") + tail);
      QVERIFY(load(QStringLiteral("demo")));
      for (const FormSection& one : formSections()) {
        QVERIFY(section(QString::fromLatin1(one.title)));
        picture(*m_page,
                QStringLiteral("configure-") + QString::fromLatin1(one.title).toLower() + tail);
      }
      QVERIFY(!draft().setValue("curriculum[0].batch_sequences", spec::Value(std::int64_t{9})));
      QVERIFY(planned());
      QVERIFY(section(QStringLiteral("Curriculum")));
      picture(*m_page, QStringLiteral("configure-problem") + tail);
      QVERIFY(load(QStringLiteral("v3")));
      QVERIFY(section(QStringLiteral("Model")));
      picture(*m_page, QStringLiteral("configure-v3") + tail);
    }
  }
}

}  // namespace tessera::ui

TESSERA_UI_MAIN(tessera::ui::ConfigurePageTest)
#include "configure_page_test.moc"
