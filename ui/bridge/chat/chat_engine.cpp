// SPDX-License-Identifier: MIT
#include "ui/bridge/chat/chat_engine.h"

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QJsonArray>
#include <QJsonDocument>
#include <QProcess>
#include <QTimer>
#include <algorithm>
#include <utility>

#include "ui/bridge/desktop/last_words.h"

namespace tessera::ui {

namespace {
constexpr int kCadenceMs = 50, kSliceMs = 12, kMercyMs = 3000;
constexpr qsizetype kComplaintBytes = 4096;
/// Nobody reads so many at once: text that comes in such batches need not come so often.
constexpr std::size_t kManyTokens = 15;
constexpr double kManyFactor = 1.6;

QJsonArray turnsJson(const std::vector<ChatTurn>& turns) {
  QJsonArray list;
  for (const ChatTurn& turn : turns) {
    list.append(QJsonObject{{"role", turn.role}, {"text", turn.text}});
  }
  return list;
}

ChatModelInfo modelOf(const QJsonObject& event) {
  const QJsonObject shape = event["model"].toObject();
  ChatModelInfo model;
  model.folder = event["folder"].toString();
  model.step = static_cast<qint64>(event["step"].toDouble(-1));
  model.layers = shape["layers"].toInt();
  model.moeLayers = shape["moe_layers"].toInt();
  model.firstMoeLayer = shape["first_moe_layer"].toInt();
  model.experts = shape["experts"].toInt();
  model.sharedExperts = shape["shared_experts"].toInt();
  model.topK = shape["top_k"].toInt();
  model.parameters = shape["parameters"].toDouble();
  model.activeParameters = shape["active_parameters"].toDouble();
  model.context = event["context"].toInt();
  model.knowsChat = event["chat"].toBool();
  model.device = event["device"].toString();
  model.vocabulary = event["vocabulary"].toObject()["hash"].toString();
  model.threads = event["threads"].toInt();
  model.seconds = event["seconds"].toDouble();
  return model;
}

std::vector<ChatPiece> piecesOf(const QJsonObject& event) {
  std::vector<ChatPiece> pieces;
  const QJsonArray tokens = event["tokens"].toArray(), special = event["special"].toArray();
  pieces.reserve(static_cast<std::size_t>(tokens.size()));
  for (const QJsonValue token : tokens) {
    pieces.push_back({token[0].toInt(), token[1].toString(), false});
  }
  for (const QJsonValue at : special) {
    const auto index = static_cast<std::size_t>(at.toInt(-1));
    if (index < pieces.size()) pieces[index].special = true;
  }
  return pieces;
}

ChatDone doneOf(const QJsonObject& event) {
  ChatDone done{event["reason"].toString(),
                event["text"].toString(),
                event["tokens"].toInt(),
                event["prompt_tokens"].toInt(),
                event["reused_tokens"].toInt(),
                event["context_used"].toInt(),
                event["prompt_tokens_per_second"].toDouble(),
                event["tokens_per_second"].toDouble(),
                nullptr};
  const QJsonArray layers = event["usage"].toArray();
  if (layers.isEmpty()) return done;
  auto usage = std::make_shared<std::vector<double>>();
  for (const QJsonValue layer : layers) {
    const QJsonArray counts = layer.toArray();
    for (const QJsonValue count : counts) usage->push_back(count.toDouble());
  }
  done.usage = std::move(usage);
  return done;
}
}  // namespace

QString ChatPiece::text() const {
  return special ? shown : QString(shown).replace(QLatin1String("\\n"), QLatin1String("\n"));
}

QString chatProblem(const QJsonObject& event) {
  QString text = event["what"].toString();
  const QString where = event["where"].toString(), hint = event["hint"].toString();
  if (!where.isEmpty()) text = where + QStringLiteral(": ") + text;
  if (!hint.isEmpty()) text += QStringLiteral(". ") + hint.left(1).toUpper() + hint.mid(1);
  return text;
}

ChatEngine::ChatEngine(const QString& program, const QStringList& arguments, QObject* parent)
    : QObject(parent),
      m_program(program),
      m_arguments(arguments),
      m_timer(new QTimer(this)),
      m_cadence(kCadenceMs) {
  m_timer->setSingleShot(true);
  connect(m_timer, &QTimer::timeout, this, &ChatEngine::drain);
}

ChatEngine::~ChatEngine() {
  endProcess();
}

QStringList ChatEngine::defaultArguments() {
  return {QStringLiteral("serve"), QStringLiteral("--nice"), QStringLiteral("10")};
}

qint64 ChatEngine::processId() const {
  return m_process ? m_process->processId() : 0;
}

void ChatEngine::setCadence(int ms) {
  m_cadence = ms;
}

int ChatEngine::interval() const {
  return m_many ? static_cast<int>(kManyFactor * m_cadence) : m_cadence;
}

void ChatEngine::setState(State state) {
  if (m_state == state) return;
  m_state = state;
  Q_EMIT stateChanged();
}

void ChatEngine::fail(const QString& problem) {
  m_problem = problem;
  endProcess();
  setState(State::Failed);
}

// ---- The process --------------------------------------------------------------------------------

void ChatEngine::start() {
  m_waiting.clear();
  m_complaint.clear();
  m_tokens.clear();
  m_process = new QProcess(this);
  // Chat shares the machine with the window and often with a run. Beside busy programs threads that
  // sleep at once wrote 2.2 times as many tokens a second as threads that spin first, for which the
  // program's own waiting is made (docs/studio-budgets.md).
  QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
  if (!environment.contains(QStringLiteral("OMP_WAIT_POLICY"))) {
    environment.insert(QStringLiteral("OMP_WAIT_POLICY"), QStringLiteral("passive"));
  }
  m_process->setProcessEnvironment(environment);
  connect(m_process, &QProcess::readyReadStandardOutput, this, [this] {
    if (!m_timer->isActive()) m_timer->start(interval());
  });
  connect(m_process, &QProcess::readyReadStandardError, this, [this] {
    m_complaint = (m_complaint + m_process->readAllStandardError()).right(kComplaintBytes);
  });
  connect(m_process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
    if (error != QProcess::FailedToStart) return;
    fail(tr("%1 could not be started: %2. Is the program installed beside the studio?")
             .arg(m_program, m_process->errorString()));
  });
  connect(m_process, &QProcess::finished, this, [this](int code, QProcess::ExitStatus status) {
    processEnded(status == QProcess::CrashExit, code);
  });
  setState(State::Starting);
  m_process->start(m_program, m_arguments);
}

