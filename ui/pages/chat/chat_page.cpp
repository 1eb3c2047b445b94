// SPDX-License-Identifier: MIT
#include "ui/pages/chat/chat_page.h"

#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QThread>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/launch/terminal_command.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/bridge/runs/run_titles.h"
#include "ui/pages/chat/chat_inspector.h"
#include "ui/pages/chat/checkpoint_picker.h"
#include "ui/pages/chat/composer.h"
#include "ui/pages/chat/conversation_tree.h"
#include "ui/pages/chat/message_list.h"
#include "ui/pages/chat/message_widget.h"
#include "ui/pages/chat/token_view.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
constexpr int kSaveMs = 250, kCountMs = 400, kScanMs = 3000, kPatienceMs = 5000;
constexpr int kFocusedMs = 100, kUnfocusedMs = 500, kHiddenMs = 1000;
}  // namespace

ChatPage::ChatPage(Studio& studio, QWidget* parent)
    : ChatPage(studio, Launcher::program(), ChatEngine::defaultArguments(), parent) {}

ChatPage::ChatPage(Studio& studio, const QString& program, const QStringList& arguments,
                   QWidget* parent)
    : Page(studio, parent),
      m_talk(new ChatTalk(program, arguments, this)),
      m_store(new ChatStore({}, this)),
      m_save(new QTimer(this)),
      m_count(new QTimer(this)),
      m_scan(new QTimer(this)),
      m_patience(new QTimer(this)) {
  build();
  makeCommands();
  connectTalk();
  connectLists();
  connectTree();
  connectInspector();
  readSampling();
  m_save->setSingleShot(true);
  m_save->setInterval(kSaveMs);
  connect(m_save, &QTimer::timeout, this, &ChatPage::saveNow);
  m_patience->setSingleShot(true);
  m_patience->setInterval(kPatienceMs);
  connect(m_patience, &QTimer::timeout, this, [this] { followWanted(true); });
  m_scan->setSingleShot(true);
  connect(m_scan, &QTimer::timeout, this,
          [this] { m_store->listCheckpoints(this->studio().runs.runs()); });
  m_count->setSingleShot(true);
  m_count->setInterval(kCountMs);
  connect(m_count, &QTimer::timeout, this, [this] {
    m_talk->count(m_composer->text());
    askForTemplate();
  });
  connect(m_store, &ChatStore::listChanged, this, [this] { m_tree->setList(m_store->list()); });
  connect(m_store, &ChatStore::checkpointsListed, this, &ChatPage::takeRuns);
  connect(m_store, &ChatStore::opened, this,
          [this](quint64 request, const std::shared_ptr<const Conversation>& read) {
            if (request == m_opening) takeConversation(*read);
          });
  connect(m_store, &ChatStore::failed, this, [this](quint64, const QString& message) {
    this->studio().navigator.notify(QStringLiteral("error"), message);
  });
  connect(m_store, &ChatStore::exported, this, [this](const QString& file) {
    this->studio().navigator.toast(tr("Exported to %1").arg(file));
  });
  connect(m_empty, &EmptyState::pressed, this, [this] {
    if (const RunRow* training = runThatTrains(); training && !m_talk->hasCheckpoint()) {
      this->studio().navigator.open(
          {QStringLiteral("monitor"), QString::fromStdString(training->id), {}});
    } else if (!m_talk->hasCheckpoint()) {
      this->studio().navigator.open({QStringLiteral("home"), {}, {}});
    } else if (!m_talk->engine(0).loaded()) {
      m_talk->reload(0);
    } else {
      m_composer->field()->setFocus();
    }
  });
  connect(&studio.runs, &RunStore::runsChanged, this, &ChatPage::takeRunStates);
  m_store->refresh();
  takeRunStates();
  showConversation();
}

ChatPage::~ChatPage() {
  if (m_dirty) m_store->saveAtOnce(m_talk->conversation());
}

// ---- Where --------------------------------------------------------------------------------------

void ChatPage::open(const Location& location) {
  if (location.subject.isEmpty() && location.arguments.isEmpty()) return;
  m_wanted = location;
  m_patience->start();
  followWanted(false);
  if (m_wanted) takeRunStates();
}

