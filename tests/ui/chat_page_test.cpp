// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_chat tessera_checkpoint tessera_tokenizer
// The chat page as a person uses it, with the real `tessera serve` and small real models; and with
// a script in its place for what a healthy program does not do.
#include <QAbstractItemModelTester>
#include <QClipboard>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFile>
#include <QFileDialog>
#include <QGuiApplication>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QProcess>
#include <QPushButton>
#include <QScreen>
#include <QScrollBar>
#include <QSignalSpy>
#include <QStandardItemModel>
#include <QTableView>
#include <QTextCursor>
#include <QTextDocument>
#include <QTextEdit>
#include <QToolButton>
#include <QTreeView>
#include <ctime>

#include "tests/build_paths.h"
#include "tests/infer/tiny_model.h"
#include "tests/ui/chat_scene.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/chat/chat_inspector.h"
#include "ui/pages/chat/chat_page.h"
#include "ui/pages/chat/checkpoint_picker.h"
#include "ui/pages/chat/composer.h"
#include "ui/pages/chat/conversation_tree.h"
#include "ui/pages/chat/expert_strip.h"
#include "ui/pages/chat/markdown_view.h"
#include "ui/pages/chat/message_list.h"
#include "ui/pages/chat/message_widget.h"
#include "ui/pages/chat/template_dialog.h"
#include "ui/pages/chat/token_view.h"
#include "ui/theme/theme.h"
#include "ui/widgets/banner.h"

using namespace tessera::ui;  // not of tessera: it has a namespace test too
using test::click;
using test::kPatience;
using test::Scene;
using test::waitUntil;

namespace {
/// The words of a command as a shell hands them to the program.
QStringList words(const QString& command) {
  QProcess shell;
  shell.start(
      QStringLiteral("bash"),
      {QStringLiteral("-c"), QStringLiteral("tessera() { printf '%s\\0' \"$@\"; }; ") + command});
  if (!shell.waitForFinished(kPatience)) return {};
  QStringList found = QString::fromUtf8(shell.readAllStandardOutput()).split(QChar(0));
  found.removeLast();
  return found;
}

}  // namespace

class ChatPageTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void emptyStateOffersTheDemo() {
    Scene scene({}, false);
    QVERIFY(scene.show());
    QVERIFY(waitUntil([&] { return test::button(scene.page.get(), "Try the demo") != nullptr; }));
    QVERIFY(!scene.page->composer()->button()->isEnabled());
    QVERIFY(!scene.page->composer()->button()->toolTip().isEmpty());
    QVERIFY(click(test::button(scene.page.get(), "Try the demo")));
    QCOMPARE(scene.studio->navigator.opened.at(0).page, QStringLiteral("home"));
    test::picture(*scene.page, "chat-empty");
  }

  void talksToACheckpointPinnedToItsStep() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QCOMPARE(scene.page->talk().engine(0).model().step, 10);
    QCOMPARE(scene.page->location().arguments.value("checkpoint"), QStringLiteral("step-10"));
    QVERIFY(scene.page->command().startsWith("tessera chat "));
    QVERIFY(scene.say(QStringLiteral("The quick brown fox")));
    QVERIFY(scene.page->talk().busy());
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().size(), 2);
    const ChatMessage& answer = scene.conversation().at(1);
    QVERIFY(answer.tokens && !answer.tokens->empty());
    QCOMPARE(answer.tokens->layers(), 2);
    QCOMPARE(answer.tokens->topK(), 3);
    QVERIFY(answer.usage && answer.usage->size() == 16);
    QVERIFY(answer.model.contains("10 steps"));
    QVERIFY(waitUntil([&] { return scene.widget(1)->textView()->settled(); }));
    QVERIFY(waitUntil([&] { return test::labelWith(scene.widget(1), "tokens/s") != nullptr; }));
    QVERIFY(waitUntil([&] { return scene.page->store().list().size() == 1; }));
    test::picture(*scene.page, "chat-answer");
  }

  /// The rendered conversation with its tokens: it follows what is written, and says what is
  /// missing.
  void whatTheModelReadsIsShown() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(click(test::button(scene.page.get(), "Show what the model reads")));
    auto* dialog = scene.page->findChild<TemplateDialog*>();
    QVERIFY(dialog && dialog->isVisible());
    QVERIFY(test::labelWith(dialog, "No model is loaded"));
    QVERIFY(scene.load());
    QVERIFY(waitUntil([&] { return test::labelWith(dialog, "Nothing is said yet") != nullptr; }));
    QVERIFY(test::typeInto(scene.page->composer()->field(), QStringLiteral("The quick brown fox")));
    const auto shown = [&](const char* text) {
      return waitUntil([&] { return dialog->text()->toPlainText().contains(QLatin1String(text)); },
                       test::kPatience);
    };
    QVERIFY2(shown("quick"), qPrintable(dialog->text()->toPlainText()));
    QVERIFY(test::labelWith(dialog, "tokens, "));
    test::picture(*dialog, "chat-template-light");
    theme::apply(*qApp, theme::Scheme::Dark);
    QVERIFY(waitUntil([&] { return dialog->isWhole(); }));
    test::picture(*dialog, "chat-template-dark");
    theme::apply(*qApp, theme::Scheme::Light);
    dialog->close();
  }

  /// Boundaries are seen by their ground, special tokens by their own, whatever text spells.
  void tokensHaveBoundariesAndSpecialOnesStandOut() {
    auto* dialog = new TemplateDialog(nullptr);
    QVERIFY(test::show(*dialog));
    dialog->setTokens({{0, "<s>", true}, {5, "<s>", false}, {6, " a\\n", false}, {7, "b", false}});
    QVERIFY(waitUntil([&] { return dialog->isWhole(); }));
    QCOMPARE(dialog->text()->toPlainText(), QStringLiteral("<s><s> a\\n\nb"));
    const auto formatAt = [&](int position) {
      QTextCursor cursor(dialog->text()->document());
      cursor.setPosition(position);
      return cursor.charFormat();
    };
    QCOMPARE(formatAt(1).toolTip(), QStringLiteral("special token 0"));
    QCOMPARE(formatAt(4).toolTip(), QStringLiteral("token 5"));
    QVERIFY(formatAt(1).background() != formatAt(4).background());
    QVERIFY(formatAt(4).background() != formatAt(8).background());
    QVERIFY(test::labelWith(dialog, "4 tokens, 1 of them special"));
    QVERIFY(click(test::button(dialog, "Copy as text")));
    QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("<s><s> a\nb"));
    // A conversation of any length holds up nothing (the harness times every event).
    dialog->setTokens(std::vector<ChatPiece>(300'000, ChatPiece{9, "word", false}));
    QVERIFY(test::labelWith(dialog, "Shown are the last"));
    QVERIFY(waitUntil([&] { return dialog->isWhole(); }, test::kPatience));
    QCOMPARE(dialog->text()->toPlainText().size(),
             static_cast<qsizetype>(4 * TemplateDialog::kMostTokens));
    dialog->close();
  }

  void regeneratingAndEditingMakeBranches() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QVERIFY(scene.say(QStringLiteral("rivers")));
    QVERIFY(scene.answered());
    const QString first = scene.conversation().at(1).text;
    QVERIFY(scene.press(1, QStringLiteral("Regenerate as a branch")));
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().path(), (std::vector<int>{0, 2}));
    QVERIFY(waitUntil([&] { return test::labelWith(scene.widget(2), "2/2") != nullptr; }));
    QVERIFY(scene.press(2, QStringLiteral("Branch before")));
    QCOMPARE(scene.conversation().path(), (std::vector<int>{0, 1}));
    QCOMPARE(scene.widget(1)->textView()->fullText(), first);
    QVERIFY(waitUntil([&] { return test::labelWith(scene.widget(1), "1/2") != nullptr; }));

    QVERIFY(scene.press(0, QStringLiteral("Edit as a branch")));
    auto* editor = scene.widget(0)->findChild<QPlainTextEdit*>();
    QVERIFY(editor);
    QVERIFY(test::typeInto(editor, QStringLiteral("lakes")));
    QVERIFY(click(test::button(scene.widget(0), "Send as a branch")));
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().path(), (std::vector<int>{3, 4}));
    QCOMPARE(scene.conversation().at(0).text, QStringLiteral("rivers"));
    QVERIFY(waitUntil([&] { return test::labelWith(scene.widget(3), "2/2") != nullptr; }));
    // Both beginnings are in the tree, and a click goes back.
    const QAbstractItemModelTester tester(scene.page->tree()->model());
    const auto rows = scene.page->tree()->model()->match(scene.page->tree()->model()->index(0, 0),
                                                         Qt::DisplayRole, "rivers", -1,
                                                         Qt::MatchExactly | Qt::MatchRecursive);
    QVERIFY(!rows.isEmpty());
    QTreeView* tree = scene.page->tree()->view();
    tree->scrollTo(rows.last());
    QVERIFY(click(tree->viewport(), tree->visualRect(rows.last()).center()));
    QCOMPARE(scene.conversation().path(), (std::vector<int>{0, 1}));
  }

  void aTokenShowsWhatItMightHaveBeenAndRegrows() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QVERIFY(scene.say(QStringLiteral("Then it rests")));
    QVERIFY(scene.answered());
    QVERIFY(click(test::button(scene.page.get(), "Tokens")));
    TokenView* view = scene.widget(1)->tokenView();
    QVERIFY(view && view->isVisible());
    const TokenRecord before = *scene.conversation().at(1).tokens;
    QVERIFY(before.size() > 6);
    int wanted = 4;
    while (before.length(wanted) == 0) ++wanted;  // half a character cannot be clicked
    QVERIFY(click(view->viewport(), view->positionOf(wanted)));
    QCOMPARE(view->picked(), wanted);
    ChatInspector* inspector = scene.page->chatInspector();
    const QAbstractItemModelTester tester(inspector->alternatives());
    QVERIFY(inspector->alternatives()->rowCount() >= 5);
    QCOMPARE(inspector->strip()->rows().size(), std::size_t{2});
    QCOMPARE(inspector->strip()->rows()[0].size(), std::size_t{3});
    QVERIFY(inspector->strip()->rows()[0][0].gate >= inspector->strip()->rows()[0][1].gate);
    test::picture(*scene.page, "chat-tokens");
    test::picture(*inspector, "chat-inspector");

    int row = 0;
    while (inspector->alternatives()->at(row).id == before.id(wanted)) ++row;
    const ChatAlternative other = inspector->alternatives()->at(row);
    QTableView* table = inspector->alternativesView();
    QVERIFY(click(table->viewport(),
                  table->visualRect(inspector->alternatives()->index(row, 0)).center()));
    QVERIFY(click(inspector->regrowButton()));
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().path(), (std::vector<int>{0, 2}));
    const ChatMessage& grown = scene.conversation().at(2);
    QVERIFY(grown.tokens->size() > wanted);
    for (int i = 0; i < wanted; ++i) QCOMPARE(grown.tokens->id(i), before.id(i));
    QCOMPARE(grown.tokens->id(wanted), other.id);
    QCOMPARE(grown.tokens->begin(grown.tokens->size()), static_cast<int>(grown.text.size()));
    QVERIFY(grown.tokens->hasExperts(0) && !grown.tokens->hasExperts(wanted));
    QCOMPARE(scene.conversation().at(1).tokens->ids(), before.ids());
  }

  void aSpanIsComparedWithTheConversation() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QVERIFY(scene.say(QStringLiteral("The lazy dog")));
    QVERIFY(scene.answered());
    QVERIFY(click(test::button(scene.page.get(), "Tokens")));
    TokenView* view = scene.widget(1)->tokenView();
    QVERIFY(view);
    QVERIFY(scene.page->chatInspector()->usage()->empty());
    view->setFocus();
    QTextCursor cursor(view->document());
    cursor.movePosition(QTextCursor::End);
    cursor.setPosition(cursor.position() / 2, QTextCursor::KeepAnchor);
    view->setTextCursor(cursor);
    QVERIFY(!scene.page->chatInspector()->usage()->empty());
    const auto rows = scene.page->chatInspector()->usage()->preferred(3);
    QVERIFY(!rows.empty());
    QVERIFY(rows[0].layer >= 1 && rows[0].layer <= 2);
    QVERIFY(rows[0].share > rows[0].everywhere);
  }

  void twoCheckpointsAnswerSideBySideAndAreExported() {
    Scene scene;
    QVERIFY(scene.show());
    scene.page->open({QStringLiteral("chat"),
                      scene.first,
                      {{"checkpoint", "step-20"}, {"beside", scene.second}}});
    QVERIFY(waitUntil([&] { return scene.page->talk().comparing(); }, kPatience));
    QVERIFY(scene.say(QStringLiteral("What does the fox do?")));  // while both are being loaded
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().path(0), (std::vector<int>{0, 1}));
    QCOMPARE(scene.conversation().path(1), (std::vector<int>{0, 2}));
    QVERIFY(scene.conversation().at(1).model.contains("20 steps"));
    QVERIFY(scene.conversation().at(2).model.contains("base"));
    QVERIFY(scene.page->list(1)->isVisible());
    QVERIFY(scene.widget(2)->isVisible());
    QVERIFY(scene.say(QStringLiteral("And then?")));
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().path(0).size(), std::size_t{4});
    QCOMPARE(scene.conversation().path(1).size(), std::size_t{4});
    test::picture(*scene.page, "chat-beside");
    const QString file = scene.studio->home->home() + "/chat.md";
    scene.page->store().exportTo(scene.conversation(), file);
    QVERIFY(waitUntil([&] { return !scene.studio->navigator.toasts.empty(); }));
    QFile text(file);
    QVERIFY(text.open(QIODevice::ReadOnly));
    const QByteArray words = text.readAll();
    QVERIFY(words.contains("## Beside") && words.contains("base, 5 steps"));
    // By its button: a name is proposed, and another kind of file gives it another end.
    QVERIFY(click(test::button(scene.page.get(), "Export the conversation")));
    auto* dialog = scene.page->window()->findChild<QFileDialog*>();
    QVERIFY(dialog && waitUntil([&] { return dialog->isVisible(); }));
    auto* name = dialog->findChild<QLineEdit*>(QStringLiteral("fileNameEdit"));
    QVERIFY(name);
    QCOMPARE(name->text(), QStringLiteral("What does the fox do.md"));
    auto* kinds = dialog->findChild<QComboBox*>(QStringLiteral("fileTypeCombo"));
    QVERIFY(test::choose(kinds, QStringLiteral("JSON with all branches (*.json)")));
    QCOMPARE(name->text(), QStringLiteral("What does the fox do.json"));
    const QString json = scene.studio->home->home() + "/talk.json";
    QVERIFY(test::saveInDialog(scene.page.get(), json));
    QVERIFY(waitUntil([&] { return QFile::exists(json); }));
  }

  /// What holds nothing is counted as nothing: with a new checkpoint, and when a draft is cleared.
  void anEmptyConversationHasNoTokens() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    const auto meter = [&] { return scene.page->composer()->meter()->text(); };
    const auto isEmpty = [&] { return meter().startsWith(QLatin1String("0 of ")); };
    QVERIFY2(waitUntil(isEmpty), qPrintable(meter()));
    QVERIFY(test::typeInto(scene.page->composer()->field(), QStringLiteral("Once upon a time")));
    QVERIFY2(waitUntil([&] { return !isEmpty(); }), qPrintable(meter()));
    QTest::keyClick(scene.page->composer()->field(), Qt::Key_A, Qt::ControlModifier);
    QTest::keyClick(scene.page->composer()->field(), Qt::Key_Delete);
    QVERIFY2(waitUntil(isEmpty), qPrintable(meter()));
    QTest::qWait(600);  // the count is asked for after a pause
    QVERIFY2(isEmpty(), qPrintable(meter()));
  }

  /// Two runs of one name are told apart in the list that a checkpoint is picked from.
  void runsOfOneNameAreToldApart() {
    auto home = std::make_unique<test::TemporaryHome>();
    const std::filesystem::path runs = home->runs().toStdString();
    QStringList ends;
    for (int i = 0; i < 2; ++i) {
      const auto run = test::finishedRun(runs, "demo");
      tessera::test::write_checkpoint(run.folder.path(), 10);
      ends << QStringLiteral("demo \u00B7 ") + run.id().section(u'-', -1);
    }
    const auto studio = test::makeStudio(std::move(home));
    ChatPage page(*studio->studio, QStringLiteral(TESSERA_PROGRAM), ChatEngine::defaultArguments(),
                  nullptr);
    page.setActivity(true, true);
    QVERIFY(test::show(page));
    page.open({QStringLiteral("chat"), {}, {}});
    QVERIFY(click(page.picker(0)));  // also before the library has been read
    auto* list = page.picker(0)->findChild<QTreeView*>();
    const auto names = [&] {
      QStringList shown;
      for (int row = 0; row < list->model()->rowCount(); ++row) {
        shown << list->model()->index(row, 0).data().toString();
      }
      shown.sort();
      return shown;
    };
    ends.sort();
    QVERIFY2(waitUntil([&] { return names() == ends; }), qPrintable(names().join(u'|')));
  }

  void aSystemPromptIsToldAndKept() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QVERIFY(scene.say(QStringLiteral("rivers")));
    QVERIFY(scene.answered());
    const auto read = [&](int answer) {
      const ChatMessage& message = scene.conversation().at(answer);
      return message.contextUsed - message.tokens->size();
    };
    QVERIFY(click(test::button(scene.page.get(), "System")));
    QPlainTextEdit* system = nullptr;
    for (auto* edit : scene.page->findChildren<QPlainTextEdit*>()) {
      if (edit->accessibleName() == QLatin1String("System prompt")) system = edit;
    }
    QVERIFY(test::typeInto(system, QStringLiteral("Be brief and speak of rivers.")));
    QVERIFY(scene.press(1, QStringLiteral("Regenerate as a branch")));
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().system, QStringLiteral("Be brief and speak of rivers."));
    QVERIFY(read(2) > read(1) + 10);  // the model has read it, too
  }

  void stopsAtOnce() {
    Scene scene(QStringLiteral("talk"));
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QVERIFY(scene.say(QStringLiteral("go on")));
    QVERIFY(waitUntil([&] { return scene.conversation().at(1).text.contains("word2"); }));
    QCOMPARE(scene.page->composer()->button()->text(), QStringLiteral("Stop"));
    QVERIFY(click(scene.page->composer()->button()));
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().at(1).reason, QStringLiteral("cancelled"));
    QVERIFY(!scene.conversation().at(1).text.isEmpty());
    QVERIFY(waitUntil([&] { return test::labelWith(scene.widget(1), "stopped") != nullptr; }));
  }

  void aModelThatNeverLoadsDoesNotHoldTheWindow() {
    Scene scene(QStringLiteral("hang"));
    QVERIFY(scene.show());
    scene.page->open({QStringLiteral("chat"), scene.first, {}});
    QVERIFY(waitUntil(
        [&] { return scene.page->talk().engine(0).state() == ChatEngine::State::Loading; }));
    QVERIFY(scene.say(QStringLiteral("hello?")));
    QVERIFY(waitUntil([&] { return test::labelWith(scene.widget(1), "to be loaded") != nullptr; }));
    QVERIFY(click(scene.page->composer()->button()));  // Stop
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().at(1).reason, QStringLiteral("cancelled"));
    QVERIFY(click(test::button(scene.page.get(), "New chat")));
    QVERIFY(scene.conversation().empty());
  }

  /// The reason stands in the message, for as long as the message does, and in the Problems dock.
  void aCrashIsSaidAndMended() {
    Scene scene(QStringLiteral("crash"));
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QVERIFY(scene.say(QStringLiteral("boom")));
    QVERIFY(waitUntil([&] { return test::button(scene.page.get(), "Try again") != nullptr; }));
    QCOMPARE(scene.conversation().at(1).reason, QStringLiteral("failed"));
    QVERIFY(scene.conversation().at(1).text.contains("word0"));
    QVERIFY(test::labelWith(scene.widget(1), "a bad thing happened"));
    QVERIFY(scene.problem().contains("a bad thing happened"));
    test::picture(*scene.page, "chat-crash");
    QVERIFY(click(test::button(scene.page.get(), "Try again")));
    QVERIFY(waitUntil([&] { return scene.conversation().size() == 3; }));
    QVERIFY(waitUntil([&] { return scene.page->talk().engine(0).loaded(); }));
    // Another branch is shown now; the first one still says why it failed.
    QVERIFY(scene.answered());
    scene.page->talk().show(1);
    QVERIFY(waitUntil([&] { return test::labelWith(scene.widget(1), "a bad thing happened"); }));
    // And so it does from the file.
    const Conversation read =
        Conversation::fromJson(scene.conversation().toJson(), QStringLiteral("test"));
    QVERIFY(read.at(1).problem.contains("a bad thing happened"));
  }

  void whatIsTooLongIsSaidBeforeSendAndStaysSaid() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    const QString tooLong = QStringLiteral("rivers and lakes ").repeated(900);
    scene.page->composer()->setText(tooLong);
    QVERIFY(waitUntil([&] { return test::labelWith(scene.page.get(), "reads fewer than"); }));
    QVERIFY(!scene.page->composer()->button()->isEnabled());
    QVERIFY(!test::button(scene.page.get(), "Send it in a new chat"));  // it is a new one already
    // Sent before it was counted, as by a quick Enter after pasting.
    scene.page->composer()->clear();
    scene.page->talk().send(tooLong);
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().at(1).reason, QStringLiteral("failed"));
    QVERIFY(test::labelWith(scene.widget(1), "more than the model's 1024"));
    QVERIFY(scene.problem().contains("more than the model's 1024"));
    QVERIFY(waitUntil([&] { return test::button(scene.widget(1), "Edit the message"); }));
    test::picture(*scene.page, "chat-too-long");
    QTest::qWait(1500);
    QVERIFY(test::labelWith(scene.widget(1), "more than the model's 1024"));
    // What follows in this branch would fail too, and that is said before it is sent.
    QVERIFY(test::typeInto(scene.page->composer()->field(), QStringLiteral("and now")));
    QVERIFY(waitUntil([&] { return test::button(scene.page.get(), "Send it in a new chat"); }));
    QVERIFY(!scene.page->composer()->button()->isEnabled());
    // The one action leads out of it.
    QVERIFY(click(test::button(scene.widget(1), "Edit the message")));
    auto* editor = scene.widget(0)->findChild<QPlainTextEdit*>();
    QVERIFY(editor);
    editor->setPlainText(QStringLiteral("rivers"));
    QVERIFY(click(test::button(scene.widget(0), "Send as a branch")));
    QVERIFY(scene.answered());
    QVERIFY(scene.conversation().at(3).problem.isEmpty());
    QVERIFY(scene.problem().isEmpty());
    QVERIFY(waitUntil([&] { return !test::labelWith(scene.page.get(), "reads fewer than"); }));
  }

  void whatIsTooLongHereIsSentInANewChat() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QVERIFY(scene.say(QStringLiteral("rivers")));
    QVERIFY(scene.answered());
    const QString before = scene.conversation().id;
    scene.page->talk().send(QStringLiteral("rivers and lakes ").repeated(900));
    QVERIFY(scene.answered());
    QVERIFY(test::typeInto(scene.page->composer()->field(), QStringLiteral("and now")));
    QVERIFY(waitUntil([&] { return test::button(scene.page.get(), "Send it in a new chat"); }));
    QVERIFY(click(test::button(scene.page.get(), "Send it in a new chat")));
    QVERIFY(scene.answered());
    QVERIFY(scene.conversation().id != before);
    QCOMPARE(scene.conversation().at(0).text, QStringLiteral("and now"));
    QVERIFY(scene.conversation().at(1).problem.isEmpty());
  }

  /// Nothing need be written to hear that a chat is full, and there is a way on.
  void aFullChatGoesOnInANewOne() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    scene.page->talk().setSystem(QStringLiteral("rivers"));
    scene.page->talk().send(QStringLiteral("rivers and lakes ").repeated(900));
    QVERIFY(scene.answered());
    QVERIFY(waitUntil([&] { return test::labelWith(scene.page.get(), "no room for another"); }));
    QAbstractButton* fresh = test::button(scene.page.get(), "Go on in a new chat");
    QVERIFY(fresh);
    QVERIFY(click(fresh));
    QVERIFY(scene.conversation().empty());
    QCOMPARE(scene.conversation().system, QStringLiteral("rivers"));
    QVERIFY(!scene.page->talk().busy());
    QVERIFY(waitUntil([&] { return !test::labelWith(scene.page.get(), "no room for another"); }));
  }

  void theCommandDoesWhatTheWindowWould() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QSignalSpy changed(scene.page.get(), &ChatPage::commandChanged);
    ChatTalk& talk = scene.page->talk();
    talk.sampling = ChatSampling{};
    talk.freshSeed = true;
    const QString folder = talk.checkpoint(0).path;
    QCOMPARE(words(scene.page->command()), (QStringList{"chat", folder, "--temperature", "0.8",
                                                        "--top-p", "0.95", "--max-tokens", "512"}));
    auto* boxes = scene.inspector.get();
    for (QDoubleSpinBox* box : boxes->findChildren<QDoubleSpinBox*>()) box->setValue(0.5);
    QVERIFY(changed.count() > 0);
    talk.sampling.topK = 7;
    talk.sampling.seed = 11;
    talk.freshSeed = false;
    talk.setSystem(QStringLiteral("it's a \"test\" of $HOME\nand lines"));
    QCOMPARE(words(scene.page->command()),
             (QStringList{"chat", folder, "--temperature", "0.5", "--top-p", "0.5", "--max-tokens",
                          QString::number(talk.sampling.maxTokens), "--top-k", "7", "--min-p",
                          "0.5", "--repetition-penalty", "0.5", "--seed", "11", "--system",
                          "it's a \"test\" of $HOME\nand lines"}));
    const QString before = scene.page->command();
    changed.clear();
    ChatCheckpoint moved = talk.checkpoint(0);
    const QString blank = scene.studio->home->home() + QStringLiteral("/with a blank's");
    QVERIFY(QFile::link(moved.path, blank));
    moved.path = blank;
    talk.setCheckpoint(0, moved);
    QVERIFY(changed.count() > 0);
    QVERIFY(scene.page->command() != before);
    QCOMPARE(words(scene.page->command()).at(1), blank);
    // And the program takes it.
    QProcess shell;
    shell.start(
        QStringLiteral("bash"),
        {QStringLiteral("-c"),
         QStringLiteral("tessera() { '%1' \"$@\" --prompt rivers; }; ").arg(TESSERA_PROGRAM) +
             scene.page->command()});
    QVERIFY(shell.waitForFinished(kPatience));
    QVERIFY2(shell.exitCode() == 0, shell.readAllStandardError().constData());
  }

  /// The list is read anew after every answer: a title that is being typed stays, and so does any
  /// chat's new title.
  void renamingIsNotDisturbed() {
    Scene scene(QStringLiteral("talk"));
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    for (const char* text : {"first words", "second words"}) {
      QVERIFY(scene.say(QLatin1String(text)));
      scene.page->talk().stop();
      QVERIFY(scene.answered());
      QVERIFY(click(test::button(scene.page.get(), "New chat")));
    }
    QVERIFY(waitUntil([&] { return scene.page->store().list().size() == 2; }));
    QTreeView* view = scene.page->tree()->view();
    const auto rowOf = [&](const QString& title) {
      const auto found = view->model()->match(view->model()->index(0, 0), Qt::DisplayRole, title, 1,
                                              Qt::MatchExactly);
      return found.isEmpty() ? QModelIndex() : found.front();
    };
    const auto rename = [&](const QString& from, const QString& to) {
      const QModelIndex row = rowOf(from);
      if (!row.isValid()) return false;
      view->setFocus();
      view->setCurrentIndex(row);
      QTest::keyClick(view, Qt::Key_F2);
      auto* field = view->findChild<QLineEdit*>();
      if (!field) return false;
      QTest::keyClicks(field, to.left(3));
      scene.page->store().refresh();
      QSignalSpy listed(&scene.page->store(), &ChatStore::listChanged);
      if (!listed.wait()) return false;
      if (view->findChild<QLineEdit*>() != field || field->text() != to.left(3)) return false;
      QTest::keyClicks(field, to.mid(3));
      QTest::keyClick(field, Qt::Key_Return);
      return true;
    };
    const auto stored = [&](const QString& title) {
      const auto& list = scene.page->store().list();
      return std::any_of(list.begin(), list.end(),
                         [&](const ChatEntry& one) { return one.header.title == title; });
    };
    // One that is not open, then the open one.
    QVERIFY(rename(QStringLiteral("first words"), QStringLiteral("of lakes")));
    QVERIFY(waitUntil([&] { return stored(QStringLiteral("of lakes")); }));
    QVERIFY(rowOf(QStringLiteral("of lakes")).isValid());
    QVERIFY(scene.openChat(QStringLiteral("second words")));
    QVERIFY(waitUntil([&] { return scene.conversation().size() > 0; }));
    QVERIFY(rename(QStringLiteral("second words"), QStringLiteral("of rivers")));
    QVERIFY(waitUntil([&] { return stored(QStringLiteral("of rivers")); }));
    QCOMPARE(scene.conversation().title, QStringLiteral("of rivers"));
    QVERIFY(rowOf(QStringLiteral("of rivers")).isValid());
    // An answer of the renamed chat keeps its words.
    QVERIFY(scene.openChat(QStringLiteral("of lakes")));
    QVERIFY(waitUntil([&] { return scene.conversation().title == QLatin1String("of lakes"); }));
    QCOMPARE(scene.conversation().at(0).text, QStringLiteral("first words"));
  }

  void anAnswerThatWasCutOffGoesOn() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    scene.page->talk().sampling.maxTokens = 4;
    QVERIFY(scene.say(QStringLiteral("The quick brown fox")));
    QVERIFY(scene.answered());
    if (scene.conversation().at(1).reason != QLatin1String("length")) QSKIP("it ended by itself");
    const std::vector<int> before = scene.conversation().at(1).tokens->ids();
    const QString text = scene.conversation().at(1).text;
    QVERIFY(scene.press(1, QStringLiteral("Continue this answer")));
    QVERIFY(scene.answered());
    QCOMPARE(scene.conversation().size(), 2);  // no branch: nothing of it changed
    const std::vector<int> after = scene.conversation().at(1).tokens->ids();
    QVERIFY(after.size() > before.size());
    QVERIFY(std::equal(before.begin(), before.end(), after.begin()));
    QVERIFY(scene.conversation().at(1).text.startsWith(text.left(text.size() - 1)));
    const TokenRecord& tokens = *scene.conversation().at(1).tokens;
    QVERIFY(tokens.begin(tokens.size()) <= scene.conversation().at(1).text.size());
  }

  /// A training run reports many times a minute: the list that is open does not move for it.
  void thePickerStaysUnderTheHand() {
    Scene scene;
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    CheckpointPicker* picker = scene.page->picker(1);
    QVERIFY(click(picker));
    QTreeView* view = picker->view();
    QVERIFY(waitUntil([&] { return view->isVisible() && view->model()->rowCount() == 2; }));
    const auto rowOf = [&](const QString& name) {
      const auto found = view->model()->match(view->model()->index(0, 0), Qt::DisplayRole, name);
      return found.isEmpty() ? QModelIndex() : found.front();
    };
    const QPersistentModelIndex tuned = rowOf(QStringLiteral("tuned"));
    QVERIFY(tuned.isValid());
    view->expand(tuned);
    const QPersistentModelIndex old = view->model()->index(0, 0, tuned);  // step 20
    view->setCurrentIndex(old);
    // New checkpoints, and the same ones again as often as it may be.
    auto runs = std::make_shared<std::vector<ChatRun>>();
    ChatRun fresh{
        QStringLiteral("fresh"), QStringLiteral("fresh"), QStringLiteral("/x"), true, 1, {}, {3}};
    runs->push_back(fresh);
    runs->push_back({scene.first,
                     QStringLiteral("tuned"),
                     scene.folderOf(scene.first),
                     true,
                     1,
                     {},
                     {30, 20, 10}});
    runs->push_back(
        {scene.second, QStringLiteral("base"), scene.folderOf(scene.second), false, 1, {}, {5}});
    for (int i = 0; i < 3; ++i) picker->setRuns(runs);
    QVERIFY(tuned.isValid() && old.isValid());
    QVERIFY(view->isExpanded(tuned));
    QCOMPARE(view->currentIndex(), QModelIndex(old));
    QCOMPARE(view->model()->rowCount(), 2);
    QAbstractButton* more =
        test::button(picker->popup(), QStringLiteral("Show 2 newer checkpoints"));
    QVERIFY(more);
    QVERIFY(click(more));
    QCOMPARE(view->model()->rowCount(), 3);
    QVERIFY(view->isExpanded(rowOf(QStringLiteral("tuned"))));
    // What answers already is not compared with itself: neither by its row nor by its run's.
    const QModelIndex run = rowOf(QStringLiteral("tuned"));
    const QModelIndex same = view->model()->index(2, 0, run);
    QVERIFY(!(same.flags() & Qt::ItemIsEnabled));
    view->setCurrentIndex(view->model()->index(1, 0, run));
    QTest::keyClick(view, Qt::Key_Return);
    QVERIFY(waitUntil([&] { return scene.page->talk().comparing(); }));
    QCOMPARE(scene.page->talk().checkpoint(1).step, 20);
    QVERIFY(!view->isVisible());
  }

  void aChatKeepsItsCheckpointsAndSampling() {
    Scene scene;
    QVERIFY(scene.show());
    scene.page->open({QStringLiteral("chat"),
                      scene.first,
                      {{"checkpoint", "step-20"}, {"beside", scene.second}}});
    QVERIFY(waitUntil([&] { return scene.page->talk().comparing(); }, kPatience));
    scene.page->talk().sampling.temperature = 0.25;
    QVERIFY(scene.say(QStringLiteral("What does the fox do?")));
    QVERIFY(scene.answered());
    const QString id = scene.conversation().id;
    // Another chat with one checkpoint, and other sampling.
    QVERIFY(click(test::button(scene.page.get(), "New chat")));
    scene.page->talk().setCheckpoint(1, {});
    QVERIFY(scene.load());
    scene.page->talk().sampling.temperature = 0.75;
    QVERIFY(scene.say(QStringLiteral("rivers")));
    QVERIFY(scene.answered());
    QVERIFY(waitUntil([&] { return scene.page->store().list().size() == 2; }));
    QVERIFY(scene.openChat(QStringLiteral("What does the fox do?")));
    QVERIFY(waitUntil([&] { return scene.conversation().id == id; }));
    QCOMPARE(scene.page->talk().checkpoint(0).step, 20);
    QCOMPARE(scene.page->talk().checkpoint(0).run, scene.first);
    QCOMPARE(scene.page->talk().checkpoint(1).run, scene.second);
    QVERIFY(scene.page->picker(0)->text().contains("20 steps"));
    QCOMPARE(scene.page->talk().sampling.temperature, 0.25);
    QVERIFY(scene.openChat(QStringLiteral("rivers")));
    QVERIFY(waitUntil([&] { return scene.conversation().id != id; }));
    QCOMPARE(scene.page->talk().checkpoint(0).step, 10);
    QVERIFY(!scene.page->talk().comparing());
    QVERIFY(!scene.page->list(1)->isVisible());
    QCOMPARE(scene.page->talk().sampling.temperature, 0.75);
  }

  void noSecondDemoIsOfferedWhileOneRuns() {
    auto home = std::make_unique<test::TemporaryHome>();
    auto run = test::WrittenRun(home->runs().toStdString(), "demo");
    run.state(tessera::RunState::Checking);
    const tessera::RunLock lock(run.folder);  // this process holds it: it lives
    auto studio = test::makeStudio(std::move(home));
    ChatPage page(*studio->studio, QStringLiteral("/bin/cat"), {}, nullptr);
    page.setActivity(true, true);
    QVERIFY(test::show(page));
    QVERIFY(waitUntil([&] { return test::button(&page, QStringLiteral("Watch it")); }));
    QVERIFY(!test::button(&page, QStringLiteral("Try the demo")));
    QVERIFY(click(test::button(&page, QStringLiteral("Watch it"))));
    QCOMPARE(studio->navigator.opened.back().page, QStringLiteral("monitor"));
    QCOMPARE(studio->navigator.opened.back().subject, run.id());
  }

  void aMissingProgramAndAMissingModelAreSaid() {
    Scene scene;
    QVERIFY(scene.show());
    scene.page->talk().setCheckpoint(0, checkpointOfFolder(QStringLiteral("/no/such/model")));
    QVERIFY(waitUntil([&] { return scene.page->findChild<Banner*>() != nullptr; }, kPatience));
    QVERIFY(!scene.page->findChild<Banner*>()->text().isEmpty());
    ChatEngine engine(QStringLiteral("/no/such/program"));
    engine.load(QStringLiteral("x"), 1);
    QVERIFY(waitUntil([&] { return engine.state() == ChatEngine::State::Failed; }));
    QVERIFY(engine.problem().contains("/no/such/program"));
  }

  void conversationsComeBack() {
    Scene scene(QStringLiteral("talk"));
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QVERIFY(scene.say(QStringLiteral("remember this")));
    QVERIFY(waitUntil([&] { return scene.conversation().at(1).text.contains("word1"); }));
    scene.page->talk().stop();
    QVERIFY(scene.answered());
    const QString id = scene.conversation().id;
    QVERIFY(click(test::button(scene.page.get(), "New chat")));
    QVERIFY(waitUntil([&] { return scene.page->store().list().size() == 1; }));
    ConversationTree* tree = scene.page->tree();
    const auto rows = tree->model()->match(tree->model()->index(0, 0), Qt::DisplayRole,
                                           "remember this", 1, Qt::MatchExactly);
    QCOMPARE(rows.size(), 1);
    QVERIFY(click(tree->view()->viewport(), tree->view()->visualRect(rows[0]).center()));
    QVERIFY(waitUntil([&] { return scene.conversation().id == id; }));
    QVERIFY(scene.conversation().at(1).tokens->size() > 1);
    QVERIFY(scene.widget(1));
  }

  void aTrainingRunGetsTheMachine() {
    auto home = std::make_unique<test::TemporaryHome>();
    auto run = test::WrittenRun(home->runs().toStdString(), "busy");
    run.state(tessera::RunState::Running);
    const tessera::RunLock lock(run.folder);  // this process holds it: it lives
    auto studio = test::makeStudio(std::move(home));
    ChatPage page(*studio->studio, QStringLiteral("/bin/cat"), {}, nullptr);
    page.setActivity(true, true);
    QVERIFY(test::show(page));
    QVERIFY(waitUntil([&] { return page.talk().training(); }));
    QVERIFY(waitUntil([&] { return test::labelWith(&page, "at low priority") != nullptr; }));
    QVERIFY(page.talk().threads() <= std::max(1, QThread::idealThreadCount() / 2));
  }
};

TESSERA_UI_MAIN(ChatPageTest)
#include "chat_page_test.moc"