void ChatEngine::processEnded(bool crashed, int code) {
  m_waiting += m_process->readAllStandardOutput();
  drain();  // its last words
  if (!m_process) return;
  QString text = crashed ? tr("The chat process was ended by signal %1").arg(code)
                         : tr("The chat process ended with code %1").arg(code);
  if (crashed && code == 9) text += tr(" (often: too little memory)");
  const QString said = lastWords(m_complaint);
  if (!said.isEmpty()) text += QStringLiteral(": ") + said;
  fail(text);
}

/// Lets go of the process: it is asked to quit, since at the end of its input alone it would finish
/// what it was asked to write, and what does not go is killed.
void ChatEngine::endProcess() {
  m_timer->stop();
  QProcess* process = std::exchange(m_process, nullptr);
  if (!process) return;
  process->disconnect(this);
  if (process->state() == QProcess::NotRunning) return process->deleteLater();
  process->setParent(nullptr);
  QObject::connect(process, &QProcess::finished, process, &QObject::deleteLater);
  QObject::connect(process, &QProcess::errorOccurred, process, &QObject::deleteLater);
  const QJsonObject quit{{"id", static_cast<qint64>(++m_lastId)}, {"do", "quit"}};
  process->write(QJsonDocument(quit).toJson(QJsonDocument::Compact) + '\n');
  process->closeWriteChannel();
  // What loads a model does not hear that it is to end: it has nothing to lose.
  if (m_state == State::Loading || m_state == State::Starting) process->kill();
  QTimer::singleShot(kMercyMs, process, [process] { process->kill(); });
}

quint64 ChatEngine::send(QJsonObject request) {
  if (!m_process) return 0;
  request["id"] = static_cast<qint64>(++m_lastId);
  m_process->write(QJsonDocument(request).toJson(QJsonDocument::Compact) + '\n');
  return m_lastId;
}

// ---- Requests -----------------------------------------------------------------------------------

void ChatEngine::load(const QString& path, int threads) {
  m_path = path;
  m_threads = threads;
  m_problem.clear();
  m_generateId = 0;
  // A process that loads or generates is not asked to stop first: a new one begins at once.
  if (m_state != State::Ready) endProcess();
  if (!m_process) start();
  sendLoad();
}

void ChatEngine::sendLoad() {
  if (!m_process) return;  // it could not be started
  m_loadId = send({{"do", "load"}, {"path", m_path}, {"threads", m_threads}});
  if (m_state == State::Ready) setState(State::Loading);
}

void ChatEngine::restart() {
  load(m_path, m_threads);
}

void ChatEngine::unload() {
  endProcess();
  m_path.clear();
  m_problem.clear();
  setState(State::Off);
}

quint64 ChatEngine::generate(const ChatRequest& request) {
  if (!loaded()) return 0;
  QJsonObject sampling = request.sampling.toJson();
  sampling.remove("max_tokens");
  // NOTE: a double holds whole numbers up to 2^53, and JSON has no other numbers here.
  sampling["seed"] = static_cast<qint64>(request.sampling.seed & ((1ull << 53) - 1));
  QJsonArray prefix;
  for (const int id : request.prefix) prefix.append(id);
  QJsonObject body{{"do", "generate"},
                   {"messages", turnsJson(request.messages)},
                   {"sampling", sampling},
                   {"max_tokens", request.sampling.maxTokens},
                   {"alternatives", request.alternatives},
                   {"experts", request.experts},
                   {"prefix", prefix},
                   {"threads", request.threads}};
  m_generateId = send(body);
  setState(State::Generating);
  return m_generateId;
}

