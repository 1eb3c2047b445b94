// SPDX-License-Identifier: MIT
// The chat page over two runs with checkpoints, as its tests need it.
#pragma once

#include <QTreeView>
#include <memory>

#include "tests/build_paths.h"
#include "tests/infer/tiny_model.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/chat/chat_page.h"
#include "ui/pages/chat/composer.h"
#include "ui/pages/chat/conversation_tree.h"
#include "ui/pages/chat/message_list.h"
#include "ui/pages/chat/message_widget.h"

namespace tessera::ui::test {

constexpr int kPatience = 60000;  ///< for a process on a busy machine

/// Two runs with checkpoints, and the page; with the real program or the script.
struct Scene {
  std::unique_ptr<StudioFixture> studio;
  QString first, second;
  std::unique_ptr<QWidget> inspector;
  std::unique_ptr<ChatPage> page;

  explicit Scene(const QString& fake = {}, bool withRuns = true) {
    auto home = std::make_unique<TemporaryHome>();
    if (withRuns) {
      const WatchPause pause;
      const std::filesystem::path runs = home->runs().toStdString();
      const auto tuned = finishedRun(runs, "tuned");
      tessera::test::write_checkpoint(tuned.folder.path(), 10);
      tessera::test::write_checkpoint(tuned.folder.path(), 20);
      const auto base = finishedRun(runs, "base");
      tessera::test::write_checkpoint(base.folder.path(), 5);
      first = tuned.id();
      second = base.id();
    }
    studio = makeStudio(std::move(home));
    const QString script = QStringLiteral(TESSERA_SOURCE_DIR "/tests/ui/chat_fake.sh");
    page = fake.isEmpty()
               ? std::make_unique<ChatPage>(*studio->studio, QStringLiteral(TESSERA_PROGRAM),
                                            ChatEngine::defaultArguments(), nullptr)
               : std::make_unique<ChatPage>(*studio->studio, script, QStringList{fake}, nullptr);
    page->talk().sampling.maxTokens = 24;
    page->talk().sampling.temperature = 1.0;
    page->talk().sampling.seed = 3;
    page->talk().freshSeed = false;
    page->setActivity(true, true);
  }

  bool show(const QSize& size = QSize(1024, 700)) {
    // The inspector belongs to the shell's dock: here it stands alone.
    inspector.reset(page->inspector());
    inspector->setParent(nullptr);
    inspector->resize(300, size.height());
    inspector->show();
    return test::show(*page, size);
  }
  bool load() {
    page->open({QStringLiteral("chat"), first, {{QStringLiteral("checkpoint"), "step-10"}}});
    return waitUntil([&] { return page->talk().engine(0).loaded(); }, kPatience);
  }
  bool say(const QString& text) {
    return typeInto(page->composer()->field(), text) && click(page->composer()->button());
  }
  bool answered() {
    return waitUntil([&] { return !page->talk().busy(); }, kPatience);
  }
  QString folderOf(const QString& id) const {
    return QString::fromStdString(studio->runs->run(id)->folder.string());
  }
  QString problem() const {
    const auto found = studio->navigator.problems.find(QStringLiteral("chat/0"));
    return found == studio->navigator.problems.end() ? QString() : found->second.text;
  }
  bool openChat(const QString& title) const {
    ConversationTree* tree = page->tree();
    const auto rows = tree->model()->match(tree->model()->index(0, 0), Qt::DisplayRole, title, 1,
                                           Qt::MatchExactly);
    return !rows.isEmpty() &&
           click(tree->view()->viewport(), tree->view()->visualRect(rows[0]).center());
  }
  const Conversation& conversation() const { return page->talk().conversation(); }
  MessageWidget* widget(int index) const {
    return page->list(conversation().at(index).side)->widgetOf(index);
  }
  bool press(int index, const QString& name) const {
    QWidget* wanted = button(widget(index), name);
    return wanted && click(wanted);
  }
};

}  // namespace tessera::ui::test
