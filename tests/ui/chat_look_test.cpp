// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_chat tessera_checkpoint tessera_tokenizer
// What a conversation looks like: long ones, ones that grow, Markdown, tokens on their colours.
#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFile>
#include <QFileDialog>
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
#include <QTextDocument>
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
#include "ui/pages/chat/token_view.h"
#include "ui/theme/theme.h"
#include "ui/widgets/banner.h"

using namespace tessera::ui;  // not of tessera: it has a namespace test too
using test::click;
using test::kPatience;
using test::Scene;
using test::waitUntil;

namespace {
double threadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// A long conversation with everything recorded.
Conversation longConversation(int messages, int tokensEach) {
  Conversation c = Conversation::create();
  int parent = -1;
  for (int m = 0; m < messages; ++m) {
    ChatMessage message;
    message.parent = parent;
    message.role = m % 2 ? ChatMessage::Role::Assistant : ChatMessage::Role::User;
    message.model = QStringLiteral("tuned, 10 steps");
    message.reason = QStringLiteral("stop");
    if (!message.isAnswer()) message.text = QStringLiteral("Question %1 about rivers?").arg(m);
    parent = c.add(message);
    if (m % 2 == 0) continue;
    std::vector<ChatToken> tokens;
    for (int t = 0; t < tokensEach; ++t) {
      ChatToken token{t % 300,
                      t % 60 == 59 ? QStringLiteral(" end.\n\n") : QStringLiteral(" word"),
                      {},
                      0.3f,
                      {},
                      {1, 5, 0, 3},
                      {0.7f, 0.3f, 0.6f, 0.4f}};
      for (int a = 0; a < 5; ++a) token.alternatives.push_back({a, QStringLiteral("alt"), 0.1f});
      tokens.push_back(token);
    }
    c.appendTokens(parent, tokens, 2);
  }
  return c;
}

const QString kMarkdown = QStringLiteral(
    "# A heading\n\nSome *emphasis*, **strength** and `code`, with a "
    "[link](https://example.org).\n\n"
    "1. first\n2. second\n\n```cpp\nint main() {\n  return 0;  // a comment\n}\n```\n\n"
    "| layer | experts |\n|---|---|\n| 1 | 8 |\n| 2 | 8 |\n\n> A quotation.\n\nThe end.");
}  // namespace

class ChatLookTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void whatComesFastIsShownLessOften() {
    for (const bool fast : {false, true}) {
      Scene scene(fast ? QStringLiteral("fast") : QStringLiteral("talk"));
      QVERIFY(scene.show());
      QVERIFY(scene.load());
      QVERIFY(scene.say(QStringLiteral("rivers")));
      const ChatEngine& engine = scene.page->talk().engine(0);
      const int usual = engine.interval();
      const auto tokens = [&] {
        const ChatMessage& answer = scene.conversation().at(1);
        return answer.tokens ? answer.tokens->size() : 0;
      };
      QVERIFY(waitUntil([&] { return tokens() >= 6; }, kPatience));
      if (fast) {
        QVERIFY(waitUntil([&] { return engine.interval() > usual; }, kPatience));
      } else {
        QCOMPARE(engine.interval(), usual);
      }
      scene.page->talk().stop();
      QVERIFY(scene.answered());
    }
  }

  void aLongHistoryOpensAtOnce() {
    Scene scene(QStringLiteral("talk"));
    QVERIFY(scene.show());
    QString file;
    {
      const test::WatchPause pause;
      const Conversation c = longConversation(600, 1000);
      scene.page->store().saveAtOnce(c);
      file = scene.studio->home->home() + "/chats/" + c.id + ".json";
      qInfo("300,000 tokens in a file of %.1f MB", double(QFileInfo(file).size()) / 1e6);
    }
    QElapsedTimer clock;
    clock.start();
    scene.page->store().refresh();
    QVERIFY(waitUntil([&] { return scene.page->store().list().size() == 1; }));
    const QModelIndex row = scene.page->tree()->model()->index(1, 0);
    clock.restart();
    QVERIFY(click(scene.page->tree()->view()->viewport(),
                  scene.page->tree()->view()->visualRect(row).center()));
    QVERIFY(waitUntil([&] { return scene.conversation().size() == 600 && scene.widget(599); },
                      kPatience));
    QVERIFY(waitUntil([&] { return scene.widget(599)->textView()->settled(); }, kPatience));
    qInfo("opened in %lld ms, %d messages built", static_cast<long long>(clock.elapsed()),
          scene.page->list(0)->built());
    QVERIFY(scene.page->list(0)->built() < 100);
    QVERIFY(scene.page->list(0)->atEnd());
    // Scrolling up builds what comes into view.
    QVERIFY(waitUntil([&] { return scene.page->list(0)->verticalScrollBar()->maximum() > 200; }));
    const int before = scene.page->list(0)->built();
    scene.page->list(0)->verticalScrollBar()->setValue(0);
    QVERIFY(waitUntil([&] { return scene.page->list(0)->built() > before; }));
    test::picture(*scene.page, "chat-long");
  }

  void streamingCostsLittle() {
    Scene scene(QStringLiteral("fast"));
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    QVERIFY(scene.say(QStringLiteral("fast")));
    QVERIFY(waitUntil([&] { return !scene.conversation().at(1).text.isEmpty(); }));
    const int from = scene.conversation().at(1).tokens->size();
    const double cpu = threadSeconds();
    QElapsedTimer clock;
    clock.start();
    QTest::qWait(3000);
    const double seconds = 1e-3 * static_cast<double>(clock.elapsed());
    qInfo("%.0f tokens/s with %.1f %% of a core",
          (scene.conversation().at(1).tokens->size() - from) / seconds,
          100 * (threadSeconds() - cpu) / seconds);
    QVERIFY(scene.conversation().at(1).tokens->size() > from + 100);
    scene.page->talk().stop();
    QVERIFY(scene.answered());
  }

  /// Scrolling moves what is on the screen, and only what is new is painted: it must be what a
  /// window painted at once would show.
  void whatIsOnTheScreenIsWhatIsThere() {
    Scene scene(QStringLiteral("fast"));
    QVERIFY(scene.show());
    QVERIFY(scene.load());
    const auto compare = [&] {
      QTest::qWait(400);
      const QImage shown = scene.page->screen()->grabWindow(scene.page->winId()).toImage();
      const QImage fresh = scene.page->grab().toImage();
      QCOMPARE(shown.size(), fresh.size());
      int different = 0;
      for (int y = 0; y < fresh.height(); ++y) {
        for (int x = 0; x < fresh.width(); ++x) different += shown.pixel(x, y) != fresh.pixel(x, y);
      }
      QCOMPARE(different, 0);
    };
    QVERIFY(scene.say(QStringLiteral("fast")));
    for (const bool tokens : {false, true}) {
      const auto size = [&] { return scene.conversation().at(1).tokens->size(); };
      QVERIFY(waitUntil([&] { return scene.conversation().at(1).tokens != nullptr; }));
      const int from = size();
      QVERIFY(waitUntil([&] { return size() > from + 250; }, kPatience));
      if (tokens) {
        scene.page->talk().stop();
        QVERIFY(scene.answered());
      } else {
        QVERIFY(click(test::button(scene.page.get(), "Tokens")));
      }
    }
    scene.page->composer()->field()->clearFocus();  // a cursor blinks
    compare();
    scene.page->resize(820, 600);
    compare();
    scene.page->list(0)->verticalScrollBar()->setValue(40);
    compare();
    scene.page->resize(1000, 680);
    compare();
  }

  /// However it arrives, the text ends up the same as at once.
  void growingMarkdownLooksLikeFinishedMarkdown() {
    MarkdownView whole(MarkdownView::Format::Markdown), grown(MarkdownView::Format::Markdown);
    whole.resize(600, 100);
    grown.resize(600, 100);
    whole.setText(kMarkdown, true);
    QVERIFY(waitUntil([&] { return whole.settled(); }));
    for (qsizetype n = 1; n <= kMarkdown.size(); n += 3) {
      grown.showText(kMarkdown.left(n), false);
      QTest::qWait(0);
    }
    grown.showText(kMarkdown, true);
    QVERIFY(waitUntil([&] { return grown.settled(); }));
    QCOMPARE(grown.toPlainText(), whole.toPlainText());
    QCOMPARE(grown.document()->size().height(), whole.document()->size().height());
    QVERIFY(whole.toPlainText().contains("return 0;"));
    QVERIFY(!whole.toPlainText().contains("```"));
  }

  void textOnProbabilityColoursIsReadable() {
    for (const auto scheme : {theme::Scheme::Light, theme::Scheme::Dark}) {
      theme::apply(test::application(), scheme);
      for (const float p : {1.f, 0.9f, 0.5f, 0.1f, 0.01f, 1e-4f, 0.f}) {
        const QColor ground = probabilityColor(p);
        if (ground.alpha() == 0) continue;
        QVERIFY(theme::contrast(theme::colors().text, ground) >= 4.5);
      }
    }
    theme::apply(test::application(), theme::Scheme::Light);
  }

  void looksRightInBothThemes() {
    for (const auto scheme : {theme::Scheme::Light, theme::Scheme::Dark}) {
      const test::WatchPause pause;
      theme::apply(test::application(), scheme);
      const QString name = scheme == theme::Scheme::Light ? "light" : "dark";
      Scene scene(QStringLiteral("talk"));
      QVERIFY(scene.show());
      QVERIFY(scene.load());
      test::picture(*scene.page, "chat-ready-" + name);
      Conversation c = longConversation(5, 150);
      ChatMessage answer = c.at(3);
      answer.parent = 4;
      answer.text = kMarkdown;
      answer.tokens = nullptr;
      c.add(answer);
      scene.page->talk().setConversation(c);
      QVERIFY(waitUntil([&] { return scene.widget(5) && scene.widget(5)->textView()->settled(); }));
      QTest::qWait(200);
      test::picture(*scene.page, "chat-code-" + name);
      scene.page->list(0)->verticalScrollBar()->setValue(0);
      QTest::qWait(100);
      test::picture(*scene.page, "chat-top-" + name);
    }
    theme::apply(test::application(), theme::Scheme::Light);
  }
};

TESSERA_UI_MAIN(ChatLookTest)
#include "chat_look_test.moc"
