// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_server tessera_infer
// The page of the server: a checkpoint is served by the program itself, asked over HTTP, and
// stopped; and what goes wrong says what to do.
#include <QCheckBox>
#include <QClipboard>
#include <QGuiApplication>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QTcpServer>
#include <QTcpSocket>
#include <QTemporaryDir>
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/build_paths.h"
#include "tests/infer/tiny_model.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/server/server_page.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"

using namespace tessera;
using namespace tessera::ui;
using tessera::ui::test::click;
using tessera::ui::test::waitUntil;
using State = ModelServer::State;

namespace {
constexpr int kPatience = 60'000;  // for a process on a busy machine

struct ServerScene {
  std::unique_ptr<ui::test::StudioFixture> studio;
  std::unique_ptr<ServerPage> page;
  QString served, bare;  ///< runs with and without a checkpoint

  explicit ServerScene(const QString& program = QStringLiteral(TESSERA_PROGRAM)) {
    auto home = std::make_unique<ui::test::TemporaryHome>();
    const std::filesystem::path runs = home->runs().toStdString();
    {
      const ui::test::WatchPause pause;
      const auto run = ui::test::finishedRun(runs, "tuned");
      tessera::test::write_checkpoint(run.folder.path(), 10);
      served = run.id();
      bare = ui::test::finishedRun(runs, "bare").id();
    }
    studio = ui::test::makeStudio(std::move(home));
    new ModelServer([program] { return program; }, studio->preferences.get());
    page = std::make_unique<ServerPage>(*studio->studio);
    page->setActivity(true, true);
  }
  ~ServerScene() {
    page->server().stop();
    waitUntil([this] { return !page->server().isAlive(); }, kPatience);
  }
  bool open(const QString& run) {
    if (!waitUntil([this] { return studio->runs->loaded(); })) return false;
    page->open({QStringLiteral("server"), run, {}});
    return ui::test::show(*page, QSize(1024, 700));
  }
  ModelServer& server() { return page->server(); }
  QSpinBox* port() { return page->findChild<QSpinBox*>(); }
  QAbstractButton* button(const char* text) {
    return ui::test::button(page.get(), QLatin1String(text));
  }
  bool comesTo(State state) {
    return waitUntil([&] { return server().state() == state; }, kPatience);
  }
  bool pressStart() {
    return waitUntil([this] { return button("Start") && button("Start")->isEnabled(); }) &&
           click(button("Start"));
  }
  bool start() {
    port()->setValue(0);
    return pressStart() && comesTo(State::Running);
  }
  QString problem() {
    auto* label = page->findChild<QLabel*>(QStringLiteral("server.problem"));
    return label->isVisible() ? label->text() : QString();
  }
};

/// The answer to a request of HTTP/1.0, its head included.
QByteArray asked(const ServerAddress& address, const QByteArray& path, const QByteArray& body,
                 const QString& key) {
  QTcpSocket socket;
  socket.connectToHost(QStringLiteral("127.0.0.1"), static_cast<quint16>(address.port));
  if (!waitUntil([&] { return socket.state() == QTcpSocket::ConnectedState; })) return {};
  QByteArray head = (body.isEmpty() ? "GET " : "POST ") + path + " HTTP/1.0\r\nHost: 127.0.0.1\r\n";
  if (!key.isEmpty()) head += "Authorization: Bearer " + key.toUtf8() + "\r\n";
  if (!body.isEmpty()) head += "Content-Length: " + QByteArray::number(body.size()) + "\r\n";
  socket.write(head + "\r\n" + body);
  waitUntil([&] { return socket.state() == QTcpSocket::UnconnectedState; }, kPatience);
  return socket.readAll();
}

QString written(const QTemporaryDir& folder, const QByteArray& script) {
  const QString file = folder.filePath(QStringLiteral("program"));
  std::ofstream(file.toStdString()) << "#!/bin/sh\n" << script.constData();
  std::filesystem::permissions(file.toStdString(), std::filesystem::perms::owner_all);
  return file;
}
}  // namespace

class ServerPageTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { theme::apply(*qApp, theme::Scheme::Light); }

  void aRunIsServedAskedAndStopped() {
    ServerScene s;
    QVERIFY(s.open(s.served));
    QVERIFY(ui::test::labelWith(s.page.get(), "lets programs that speak OpenAI's API"));
    ui::test::picture(*s.page, "server-off");
    QVERIFY2(s.start(), qPrintable(s.server().problem()));
    const ServerAddress address = s.server().address();
    QVERIFY(address.port > 0);
    QCOMPARE(address.base, QStringLiteral("http://127.0.0.1:%1/v1").arg(address.port));
    QCOMPARE(address.model, s.served);
    QVERIFY(address.key.isEmpty());
    // The lines name what is there; what curl sends is what the server takes.
    for (const TalkBy by : kTalkBy) {
      QVERIFY(s.page->lines(by)->toPlainText().contains(address.base));
      QVERIFY(s.page->lines(by)->toPlainText().contains(address.model));
    }
    const QByteArray body = "{\"model\":\"" + address.model.toUtf8() +
                            "\",\"messages\":[{\"role\":\"user\",\"content\":\"The fox\"}],"
                            "\"max_tokens\":4}";
    const QByteArray answer = asked(address, "/v1/chat/completions", body, {});
    QVERIFY2(answer.contains(" 200 ") && answer.contains("\"choices\""), answer.constData());
    QVERIFY(waitUntil([&] { return s.server().counts().ended >= 1; }));
    QVERIFY(s.server().counts().writtenTokens >= 1);
    QVERIFY(!s.port()->isEnabled());
    ui::test::picture(*s.page, "server-light");
    theme::apply(*qApp, theme::Scheme::Dark);
    ui::test::picture(*s.page, "server-dark");
    theme::apply(*qApp, theme::Scheme::Light);
    QVERIFY(click(s.button("Stop")));
    QVERIFY(s.comesTo(State::Off));
    QVERIFY(s.problem().isEmpty());
    QVERIFY(s.button("Start")->isEnabled());
  }

  /// The key is made, kept for its user alone, asked for, and hidden until it is wanted.
  void aKeyIsMadeAndAskedFor() {
    ServerScene s;
    QVERIFY(s.open(s.served));
    auto* withKey = qobject_cast<QCheckBox*>(s.button("Ask for a key"));
    QVERIFY(click(withKey));
    QVERIFY2(s.start(), qPrintable(s.server().problem()));
    const ServerAddress address = s.server().address();
    QCOMPARE(address.key.size(), 64);
    using std::filesystem::perms;
    const perms rights =
        std::filesystem::status(ModelServer::keyFile().toStdString()).permissions();
    QCOMPARE(rights, perms::owner_read | perms::owner_write);
    QVERIFY(asked(address, "/v1/models", {}, {}).contains(" 401 "));
    QVERIFY(asked(address, "/v1/models", {}, address.key).contains(" 200 "));
    QPlainTextEdit* lines = s.page->lines(TalkBy::Curl);
    QVERIFY(!lines->toPlainText().contains(address.key));
    QVERIFY(click(ui::test::button(s.page.get(), "Copy")));
    QVERIFY(QGuiApplication::clipboard()->text().contains("Bearer " + address.key));
    QVERIFY(click(s.button("Show the key, here and in the lines below")));
    QVERIFY(lines->toPlainText().contains(address.key));
    const auto labels = s.page->findChildren<ElidedLabel*>();
    QVERIFY(std::any_of(labels.begin(), labels.end(),
                        [&](const ElidedLabel* one) { return one->fullText() == address.key; }));
    ui::test::picture(*s.page, "server-key");
    // The same key the next time.
    QVERIFY(click(s.button("Stop")));
    QVERIFY(s.comesTo(State::Off));
    QVERIFY(s.start());
    QCOMPARE(s.server().address().key, address.key);
  }

  void aTakenPortIsToldAtOnce() {
    ServerScene s;
    QVERIFY(s.open(s.served));
    QTcpServer other;
    QVERIFY(other.listen(QHostAddress::LocalHost));
    s.port()->setValue(other.serverPort());
    QVERIFY(s.pressStart());
    QCOMPARE(s.server().state(), State::Failed);
    QVERIFY2(s.problem().contains("Choose another one"), qPrintable(s.problem()));
    ui::test::picture(*s.page, "server-port-taken");
    other.close();
    QVERIFY2(s.start(), qPrintable(s.server().problem()));
    QVERIFY(s.problem().isEmpty());
  }

  void aRunWithoutACheckpointIsToldByTheProgram() {
    ServerScene s;
    QVERIFY(s.open(s.bare));
    s.port()->setValue(0);
    QVERIFY(s.pressStart());
    QVERIFY(s.comesTo(State::Failed));
    QVERIFY2(s.problem().contains("checkpoint"), qPrintable(s.problem()));
  }

  void aProgramThatIsMissingOrDiesIsTold() {
    {
      ServerScene s(QStringLiteral("/nowhere/tessera"));
      QVERIFY(s.open(s.served));
      QVERIFY(s.pressStart());
      QVERIFY(s.comesTo(State::Failed));
      QVERIFY2(s.problem().contains("could not be started"), qPrintable(s.problem()));
    }
    const QTemporaryDir folder;
    ServerScene s(
        written(folder, "echo 'm answers at http://127.0.0.1:1/v1 (x)'\nkill -KILL $$\n"));
    QVERIFY(s.open(s.served));
    QVERIFY(s.pressStart());
    QVERIFY(s.comesTo(State::Failed));
    QVERIFY2(s.problem().contains("signal 9"), qPrintable(s.problem()));
  }

  void nothingIsServedBeforeSomethingIsChosen() {
    auto studio = ui::test::makeStudio();
    ServerPage page(*studio->studio);
    QVERIFY(ui::test::show(page, QSize(1024, 700)));
    QVERIFY(!ui::test::button(&page, "Start")->isEnabled());
    QCOMPARE(ui::test::button(&page, "Start")->toolTip(),
             QString("Choose a run or a folder first"));
    QVERIFY(ui::test::button(&page, "Choose a folder"));
    QVERIFY(page.command().startsWith("tessera serve --http"));
  }

  void whatIsToldIsRead() {
    const ServerAddress here =
        addressIn("my model answers at http://127.0.0.1:8080/v1 (context 64 tokens)");
    QCOMPARE(here.model, QString("my model"));
    QCOMPARE(here.port, 8080);
    const ServerAddress all = addressIn("m answers at http://0.0.0.0:81/v1 (x)");
    QVERIFY(!all.base.contains("0.0.0.0"));
    QVERIFY(all.base.endsWith(":81/v1"));
    QCOMPARE(addressIn("loading").port, 0);
    const ServerCounts counts = countsIn(
        "# HELP tessera_num_requests_running x\n"
        "tessera_num_requests_running{model_name=\"a } b\"} 3\n"
        "tessera_request_success_total{model_name=\"m\",finished_reason=\"stop\"} 4\n"
        "tessera_request_success_total{model_name=\"m\",finished_reason=\"length\"} 5\n"
        "tessera_http_responses_total{model_name=\"m\",status=\"429\"} 2\n");
    QCOMPARE(counts.running, 3.0);
    QCOMPARE(counts.ended, 9.0);
    QCOMPARE(counts.responses.at(429), 2.0);
  }

  /// Names with quotes, spaces and letters of any language are spelled as each language has it.
  void linesAreTrueForAnyName() {
    const ServerAddress address{"http://h:1/v1", "it's \"ü\" \\ x", "k'ey", 1};
    const QString curl = talkLines(TalkBy::Curl, address);
    QVERIFY(curl.contains("'Authorization: Bearer k'\\''ey'"));
    QVERIFY(curl.contains("it'\\''s \\\"ü\\\" \\\\ x"));
    for (const TalkBy by : {TalkBy::OpenAi, TalkBy::LangChain, TalkBy::LlamaIndex}) {
      QVERIFY(talkLines(by, address).contains("model=\"it's \\\"ü\\\" \\\\ x\""));
      QVERIFY(talkLines(by, address).contains("api_key=\"k'ey\""));
    }
    QVERIFY(talkLines(TalkBy::OpenAi, {"b", "m", {}, 1}).contains("api_key=\"none\""));
    QVERIFY(!talkLines(TalkBy::Curl, {"b", "m", {}, 1}).contains("Authorization"));
  }
};

TESSERA_UI_MAIN(ServerPageTest)
#include "server_page_test.moc"