/// Goes where a link pointed, once the runs are known. A run may be so new that the library has not
/// seen it: only the `last` try says so.
void ChatPage::followWanted(bool last) {
  if (!m_wanted || !m_runs) return;
  const QMap<QString, QString> wanted = m_wanted->arguments;
  const QString subject = m_wanted->subject, beside = wanted.value(QStringLiteral("beside"));
  const auto first = find(subject, wanted.value(QStringLiteral("checkpoint")));
  const auto second = find(beside, wanted.value(QStringLiteral("beside_checkpoint")));
  const bool missing = (!subject.isEmpty() && !first) || (!beside.isEmpty() && !second);
  if (missing && !last) return;
  m_wanted.reset();
  m_patience->stop();
  openWantedChat(wanted.value(QStringLiteral("chat")));
  const auto use = [this](int side, const QString& what, const std::optional<ChatCheckpoint>& one) {
    if (what.isEmpty()) return;
    if (!one) {
      studio().navigator.notify(QStringLiteral("error"),
                                tr("%1 has no such checkpoint to talk to").arg(what));
    } else if (!(*one == m_talk->checkpoint(side)) || !m_talk->engine(side).loaded()) {
      m_talk->setCheckpoint(side, *one);
    }
  };
  use(0, subject, first);
  use(1, beside, second);
  showConversation();
}

/// The conversation that a link names; a link that names none begins a new one.
void ChatPage::openWantedChat(const QString& id) {
  if (id.isEmpty()) {
    if (!m_talk->conversation().empty()) newChat();
    return;
  }
  if (id == m_talk->conversation().id) return;
  for (const ChatEntry& entry : m_store->list()) {
    if (entry.header.id == id) openChat(entry.file);
  }
}

/// A run's checkpoint ("step-N"; empty: the newest), or a folder.
std::optional<ChatCheckpoint> ChatPage::find(const QString& runOrFolder,
                                             const QString& checkpoint) const {
  if (runOrFolder.isEmpty()) return {};
  if (runOrFolder.startsWith(u'/')) return checkpointOfFolder(runOrFolder);
  const auto run = std::find_if(m_runs->begin(), m_runs->end(),
                                [&](const ChatRun& one) { return one.id == runOrFolder; });
  if (run == m_runs->end()) return {};
  if (checkpoint.isEmpty()) return checkpointOf(*run, run->steps.front());
  const qint64 step = checkpoint.section(u'-', -1).toLongLong();
  const bool there = std::find(run->steps.begin(), run->steps.end(), step) != run->steps.end();
  return there ? std::optional(checkpointOf(*run, step)) : std::nullopt;
}

/// The checkpoint in a folder: of the run that it belongs to, where that is in the library.
ChatCheckpoint ChatPage::checkpointAt(const QString& path, const QString& label) const {
  for (std::size_t i = 0; m_runs && i < m_runs->size(); ++i) {
    const ChatRun& run = (*m_runs)[i];
    if (!path.startsWith(run.folder + u'/')) continue;
    for (const qint64 step : run.steps) {
      if (run.checkpoint(step) == path) return checkpointOf(run, step);
    }
  }
  ChatCheckpoint one = checkpointOfFolder(path);
  if (!label.isEmpty()) one.label = label;
  return one;
}

Location ChatPage::location() const {
  Location here{QStringLiteral("chat"), m_talk->checkpoint(0).run, {}};
  const auto name = [](const ChatCheckpoint& one) {
    return one.run.isEmpty() ? one.path : one.run;
  };
  const auto step = [](const ChatCheckpoint& one) {
    return QStringLiteral("step-%1").arg(one.step);
  };
  if (m_talk->checkpoint(0).step >= 0) {
    here.arguments.insert(QStringLiteral("checkpoint"), step(m_talk->checkpoint(0)));
  }
  if (m_talk->comparing()) {
    here.arguments.insert(QStringLiteral("beside"), name(m_talk->checkpoint(1)));
    if (m_talk->checkpoint(1).step >= 0) {
      here.arguments.insert(QStringLiteral("beside_checkpoint"), step(m_talk->checkpoint(1)));
    }
  }
  if (!m_talk->conversation().empty()) {
    here.arguments.insert(QStringLiteral("chat"), m_talk->conversation().id);
  }
  return here;
}

