// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_chat
// Conversations, their files, and the pieces that growing Markdown is cut into.
#include <QDir>
#include <QFile>
#include <QTemporaryDir>

#include "core/base/error.h"
#include "tests/ui/harness.h"
#include "ui/bridge/chat/chat_store.h"
#include "ui/pages/chat/markdown_blocks.h"

using namespace tessera::ui;
using tessera::Error;

namespace {
ChatToken token(int id, const QString& text, float p) {
  ChatToken made{id, text, {}, p, {}, {}, {}};
  made.alternatives = {{id, text, p}, {id + 1, QStringLiteral("other"), p / 2}};
  made.experts = {1, 3, 2, 0};
  made.gates = {0.75f, 0.25f, 0.5f, 0.5f};
  return made;
}

int say(Conversation& c, int parent, const QString& text, int side = 0) {
  ChatMessage message;
  message.parent = parent;
  message.text = text;
  message.side = side;
  return c.add(message);
}

int answer(Conversation& c, int parent, const QString& text, int side = 0) {
  ChatMessage message;
  message.role = ChatMessage::Role::Assistant;
  message.parent = parent;
  message.side = side;
  message.model = side == 0 ? QStringLiteral("tuned") : QStringLiteral("base");
  message.reason = QStringLiteral("stop");
  const int index = c.add(message);
  c.appendTokens(index, {token(5, text.left(2), 0.5f), token(7, text.mid(2), 0.25f)}, 2);
  return index;
}

QStringList kinds(const QString& text, bool finished) {
  QStringList list;
  for (const MarkdownPiece& piece : markdownPieces(text, 0, finished)) {
    list += QStringLiteral("%1%2:%3")
                .arg(piece.kind == MarkdownPiece::Kind::Code ? QStringLiteral("C")
                                                             : QStringLiteral("T"))
                .arg(piece.closed ? QString() : QStringLiteral("*"), piece.text.trimmed());
  }
  return list;
}
}  // namespace

class ChatBridgeTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void recordKnowsItsTokens() {
    TokenRecord record;
    record.append(token(10, QStringLiteral("The"), 0.9f), 2);
    record.append(token(11, QString(), 0.8f), 2);  // the first byte of a character
    record.append(token(12, QStringLiteral("é!"), 0.1f), 2);
    ChatToken bare = token(13, QStringLiteral("?"), 0.3f);
    bare.experts.clear();
    bare.gates.clear();
    record.append(bare, 2);
    QCOMPARE(record.size(), 4);
    QCOMPARE(record.tokenAt(2), 0);
    QCOMPARE(record.tokenAt(3), 2);
    QCOMPARE(record.tokenAt(6), -1);
    QCOMPARE(record.length(1), 0);
    QCOMPARE(record.alternatives(2).size(), std::size_t{2});
    QCOMPARE(record.alternatives(2)[1].id, 13);
    QVERIFY(record.hasExperts(2));
    QVERIFY(!record.hasExperts(3));
    const std::vector<double> usage = record.usage(0, 4, 4);
    QCOMPARE(usage, (std::vector<double>{0, 3, 0, 3, 3, 0, 3, 0}));
    QCOMPARE(record.usage(0, 4, 4, true)[1], 2.25);
    const TokenRecord again = TokenRecord::fromJson(record.toJson(true));
    QCOMPARE(again.ids(), record.ids());
    QCOMPARE(again.usage(0, 4, 4), usage);
    QCOMPARE(again.shown(1, {}), record.shown(1, {}));
    QVERIFY(!again.hasExperts(3));
    QCOMPARE(record.first(1).ids(), std::vector<int>{10});
    QCOMPARE(record.first(1).usage(0, 1, 4)[3], 1.0);
    const TokenRecord plain = TokenRecord::fromJson(record.toJson(false));
    QCOMPARE(plain.probability(2), 0.1f);
    QCOMPARE(plain.layers(), 0);
    QVERIFY(TokenRecord::fromJson({{"ids", "AAAA"}, {"begins", "!"}}).empty());
  }

  void branchesAreKept() {
    Conversation c = Conversation::create();
    const int u1 = say(c, -1, QStringLiteral("one"));
    const int a1 = answer(c, u1, QStringLiteral("first"));
    const int a2 = answer(c, u1, QStringLiteral("second"));
    QCOMPARE(c.path(), (std::vector<int>{u1, a2}));
    QCOMPARE(c.siblings(a1), (std::vector<int>{a1, a2}));
    const int u2 = say(c, a2, QStringLiteral("two"));
    c.show(a1);
    QCOMPARE(c.path(), (std::vector<int>{u1, a1}));
    c.show(u2);
    QCOMPARE(c.path(), (std::vector<int>{u1, a2, u2}));
    const int other = say(c, -1, QStringLiteral("another beginning"));
    QCOMPARE(c.path(), std::vector<int>{other});
    QCOMPARE(c.at(a1).text, QStringLiteral("first"));
    QCOMPARE(c.titleOrBeginning(), QStringLiteral("another beginning"));
  }

  void twoSidesShareTheirBeginning() {
    Conversation c = Conversation::create();
    const int u1 = say(c, -1, QStringLiteral("one"));
    const int a1 = answer(c, u1, QStringLiteral("alone"));
    QCOMPARE(c.path(1), c.path(0));  // the second checkpoint comes later
    const int u2 = say(c, a1, QStringLiteral("two"));
    const int left = answer(c, u2, QStringLiteral("left"));
    const int right = answer(c, u2, QStringLiteral("right"), 1);
    QCOMPARE(c.path(0), (std::vector<int>{u1, a1, u2, left}));
    QCOMPARE(c.path(1), (std::vector<int>{u1, a1, u2, right}));
    QCOMPARE(c.siblings(right), std::vector<int>{right});
    const QString text = c.toMarkdown();
    QVERIFY(text.contains(QStringLiteral("**tuned**\n\nleft")));
    QVERIFY(text.contains(QStringLiteral("## Beside\n\n**base**\n\nright")));
  }

  void filesGiveBackEverything() {
    Conversation c = Conversation::create();
    c.system = QStringLiteral("Be brief.");
    const int u1 = say(c, -1, QStringLiteral("one \"quoted\"\nline"));
    const int a1 = answer(c, u1, QStringLiteral("first ✓"));
    answer(c, u1, QStringLiteral("second"));
    c.edit(a1).usage = std::make_shared<std::vector<double>>(std::vector<double>{1, 2, 3, 4});
    c.edit(a1).sampling.seed = 18446744073709551615ull;
    c.show(a1);
    const QByteArray json = c.toJson();
    const Conversation again = Conversation::fromJson(json, QStringLiteral("test"));
    QCOMPARE(again.path(), c.path());
    QCOMPARE(again.system, c.system);
    QCOMPARE(again.at(a1).text, c.at(a1).text);
    QCOMPARE(again.at(a1).tokens->ids(), c.at(a1).tokens->ids());
    QCOMPARE(*again.at(a1).usage, *c.at(a1).usage);
    QCOMPARE(again.at(a1).sampling, c.at(a1).sampling);
    QCOMPARE(again.toJson(), json);
    ChatHeader header;
    QVERIFY(readChatHeader(json.left(json.indexOf('\n') + 1), header));
    QCOMPARE(header.id, c.id);
    QCOMPARE(header.messages, 3);
    for (const QByteArray& bad : {QByteArray("{"), QByteArray("{\"format\":\"x\"}"),
                                  QByteArray("{\"format\":\"tessera-chat\",\"version\":99}"),
                                  QByteArray("{\"format\":\"tessera-chat\",\"version\":1,"
                                             "\"messages\":[{\"parent\":5}]}")}) {
      bool thrown = false;
      try {
        Conversation::fromJson(bad, QStringLiteral("test"));
      } catch (const Error& error) {
        thrown = !error.hint().empty();
      }
      QVERIFY2(thrown, bad.constData());
    }
  }

  void storeListsOpensAndRemoves() {
    const QTemporaryDir folder;
    ChatStore store(folder.path());
    Conversation c = Conversation::create();
    say(c, -1, QStringLiteral("hello there"));
    store.save(c);
    QVERIFY(test::waitUntil([&] { return store.list().size() == 1; }));
    QCOMPARE(store.list()[0].header.title, QStringLiteral("hello there"));
    QSignalSpy opened(&store, &ChatStore::opened);
    const QString file = store.list()[0].file;
    const quint64 request = store.open(file);
    QVERIFY(opened.wait());
    QCOMPARE(opened[0][0].toULongLong(), request);
    store.remove(file);
    QVERIFY(test::waitUntil([&] { return store.list().empty(); }));
    store.restore(file);
    QVERIFY(test::waitUntil([&] { return store.list().size() == 1; }));
    QFile damaged(folder.filePath(QStringLiteral("damaged.json")));
    QVERIFY(damaged.open(QIODevice::WriteOnly) && damaged.write("{\"format\":\"tes") > 0);
    damaged.close();
    QSignalSpy failed(&store, &ChatStore::failed);
    store.open(damaged.fileName());
    QVERIFY(failed.wait());
    QVERIFY(failed[0][1].toString().contains(QStringLiteral("damaged.json")));
  }

  void exportsWhatIsShownOrAll() {
    const QTemporaryDir folder;
    ChatStore store(folder.path());
    Conversation c = Conversation::create();
    answer(c, say(c, -1, QStringLiteral("question")), QStringLiteral("reply"));
    QSignalSpy exported(&store, &ChatStore::exported);
    const QString words = folder.filePath(QStringLiteral("a.md")),
                  all = folder.filePath(QStringLiteral("b.json"));
    store.exportTo(c, words);
    store.exportTo(c, all);
    QVERIFY(test::waitUntil([&] { return exported.size() == 2; }));
    QFile text(words), json(all);
    QVERIFY(text.open(QIODevice::ReadOnly) && json.open(QIODevice::ReadOnly));
    QVERIFY(text.readAll().contains("**You**\n\nquestion\n\n**tuned**\n\nreply"));
    QCOMPARE(Conversation::fromJson(json.readAll(), all).size(), 2);
    QSignalSpy failed(&store, &ChatStore::failed);
    store.exportTo(c, QStringLiteral("/no/such/folder/x.md"));
    QVERIFY(failed.wait());
  }

  void markdownIsCutWhereItIsDone() {
    QCOMPARE(kinds(QStringLiteral("one\n\ntwo\n\nthr"), false),
             (QStringList{"T:one", "T*:two\n\nthr"}));  // half a line decides nothing
    QCOMPARE(kinds(QStringLiteral("one\n\ntwo"), true), (QStringList{"T:one", "T:two"}));
    // A list with empty lines between its items counts on.
    QCOMPARE(kinds(QStringLiteral("1. a\n\n2. b\n\nend\n"), true),
             (QStringList{"T:1. a\n\n2. b", "T:end"}));
    QCOMPARE(kinds(QStringLiteral("say\n```py\nx = 1\n\ny = 2\n"), false),
             (QStringList{"T:say", "C*:x = 1\n\ny = 2"}));
    QCOMPARE(kinds(QStringLiteral("say\n```py\nx\n```\nmore\n"), true),
             (QStringList{"T:say", "C:x", "T:more"}));
    QCOMPARE(kinds(QStringLiteral("~~~\n```\n~~~\n"), true), QStringList{"C:```"});
    QCOMPARE(kinds(QStringLiteral("```\nnever closed"), true), QStringList{"C:never closed"});
  }

  /// Whatever the cuts, every character of the text comes out once, in order.
  void markdownPiecesCoverTheText() {
    const QString text = QStringLiteral(
        "# Head\n\nPara with `code`\nand more.\n\n- a\n- b\n\n  deeper\n\n```cpp\nint x;\n```\n"
        "After.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quote\n\nEnd");
    const auto whole = kinds(text, true);
    for (qsizetype cut = 1; cut < text.size(); ++cut) {
      qsizetype at = 0;
      QStringList seen;
      for (const QString& part : {text.left(cut), text}) {
        const bool finished = part.size() == text.size();
        for (const MarkdownPiece& piece : markdownPieces(part, at, finished)) {
          if (!piece.closed) break;
          seen += QStringLiteral("%1:%2")
                      .arg(piece.kind == MarkdownPiece::Kind::Code ? QStringLiteral("C")
                                                                   : QStringLiteral("T"))
                      .arg(piece.text.trimmed());
          at = piece.end;
        }
      }
      QCOMPARE(seen, whole);
    }
  }
};

TESSERA_UI_MAIN(ChatBridgeTest)
#include "chat_bridge_test.moc"
