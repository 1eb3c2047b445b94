// SPDX-License-Identifier: MIT
// Chat while a model writes 200 tokens a second, and a history of 300,000 tokens.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <QApplication>
#include <QFileInfo>
#include <QJsonDocument>
#include <QJsonObject>
#include <QStandardItemModel>
#include <QTreeView>
#include <cstdio>

#include "core/base/error.h"
#include "tests/ui/bench.h"
#include "tests/ui/harness.h"
#include "ui/pages/chat/chat_inspector.h"
#include "ui/pages/chat/chat_page.h"
#include "ui/pages/chat/checkpoint_picker.h"
#include "ui/pages/chat/composer.h"
#include "ui/pages/chat/conversation_tree.h"
#include "ui/pages/chat/markdown_view.h"
#include "ui/pages/chat/message_list.h"
#include "ui/pages/chat/message_widget.h"

namespace tessera::ui::test {

namespace {
/// A little more than the budget's 200, which are what must arrive.
constexpr double kTokensPerSecond = 208, kLeast = 200;

// ---- In place of `tessera serve`: one token at a time, as a fast model sends them ---------------

void send(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

const char* wordOf(int index) {
  static constexpr const char* kWords[] = {" the",   " river",    " runs",      " under", " old",
                                           " stone", " bridges,", " and",       " then",  " it",
                                           " bends", " towards",  " a **sea**", " of",    " grass"};
  if (index % 60 == 59) return " end.\\n\\n";
  return index % 60 == 0 ? "Then" : kWords[index % 15];  // a paragraph begins without a space
}

void sendToken(qint64 request, int index) {
  // As a model of 26 MoE layers with 6 of 64 experts says it.
  std::string experts, gates;
  for (int layer = 0; layer < 26; ++layer) {
    const int e = (index + layer) % 58;
    experts += fmt::format("{}[{},{},{},{},{},{}]", layer ? "," : "", e, e + 1, e + 2, e + 3, e + 4,
                           e + 5);
    gates += fmt::format("{}[0.31,0.22,0.17,0.13,0.1,0.07]", layer ? "," : "");
  }
  send(fmt::format(
      R"({{"event":"token","id":{},"index":{},"token":{},"text":"{}","p":0.4,"alternatives":)"
      R"([[10," word",0.4],[11," other",0.2],[12," third",0.1],[13," fourth",0.05],[14," fifth",0.01]],)"
      R"("experts":[{}],"gates":[{}]}})",
      request, index, 10 + index % 7, wordOf(index), experts, gates));
}

void sendDone(qint64 request, int tokens) {
  send(fmt::format(R"({{"event":"done","id":{},"reason":"cancelled","text":"","tokens":{},)"
                   R"("prompt_tokens":5,"reused_tokens":0,"context_used":{},)"
                   R"("prompt_tokens_per_second":100,"tokens_per_second":200,"seconds":1}})",
                   request, tokens, tokens + 5));
}

void sendLoaded(qint64 request) {
  send(fmt::format(
      R"({{"event":"loaded","id":{},"step":7,"context":100000,"chat":true,"device":"cpu",)"
      R"("threads":1,"seconds":0.1,"folder":"x","vocabulary":{{"size":100,"hash":"00"}},"model":)"
      R"({{"layers":27,"moe_layers":26,"first_moe_layer":1,"experts":64,"shared_experts":2,)"
      R"("top_k":6,"hidden_size":8,"parameters":1000,"active_parameters":500}}}})",
      request));
}

int serve() {
  send(R"({"event":"ready","id":0,"protocol":1,"program":"bench","process":1,"threads":2})");
  qint64 request = 0;
  int sent = 0;
  double began = 0;
  QByteArray input;
  for (;;) {
    const double next = request ? began + sent / kTokensPerSecond - secondsNow() : 1;
    pollfd in{STDIN_FILENO, POLLIN, 0};
    if (::poll(&in, 1, std::max(0, int(1e3 * next))) > 0) {
      char bytes[4096];
      const auto got = ::read(STDIN_FILENO, bytes, sizeof bytes);
      if (got <= 0) return 0;
      input.append(bytes, got);
    }
    for (qsizetype end; (end = input.indexOf('\n')) >= 0; input.remove(0, end + 1)) {
      const QJsonObject asked = QJsonDocument::fromJson(input.left(end)).object();
      const QString what = asked["do"].toString();
      const auto id = static_cast<qint64>(asked["id"].toDouble());
      if (what == QLatin1String("load")) sendLoaded(id);
      if (what == QLatin1String("cancel")) sendDone(std::exchange(request, 0), sent);
      if (what == QLatin1String("count")) {
        send(fmt::format(R"({{"event":"counted","id":{},"tokens":42}})", id));
      }
      if (what != QLatin1String("generate")) continue;
      send(fmt::format(
          R"({{"event":"started","id":{},"prompt_tokens":5,"reused_tokens":0,"prefix_text":""}})",
          id));
      request = id;
      sent = 0;
      began = secondsNow();
    }
    while (request && began + sent / kTokensPerSecond <= secondsNow()) sendToken(request, sent++);
  }
}

// ---- The page -----------------------------------------------------------------------------------

struct ChatScene {
  ChatScene() : studio(makeStudio()) {
    page = std::make_unique<ChatPage>(*studio->studio, QCoreApplication::applicationFilePath(),
                                      QStringList{QStringLiteral("--serve")}, nullptr);
    page->setActivity(true, true);
    inspector.reset(page->inspector());
    inspector->setParent(nullptr);
    inspector->resize(300, 900);
    inspector->show();
    show(*page, {1400, 900});
  }
  std::unique_ptr<StudioFixture> studio;
  std::unique_ptr<QWidget> inspector;
  std::unique_ptr<ChatPage> page;
};

void measureStreaming(BudgetRows& rows, bool asTokens) {
  ChatScene scene;
  ChatPage& page = *scene.page;
  page.talk().setCheckpoint(0, checkpointOfFolder(QStringLiteral("/a/model")));
  if (!waitUntil([&] { return page.talk().engine(0).loaded(); })) {
    throw Error("studio_bench", "the stand-in for the model did not load");
  }
  page.talk().sampling.maxTokens = 100'000;
  page.talk().send(QStringLiteral("Tell me about rivers"));
  for (int side = 0; side < 2; ++side) page.list(side)->setAsTokens(asTokens);
  const auto tokens = [&] {
    const ChatMessage& answer = page.talk().conversation().at(1);
    return answer.tokens ? answer.tokens->size() : 0;
  };
  if (!waitUntil([&] { return tokens() > 1'000; }, 20'000)) {  // a screen is full by then
    throw Error("studio_bench", "no tokens came");
  }
  const int from = tokens();
  const double cpu = processorSeconds(), began = secondsNow();
  const double longest = longestEvent([] { QTest::qWait(4'000); });
  const double took = secondsNow() - began;
  const double share = 100 * (processorSeconds() - cpu) / took, rate = (tokens() - from) / took;
  page.talk().stop();
  waitUntil([&] { return !page.talk().busy(); });
  const QString name = asTokens ? QStringLiteral("chat as tokens") : QStringLiteral("chat");
  rows.push_back({name + ": tokens shown a second", rate, kLeast, "/s", true});
  rows.push_back({name + ", 200 tokens/s: of one core", share, 15, "%"});
  rows.push_back({name + ", 200 tokens/s: longest event", longest, 50, "ms"});
}

/// With everything recorded of every token.
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
                      QString::fromUtf8(wordOf(t)).replace("\\n", "\n"),
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

void measureHistory(BudgetRows& rows) {
  constexpr int kMessages = 600;
  ChatScene scene;
  ChatPage& page = *scene.page;
  page.store().saveAtOnce(longConversation(kMessages, 1'000));
  page.store().refresh();
  if (!waitUntil([&] { return page.store().list().size() == 1; }, 20'000)) {
    throw Error("studio_bench", "the conversation is not in the list");
  }
  QTreeView* view = page.tree()->view();
  std::vector<double> times;
  application().setWatching(true);
  application().forgetStalls();
  for (int round = 0; round < 3; ++round) {
    page.talk().setConversation(Conversation::create());
    QTest::qWait(100);
    const QModelIndex row = page.tree()->model()->index(1, 0);
    const Stopwatch watch;
    if (!click(view->viewport(), view->visualRect(row).center())) {
      throw Error("studio_bench", "the conversation cannot be clicked");
    }
    const auto shown = [&] {
      const MessageWidget* last = page.list(0)->widgetOf(kMessages - 1);
      return last && last->textView()->settled();
    };
    if (!waitUntil(shown, 30'000)) throw Error("studio_bench", "the conversation was not shown");
    QApplication::processEvents();
    times.push_back(watch.ms());
  }
  application().setWatching(false);
  for (const QString& stall : application().stalls()) fmt::print("  {}\n", stall.toStdString());
  rows.push_back({"history of 300k tokens opened (median of 3)", median(times), 1'000, "ms"});
  rows.push_back({"history of 300k tokens: longest event", application().longestMs(), 50, "ms"});
}
}  // namespace

int chatChild(const QStringList& arguments) {
  return arguments.value(1) == QLatin1String("--serve") ? serve() : -1;
}

void measureChat(BudgetRows& rows) {
  measureStreaming(rows, false);
  measureStreaming(rows, true);
  measureHistory(rows);
}

}  // namespace tessera::ui::test