QString ChatPage::command() const {
  if (m_talk->checkpoint(0).path.isEmpty()) return {};
  const ChatSampling& sampling = m_talk->sampling;
  QString words = QStringLiteral("tessera chat ") + shellWord(m_talk->checkpoint(0).path);
  const auto add = [&](const char* option, const QString& value) {
    words += QStringLiteral(" --%1 %2").arg(QLatin1String(option), value);
  };
  const auto number = [](double value) { return QString::number(value, 'g', 12); };
  add("temperature", number(sampling.temperature));
  add("top-p", number(sampling.topP));
  add("max-tokens", QString::number(sampling.maxTokens));
  // What is off here is off there without a word.
  if (sampling.topK != 0) add("top-k", QString::number(sampling.topK));
  if (sampling.minP != 0) add("min-p", number(sampling.minP));
  if (sampling.repetitionPenalty != 1) {
    add("repetition-penalty", number(sampling.repetitionPenalty));
  }
  if (!m_talk->freshSeed) add("seed", QString::number(sampling.seed));
  if (const QString& system = m_talk->conversation().system; !system.isEmpty()) {
    add("system", shellWord(system));
  }
  return words;
}

std::vector<QAction*> ChatPage::commands() {
  return m_commands;
}

QWidget* ChatPage::inspector() {
  return m_inspector;
}

void ChatPage::setActivity(bool visible, bool focused) {
  const bool shown = visible && !m_visible;
  m_visible = visible;
  for (int side = 0; side < 2; ++side) {
    m_talk->engine(side).setCadence(!visible ? kHiddenMs : focused ? kFocusedMs : kUnfocusedMs);
  }
  if (shown) takeRunStates();
}

// ---- Runs ---------------------------------------------------------------------------------------

void ChatPage::takeRunStates() {
  const RunRows rows = studio().runs.runs();
  if (!rows) return;
  const bool training = std::any_of(rows->begin(), rows->end(), [](const RunRow& row) {
    return row.state == RunState::Running || row.state == RunState::Starting ||
           row.state == RunState::Saving;
  });
  m_talk->setTraining(training);
  showShare();
  if (!m_talk->hasCheckpoint()) showEmpty();
  // Running runs say something many times a second; their checkpoints are rarer.
  if (studio().runs.loaded() && (m_wanted || !m_scan->isActive())) {
    m_scan->start(m_runs && !m_wanted ? kScanMs : 0);
  }
}

/// A run that is at work now, be it before its first step; null: none is.
const RunRow* ChatPage::runThatTrains() const {
  const RunRows rows = studio().runs.runs();
  if (!rows) return nullptr;
  const auto found = std::find_if(rows->begin(), rows->end(), [](const RunRow& row) {
    return !row.missing && isLive(row.state) && row.state != RunState::LostContact;
  });
  return found == rows->end() ? nullptr : &*found;
}

void ChatPage::takeRuns(std::shared_ptr<const std::vector<ChatRun>> runs) {
  QStringList ids;
  for (const ChatRun& run : *runs) ids << run.id;
  const QStringList titles = runTitles(studio().runs, ids);  // runs of one name are told apart
  auto named = std::make_shared<std::vector<ChatRun>>(*runs);
  for (std::size_t i = 0; i < named->size(); ++i) {
    (*named)[i].name = titles[static_cast<qsizetype>(i)];
  }
  m_runs = std::move(named);
  for (CheckpointPicker* picker : m_pickers) picker->setRuns(m_runs);
  followWanted(!m_patience->isActive());
  if (m_talk->checkpoint(0).path.isEmpty() && !m_runs->empty()) {
    const ChatRun& newest = m_runs->front();
    m_talk->setCheckpoint(0, checkpointOf(newest, newest.steps.front()), false);
  }
  showEngines();
}

void ChatPage::showShare() {
  m_share->setVisible(m_talk->training());
  m_share->setText(tr("A run trains on this machine: chat uses %1 of %2 threads, at low priority.")
                       .arg(m_talk->threads())
                       .arg(QThread::idealThreadCount()));
}

// ---- What is shown ------------------------------------------------------------------------------

void ChatPage::showConversation() {
  const Conversation& conversation = m_talk->conversation();
  const bool two = m_talk->comparing();
  m_lists[0]->display(&conversation);
  m_lists[1]->setVisible(two);
  m_lists[1]->display(two ? &conversation : nullptr);
  for (MessageList* one : m_lists) {
    for (int index = std::max(0, conversation.size() - 2); index < conversation.size(); ++index) {
      one->setWaiting(index, m_talk->waitingFor(index));
    }
  }
  m_tree->setCurrent(conversation);
  if (std::exchange(m_shownId, conversation.id) != conversation.id) forgetCounts();
  if (m_system->toPlainText().trimmed() != conversation.system) {
    m_system->setPlainText(conversation.system);
  }
  if (!conversation.system.isEmpty()) m_systemButton->setChecked(true);
  m_inspector->showNothing();
  showEngines();
  showShare();
  m_count->start();
}