void ChatEngine::cancel() {
  if (working()) {
    send({{"do", "cancel"}, {"request", static_cast<qint64>(m_generateId)}});
  }
}

quint64 ChatEngine::countTokens(const std::vector<ChatTurn>& messages) {
  if (!loaded()) return 0;
  return send({{"do", "count"}, {"messages", turnsJson(messages)}});
}

quint64 ChatEngine::tokenize(const std::vector<ChatTurn>& messages) {
  if (!loaded()) return 0;
  return send({{"do", "tokenize"}, {"messages", turnsJson(messages)}});
}

// ---- Events -------------------------------------------------------------------------------------

/// Handles what has come, for at most a slice of time.
void ChatEngine::drain() {
  if (m_process) m_waiting += m_process->readAllStandardOutput();
  QElapsedTimer clock;
  clock.start();
  qsizetype begin = 0;
  for (qsizetype end; (end = m_waiting.indexOf('\n', begin)) >= 0; begin = end + 1) {
    if (clock.elapsed() > kSliceMs && m_process && m_process->state() == QProcess::Running) {
      m_timer->start(interval());
      break;
    }
    const QByteArray line = m_waiting.mid(begin, end - begin);
    handle(QJsonDocument::fromJson(line).object());
    if (!m_process) return;  // it failed, or a listener let it go
  }
  m_waiting.remove(0, std::min(begin, m_waiting.size()));
  flushTokens();
}

void ChatEngine::flushTokens() {
  if (m_tokens.empty()) return;
  const std::vector<ChatToken> batch = std::exchange(m_tokens, {});
  m_many = batch.size() > kManyTokens;
  Q_EMIT tokens(m_generateId, batch);
}

void ChatEngine::handle(const QJsonObject& event) {
  const QString kind = event["event"].toString();
  const auto id = static_cast<quint64>(event["id"].toDouble());
  if (kind == QLatin1String("token")) {
    if (id == m_generateId) handleToken(event);
  } else if (kind == QLatin1String("ready")) {
    if (m_state == State::Starting) setState(State::Loading);
  } else if (kind == QLatin1String("loaded")) {
    if (id != m_loadId) return;
    m_model = modelOf(event);
    setState(State::Ready);
    Q_EMIT loadedModel();
  } else if (kind == QLatin1String("started")) {
    Q_EMIT started(id, event["prompt_tokens"].toInt(), event["reused_tokens"].toInt(),
                   event["prefix_text"].toString());
  } else if (kind == QLatin1String("reading")) {
    Q_EMIT reading(id, event["read"].toInt(), event["total"].toInt());
  } else if (kind == QLatin1String("done")) {
    flushTokens();
    if (id == m_generateId) setState(State::Ready);
    Q_EMIT done(id, doneOf(event));
  } else if (kind == QLatin1String("counted")) {
    Q_EMIT counted(id, event["tokens"].toInt());
  } else if (kind == QLatin1String("tokens")) {
    Q_EMIT tokenized(id, piecesOf(event));
  } else if (kind == QLatin1String("error")) {
    handleError(event);
  }
}

void ChatEngine::handleToken(const QJsonObject& event) {
  ChatToken token;
  token.id = event["token"].toInt();
  token.text = event["text"].toString();
  token.shown = event["shown"].toString();
  token.probability = static_cast<float>(event["p"].toDouble());
  const QJsonArray alternatives = event["alternatives"].toArray();
  for (const QJsonValue one : alternatives) {
    token.alternatives.push_back(
        {one[0].toInt(), one[1].toString(), static_cast<float>(one[2].toDouble())});
  }
  const QJsonArray experts = event["experts"].toArray(), gates = event["gates"].toArray();
  for (qsizetype layer = 0; layer < experts.size(); ++layer) {
    const QJsonArray ids = experts[layer].toArray(), weights = gates[layer].toArray();
    for (const QJsonValue id : ids) token.experts.push_back(static_cast<quint16>(id.toInt()));
    for (const QJsonValue weight : weights) {
      token.gates.push_back(static_cast<float>(weight.toDouble()));
    }
  }
  m_tokens.push_back(std::move(token));
}

void ChatEngine::handleError(const QJsonObject& event) {
  const auto id = static_cast<quint64>(event["id"].toDouble());
  if (id == m_loadId && id != 0) return fail(chatProblem(event));
  flushTokens();
  if (id == m_generateId) setState(State::Ready);
  Q_EMIT failed(id, chatProblem(event));
}

}  // namespace tessera::ui
