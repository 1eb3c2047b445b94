// SPDX-License-Identifier: MIT
#include "ui/pages/chat/chat_talk.h"

#include <QRandomGenerator>
#include <QThread>
#include <algorithm>
#include <utility>

#include "ui/widgets/numbers.h"

namespace tessera::ui {

ChatTalk::ChatTalk(const QString& program, const QStringList& arguments, QObject* parent)
    : QObject(parent) {
  for (int s = 0; s < 2; ++s) {
    side(s).engine = new ChatEngine(program, arguments, this);
    connectEngine(s);
  }
}

void ChatTalk::connectEngine(int s) {
  const ChatEngine* process = side(s).engine;
  connect(process, &ChatEngine::stateChanged, this, [this, s] { engineState(s); });
  connect(process, &ChatEngine::loadedModel, this, [this, s] {
    Q_EMIT engineChanged(s);
    if (side(s).answer >= 0 && side(s).request == 0) begin(s);
  });
  connect(process, &ChatEngine::started, this,
          [this, s](quint64 request, int promptTokens, int, const QString& prefix) {
            if (request != side(s).request) return;
            side(s).promptTokens = promptTokens;
            takePrefix(s, prefix);
          });
  connect(process, &ChatEngine::reading, this, [this, s](quint64 request, int read, int total) {
    if (request != side(s).request) return;
    setStatus(s, read < total ? tr("Reading the conversation: %1 of %2 tokens")
                                    .arg(numbers::whole(read), numbers::whole(total))
                              : tr("Writing …"));
  });
  connect(process, &ChatEngine::tokens, this,
          [this, s](quint64 request, const std::vector<ChatToken>& batch) {
            if (request != side(s).request) return;
            if (side(s).written == 0) side(s).clock.start();
            side(s).written += static_cast<int>(batch.size());
            m_conversation.appendTokens(side(s).answer, batch, engine(s).model().moeLayers);
            Q_EMIT answerGrew(side(s).answer);
          });
  connect(process, &ChatEngine::done, this, [this, s](quint64 request, const ChatDone& done) {
    if (request != side(s).request || request == 0) return;
    ChatMessage& message = m_conversation.edit(side(s).answer);
    message.text += done.tail;
    message.tokensPerSecond = done.tokensPerSecond;
    message.contextUsed = done.contextUsed;
    message.usage = done.usage;
    finish(s, done.reason);
  });
  connect(process, &ChatEngine::failed, this, [this, s](quint64 request, const QString& message) {
    if (request == side(s).count) return Q_EMIT countFailed(s, message);
    if (s == 0 && request == m_tokenize && request != 0) return Q_EMIT tokenizeFailed(message);
    if (request == side(s).request && side(s).answer >= 0) {
      const int failedAnswer = side(s).answer;
      finish(s, QStringLiteral("failed"), message);
      return askWhetherTooLong(s, failedAnswer);
    }
    Q_EMIT failed(s, message);
  });
  connect(process, &ChatEngine::tokenized, this,
          [this, s](quint64 request, const std::vector<ChatPiece>& tokens) {
            if (s == 0 && request == m_tokenize) Q_EMIT tokenized(tokens);
          });
  connect(process, &ChatEngine::counted, this, [this, s](quint64 request, int count) {
    if (request == side(s).count) Q_EMIT counted(s, count);
    if (request == side(s).lengthCheck) noteLength(s, count);
  });
}

/// An answer that failed before it began may have been asked too much to read: its length tells.
void ChatTalk::askWhetherTooLong(int s, int index) {
  if (side(s).written > 0) return;
  side(s).checkedAnswer = index;
  side(s).lengthCheck = engine(s).countTokens(turns(m_conversation.at(index).parent));
}

void ChatTalk::noteLength(int s, int count) {
  const int index = std::exchange(side(s).checkedAnswer, -1);
  if (index < 0 || count < engine(s).model().context) return;
  m_conversation.edit(index).tooLong = true;
  Q_EMIT answerDone(index);
}

void ChatTalk::engineState(int s) {
  if (side(s).engine->state() == ChatEngine::State::Failed) {
    const QString problem = side(s).engine->problem();
    if (side(s).answer >= 0) {
      finish(s, QStringLiteral("failed"), problem);
    } else {
      Q_EMIT failed(s, problem);
    }
  }
  if (side(s).answer >= 0) Q_EMIT waitingChanged(side(s).answer);
  Q_EMIT engineChanged(s);
}

void ChatTalk::setConversation(Conversation conversation) {
  for (int s = 0; s < 2; ++s) {
    if (side(s).request != 0) side(s).engine->cancel();
    finish(s, QStringLiteral("cancelled"));
  }
  for (Side& one : m_sides) one.checkedAnswer = -1;  // an index into the conversation before
  m_conversation = std::move(conversation);
  Q_EMIT conversationChanged();
}

void ChatTalk::setSystem(const QString& system) {
  m_conversation.system = system;
}

void ChatTalk::setTitle(const QString& title) {
  m_conversation.title = title;
  Q_EMIT conversationChanged();
}

void ChatTalk::setCheckpoint(int s, const ChatCheckpoint& checkpoint, bool loadNow) {
  if (side(s).answer >= 0) finish(s, QStringLiteral("cancelled"));
  side(s).checkpoint = checkpoint;
  if (checkpoint.path.isEmpty() || !loadNow) {
    side(s).engine->unload();
  } else {
    side(s).engine->load(checkpoint.path, threads());
  }
  Q_EMIT engineChanged(s);
}

void ChatTalk::reload(int s) {
  if (!side(s).checkpoint.path.isEmpty()) side(s).engine->load(side(s).checkpoint.path, threads());
}

void ChatTalk::setTraining(bool training) {
  m_training = training;
}

int ChatTalk::threads() const {
  const int machine = std::max(1, QThread::idealThreadCount());
  return std::max(1, machine / ((m_training ? 2 : 1) * sides()));
}

bool ChatTalk::busy() const {
  return side(0).answer >= 0 || side(1).answer >= 0;
}

void ChatTalk::noteBusy() {
  const bool before = std::exchange(m_wasBusy, busy());
  if (before != m_wasBusy) Q_EMIT busyChanged();
}

// ---- Saying something ---------------------------------------------------------------------------

void ChatTalk::send(const QString& text) {
  if (busy() || text.isEmpty()) return;
  std::array<int, 2> ends{-1, -1};
  for (int s = 0; s < sides(); ++s) {
    const std::vector<int> path = m_conversation.path(s);
    ends[static_cast<std::size_t>(s)] = path.empty() ? -1 : path.back();
  }
  ChatMessage message;
  message.text = text;
  message.parent = ends[0];
  const int first = m_conversation.add(message);
  int second = first;
  if (comparing() && ends[1] != ends[0]) {
    message.parent = ends[1];
    message.side = 1;
    second = m_conversation.add(message);
  }
  answer(0, first);
  if (comparing()) answer(1, second);
  Q_EMIT conversationChanged();
}

void ChatTalk::edit(int index, const QString& text) {
  if (busy()) return;
  ChatMessage message;
  message.text = text;
  message.parent = m_conversation.at(index).parent;
  message.side = m_conversation.at(index).side;
  const int own = m_conversation.add(message);
  const bool shared = message.side == 0 && comparing() && m_conversation.path(1).back() == own;
  answer(message.side, own);
  if (shared) answer(1, own);
  Q_EMIT conversationChanged();
}

void ChatTalk::regenerate(int index) {
  if (busy()) return;
  answer(m_conversation.at(index).side, m_conversation.at(index).parent);
  Q_EMIT conversationChanged();
}

void ChatTalk::regrow(int index, int token, const ChatAlternative& alternative) {
  const ChatMessage old = m_conversation.at(index);
  if (busy() || !old.tokens || token >= old.tokens->size()) return;
  const int s = old.side;
  side(s).prefix = old.tokens->first(token).ids();
  side(s).prefix.push_back(alternative.id);
  side(s).chosen = {alternative.id,
                    {},
                    alternative.shown,
                    alternative.probability,
                    old.tokens->alternatives(token),
                    {},
                    {}};
  answer(s, old.parent);
  ChatMessage& grown =
      m_conversation.edit(side(s).answer >= 0 ? side(s).answer : m_conversation.size() - 1);
  grown.text = old.text.left(old.tokens->begin(token));
  grown.tokens = std::make_shared<TokenRecord>(old.tokens->first(token));
  Q_EMIT conversationChanged();
}

void ChatTalk::goOn(int index) {
  const ChatMessage& old = m_conversation.at(index);
  if (busy() || !old.tokens || old.tokens->empty()) return;
  const int s = old.side;
  side(s).prefix = old.tokens->ids();
  side(s).chosen = {};
  ChatMessage& message = m_conversation.edit(index);
  message.reason.clear();
  message.problem.clear();
  message.text.truncate(message.tokens->begin(message.tokens->size()));  // no half character
  side(s).answer = index;
  start(s);
  Q_EMIT conversationChanged();
}

/// A new answer below `parent`, which begins when the model is there.
void ChatTalk::answer(int s, int parent) {
  ChatMessage message;
  message.role = ChatMessage::Role::Assistant;
  message.parent = parent;
  message.side = s;
  message.model = checkpoint(s).label;
  message.modelPath = checkpoint(s).path;
  message.sampling = sampling;
  if (freshSeed) message.sampling.seed = QRandomGenerator::global()->generate();
  side(s).answer = m_conversation.add(message);
  start(s);
}

/// Writes the answer that is set: at once, or when the model is there.
void ChatTalk::start(int s) {
  side(s).request = 0;
  noteBusy();
  if (checkpoint(s).path.isEmpty()) {
    return finish(s, QStringLiteral("failed"), tr("No checkpoint is picked"));
  }
  const ChatEngine::State state = engine(s).state();
  if (state == ChatEngine::State::Failed || state == ChatEngine::State::Off) reload(s);
  if (engine(s).loaded()) begin(s);
}

void ChatTalk::begin(int s) {
  const ChatMessage& message = m_conversation.at(side(s).answer);
  ChatRequest request;
  request.messages = turns(message.parent);
  request.sampling = message.sampling;
  request.alternatives = alternatives;
  request.experts = withExperts && engine(s).model().moeLayers > 0;
  request.prefix = side(s).prefix;
  request.threads = threads();
  side(s).promptTokens = side(s).written = 0;
  setStatus(s, tr("Reading the conversation …"));
  side(s).request = engine(s).generate(request);
}

/// The text of a prefix is known once the model's vocabulary has spelled it. An answer that goes on
/// has all of its prefix already.
void ChatTalk::takePrefix(int s, const QString& text) {
  if (side(s).prefix.empty()) return;
  ChatMessage& message = m_conversation.edit(side(s).answer);
  if (message.tokens && message.tokens->size() == static_cast<int>(side(s).prefix.size())) {
    side(s).prefix.clear();
    return;
  }
  ChatToken chosen = std::exchange(side(s).chosen, {});
  chosen.text = text.mid(message.text.size());
  side(s).prefix.clear();
  m_conversation.appendTokens(side(s).answer, {chosen}, engine(s).model().moeLayers);
  Q_EMIT answerGrew(side(s).answer);
}

void ChatTalk::finish(int s, const QString& reason, const QString& problem) {
  const int index = std::exchange(side(s).answer, -1);
  side(s).request = 0;
  side(s).prefix.clear();
  side(s).status.clear();
  if (index < 0) return;
  m_conversation.edit(index).reason = reason;
  m_conversation.edit(index).problem = problem;
  m_conversation.updated = QDateTime::currentDateTime();
  noteBusy();
  Q_EMIT answerDone(index);
}

void ChatTalk::stop() {
  for (int s = 0; s < 2; ++s) {
    if (side(s).answer < 0) continue;
    if (side(s).request == 0) {
      finish(s, QStringLiteral("cancelled"));
    } else {
      side(s).engine->cancel();
    }
  }
}

void ChatTalk::show(int index) {
  if (index < 0) return;
  m_conversation.show(index);
  Q_EMIT conversationChanged();
}

// ---- What is said -------------------------------------------------------------------------------

std::vector<ChatTurn> ChatTalk::turns(int last) const {
  std::vector<ChatTurn> list;
  if (!m_conversation.system.isEmpty()) {
    list.push_back({QStringLiteral("system"), m_conversation.system});
  }
  for (const int index : m_conversation.ancestry(last)) {
    const ChatMessage& message = m_conversation.at(index);
    if (message.text.isEmpty()) continue;
    list.push_back(
        {message.isAnswer() ? QStringLiteral("assistant") : QStringLiteral("user"), message.text});
  }
  return list;
}

void ChatTalk::setStatus(int s, const QString& status) {
  side(s).status = status;
  if (side(s).answer >= 0) Q_EMIT waitingChanged(side(s).answer);
}

QString ChatTalk::waitingFor(int index) const {
  for (int s = 0; s < 2; ++s) {
    if (side(s).answer != index) continue;
    if (side(s).request != 0) return side(s).status;
    return tr("Waiting for %1 to be loaded …").arg(side(s).checkpoint.label);
  }
  return {};
}

int ChatTalk::contextUsed(int s) const {
  return side(s).answer >= 0 && side(s).promptTokens > 0 ? side(s).promptTokens + side(s).written
                                                         : 0;
}

double ChatTalk::tokensPerSecond(int s) const {
  if (side(s).answer < 0 || side(s).written == 0 || side(s).clock.elapsed() < 300) return 0;
  return 1e3 * side(s).written / static_cast<double>(side(s).clock.elapsed());
}

std::vector<ChatTurn> ChatTalk::turnsWith(int s, const QString& draft) const {
  const std::vector<int> path = m_conversation.path(s);
  std::vector<ChatTurn> list = turns(path.empty() ? -1 : path.back());
  if (!draft.isEmpty()) list.push_back({QStringLiteral("user"), draft});
  return list;
}

bool ChatTalk::tokenize(const QString& draft) {
  const std::vector<ChatTurn> list = turnsWith(0, draft);
  m_tokenize = list.empty() ? 0 : engine(0).tokenize(list);
  return m_tokenize != 0;
}

void ChatTalk::count(const QString& draft) {
  for (int s = 0; s < sides(); ++s) {
    const std::vector<ChatTurn> list = turnsWith(s, draft);
    side(s).count = list.empty() ? 0 : engine(s).countTokens(list);
    if (list.empty() && engine(s).loaded()) Q_EMIT counted(s, 0);
  }
}

}  // namespace tessera::ui