void ChatPage::showEmpty() {
  const ChatCheckpoint& checkpoint = m_talk->checkpoint(0);
  const bool empty = m_talk->conversation().empty();
  m_stack->setCurrentIndex(empty ? 0 : 1);
  if (!empty) return;
  if (checkpoint.path.isEmpty()) {
    const RunRow* training = runThatTrains();
    if (training) {
      m_empty->setSentence(tr("%1 is at work: it can be talked to once it has saved a checkpoint.")
                               .arg(QString::fromStdString(training->name)));
    } else {
      m_empty->setSentence(m_runs ? tr("There is no checkpoint to talk to yet.")
                                  : tr("Looking for checkpoints …"));
    }
    m_empty->setButton(training ? tr("Watch it") : m_runs ? tr("Try the demo") : QString());
    return;
  }
  const ChatEngine& engine = m_talk->engine(0);
  if (engine.loaded()) {
    m_empty->setSentence(engine.model().knowsChat
                             ? tr("%1 is ready to talk.").arg(checkpoint.label)
                             : tr("%1 has only read text so far: it goes on with what you write.")
                                   .arg(checkpoint.label));
    m_empty->setButton(tr("Write a message"));
  } else if (engine.state() == ChatEngine::State::Loading ||
             engine.state() == ChatEngine::State::Starting) {
    m_empty->setSentence(tr("Loading %1 …").arg(checkpoint.label));
    m_empty->setButton({});
  } else {
    m_empty->setSentence(
        tr("Say something to %1, or pick another checkpoint above.").arg(checkpoint.label));
    m_empty->setButton(tr("Load it now"));
  }
}

QString ChatPage::pickerNote(int side) const {
  const ChatEngine& engine = m_talk->engine(side);
  switch (engine.state()) {
    case ChatEngine::State::Off:
      return tr("loads with the first message");
    case ChatEngine::State::Starting:
    case ChatEngine::State::Loading:
      return tr("is being loaded");
    case ChatEngine::State::Failed:
      return engine.problem();
    case ChatEngine::State::Ready:
    case ChatEngine::State::Generating:
      break;
  }
  return tr("%1 parameters, %2 of them for each token; loaded in %3 on %4")
      .arg(numbers::count(engine.model().parameters),
           numbers::count(engine.model().activeParameters),
           numbers::duration(engine.model().seconds), engine.model().device);
}

void ChatPage::showEngines() {
  for (int side = 0; side < 2; ++side) {
    const ChatCheckpoint& checkpoint = m_talk->checkpoint(side);
    const bool chosen = !checkpoint.path.isEmpty();
    picker(side)->setCurrent(checkpoint, chosen ? pickerNote(side) : QString());
    picker(side)->setOther(m_talk->checkpoint(1 - side));
    if (side == 1 && !chosen) picker(1)->setText(tr("Compare with …"));
    const auto at = static_cast<std::size_t>(side);
    // A model that is loaded is what the banner asked for; anything less leaves it to be read.
    if (m_problems[at] && m_talk->engine(side).loaded() && m_problems[at]->actionButton()) {
      m_problems[at]->deleteLater();
      m_problems[at] = nullptr;
      studio().navigator.clearProblem(problemKey(side));
    }
  }
  picker(1)->setRemovable(m_talk->comparing());
  picker(1)->setVisible(m_talk->comparing() || !m_talk->checkpoint(0).path.isEmpty());
  m_composer->setObstacle(m_talk->checkpoint(0).path.isEmpty() ? tr("Pick a checkpoint above first")
                                                               : QString());
  const ChatEngine& engine = m_talk->engine(0);
  m_inspector->setExpertNote(engine.loaded() && engine.model().moeLayers == 0
                                 ? tr("This model is dense: it has no experts.")
                                 : QString());
  showEmpty();
  showMeter();
  Q_EMIT commandChanged();
}

void ChatPage::showMeter() {
  const int context = m_talk->engine(0).loaded() ? m_talk->engine(0).model().context : 0;
  const int used = m_talk->contextUsed(0);
  if (used > 0 || context == 0) {
    m_composer->meter()->setUse(used, context);
  } else if (m_talk->conversation().empty() && m_composer->text().isEmpty()) {
    m_composer->meter()->setUse(0, context);
  }
  QStringList speeds;
  for (int side = 0; side < m_talk->sides(); ++side) {
    const double speed = m_talk->tokensPerSecond(side);
    if (speed > 0) speeds += numbers::rate(speed, QStringLiteral("tokens/s"));
  }
  m_composer->setSpeed(speeds.join(QStringLiteral(" | ")));
}

/// What failed while no answer could hold the reason stands over the messages until it is closed or
/// the engine has a model again.
void ChatPage::showProblem(int side, const QString& message) {
  const auto at = static_cast<std::size_t>(side);
  if (m_problems[at]) m_problems[at]->deleteLater();
  const bool dead = m_talk->engine(side).state() == ChatEngine::State::Failed;
  m_problems[at] = new Banner(
      QStringLiteral("error"), message, dead ? tr("Restart") : QString(),
      [this, side] { m_talk->reload(side); }, this);
  Banner* banner = m_problems[at];
  connect(banner, &Banner::closed, this, [this, side, at, banner] {
    if (m_problems[at] == banner) {
      m_problems[at] = nullptr;
      studio().navigator.clearProblem(problemKey(side));
    }
    banner->deleteLater();
  });
  m_notices->addWidget(banner);
  noteProblem(side, message);
}

QString ChatPage::problemKey(int side) {
  return QStringLiteral("chat/%1").arg(side);
}

/// The Problems dock names what failed last on a side, until something works there.
void ChatPage::noteProblem(int side, const QString& message) {
  studio().navigator.setProblem(problemKey(side), QStringLiteral("error"),
                                tr("Chat with %1: %2").arg(m_talk->checkpoint(side).label, message),
                                location());
}

void ChatPage::noteAnswer(int index) {
  const ChatMessage& message = m_talk->conversation().at(index);
  if (message.problem.isEmpty()) return studio().navigator.clearProblem(problemKey(message.side));
  noteProblem(message.side, message.problem);
}

/// Says before Send what the model cannot read, in the words of the side that has less room.
void ChatPage::takeCount(int side, int tokens) {
  if (m_talk->busy()) return;
  const int context = m_talk->engine(side).model().context;
  if (side == 0) m_composer->meter()->setUse(tokens, context);
  const QString what =
      m_composer->text().isEmpty()
          ? tr("The conversation has %1 tokens, and %2 reads fewer than %3: there is no room for "
               "another message.")
          : tr("The conversation with your message has %1 tokens, and %2 reads fewer than %3. "
               "Shorten the message, or send it in a new chat.");
  m_tooLong[static_cast<std::size_t>(side)] =
      context == 0 || tokens < context
          ? QString()
          : what.arg(numbers::whole(tokens), m_talk->checkpoint(side).label,
                     numbers::whole(context));
  showTooLong();
}

void ChatPage::showTooLong() {
  const QString& text = m_tooLong[0].isEmpty() && m_talk->comparing() ? m_tooLong[1] : m_tooLong[0];
  m_composer->setTooLong(text, !m_talk->conversation().empty());
}

void ChatPage::forgetCounts() {
  m_tooLong = {};
  showTooLong();
  m_count->start();
}

/// Loading is a task of the studio, with its end.
void ChatPage::noteLoading(int side) {
  std::int64_t& task = m_tasks[static_cast<std::size_t>(side)];
  const ChatEngine::State state = m_talk->engine(side).state();
  const bool loading = state == ChatEngine::State::Starting || state == ChatEngine::State::Loading;
  if (loading && task < 0) {
    task = studio().tasks.begin(tr("Loading %1").arg(m_talk->checkpoint(side).label),
                                [this, side] { m_talk->engine(side).unload(); });
  } else if (!loading && task >= 0) {
    studio().tasks.finish(task, m_talk->engine(side).problem());
    task = -1;
  }
}

void ChatPage::setTokensShown(bool shown) {
  m_legend->setVisible(shown);
  for (MessageList* one : m_lists) one->setAsTokens(shown);
}

void ChatPage::showToken(int index, int token) {
  const ChatMessage& message = m_talk->conversation().at(index);
  m_inspector->showToken(message, index, token, m_talk->engine(message.side).model().firstMoeLayer);
}

void ChatPage::showSpan(int index, int from, int to) {
  const ChatMessage& message = m_talk->conversation().at(index);
  int experts = m_talk->engine(message.side).model().experts;
  // A conversation of a model that is not loaded knows its experts from its counts.
  if (message.usage && message.tokens && message.tokens->layers() > 0) {
    experts = static_cast<int>(message.usage->size()) / message.tokens->layers();
  }
  m_inspector->showSpan(message, from, to, experts,
                        m_talk->engine(message.side).model().firstMoeLayer);
}

}  // namespace tessera::ui
