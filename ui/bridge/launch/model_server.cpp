// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/model_server.h"

#include <signal.h>
#include <sys/prctl.h>

#include <QDateTime>
#include <QHostAddress>
#include <QProcess>
#include <QRandomGenerator>
#include <QRegularExpression>
#include <QSysInfo>
#include <QTcpServer>
#include <QTcpSocket>
#include <QTimer>
#include <array>
#include <filesystem>
#include <fstream>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "ui/bridge/desktop/last_words.h"
#include "ui/bridge/launch/launcher.h"

namespace tessera::ui {

namespace {
namespace fs = std::filesystem;

constexpr int kPollMs = 1000, kPatienceS = 5, kMercyMs = (kPatienceS + 3) * 1000;
constexpr qsizetype kComplaintBytes = 4096, kMostAnswerBytes = 1 << 20;
constexpr std::size_t kMostKeyBytes = 4096;
constexpr const char* kEveryAddress = "0.0.0.0";

QString listenAddress(bool network) {
  return QString::fromLatin1(network ? kEveryAddress : "127.0.0.1");
}

/// Whether another program has the port. Loading a model only to be told takes minutes.
bool isTaken(const ServerOrder& order) {
  if (order.port == 0) return false;
  QTcpServer probe;
  return !probe.listen(QHostAddress(listenAddress(order.network)),
                       static_cast<quint16>(order.port));
}

/// 256 bits in hexadecimal digits.
std::string newKey() {
  std::array<quint32, 8> words{};
  QRandomGenerator::system()->fillRange(words.data(), static_cast<qsizetype>(words.size()));
  std::string key;
  for (const quint32 word : words) key += fmt::format("{:08x}", word);
  return key;
}

/// The value of a line "name{labels} value", and its labels; NaN-free: what is no number is 0.
struct MetricLine {
  QByteArray name, labels;
  double value = 0;
};
MetricLine metricIn(const QByteArray& line) {
  MetricLine metric;
  const qsizetype open = line.indexOf('{'), close = line.lastIndexOf('}');
  const qsizetype space = line.indexOf(' ', std::max<qsizetype>(close, 0));
  if (space < 0 || line.startsWith('#')) return metric;
  metric.name = line.left(open >= 0 && open < space ? open : space);
  if (open >= 0 && close > open) metric.labels = line.mid(open + 1, close - open - 1);
  metric.value = line.mid(space + 1).trimmed().toDouble();
  return metric;
}

int statusIn(const QByteArray& labels) {
  static const QRegularExpression status(QStringLiteral("status=\"(\\d+)\""));
  return status.match(QString::fromUtf8(labels)).captured(1).toInt();
}
}  // namespace

QStringList serverArguments(const ServerOrder& order, const QString& keyFile) {
  const QString port = QString::number(order.port);
  QStringList words{QStringLiteral("serve"), QStringLiteral("--http"),
                    order.network ? listenAddress(true) + u':' + port : port, order.path};
  if (order.needsKey()) words << QStringLiteral("--key-file") << keyFile;
  if (!order.weights.isEmpty()) words << QStringLiteral("--weights") << order.weights;
  return words;
}

ServerAddress addressIn(const QString& line) {
  static const QRegularExpression told(
      QStringLiteral("^(.+) answers at (http://(.+):(\\d+)/v1)( |$)"));
  const auto found = told.match(line);
  ServerAddress address;
  if (!found.hasMatch()) return address;
  address.model = found.captured(1);
  address.port = found.captured(4).toInt();
  const bool everywhere = found.captured(3) == QLatin1String(kEveryAddress);
  const QString host = everywhere ? QSysInfo::machineHostName() : found.captured(3);
  address.base = QStringLiteral("http://%1:%2/v1").arg(host).arg(address.port);
  return address;
}

ServerCounts countsIn(const QByteArray& metrics) {
  ServerCounts counts;
  const std::pair<const char*, double*> single[] = {
      {"tessera_num_requests_running", &counts.running},
      {"tessera_num_requests_waiting", &counts.waiting},
      {"tessera_kv_cache_usage_perc", &counts.cacheShare},
      {"tessera_prompt_tokens_total", &counts.promptTokens},
      {"tessera_prefix_cache_hits_total", &counts.cachedTokens},
      {"tessera_generation_tokens_total", &counts.writtenTokens},
      {"tessera_request_failures_total", &counts.failed},
      {"tessera_requests_refused_total", &counts.refused},
  };
  for (const QByteArray& line : metrics.split('\n')) {
    const MetricLine metric = metricIn(line);
    for (const auto& [name, value] : single) {
      if (metric.name == name) *value = metric.value;
    }
    if (metric.name == "tessera_request_success_total") counts.ended += metric.value;
    if (metric.name == "tessera_http_responses_total") {
      counts.responses[statusIn(metric.labels)] += metric.value;
    }
  }
  return counts;
}

ModelServer::ModelServer(std::function<QString()> program, QObject* parent)
    : QObject(parent), m_program(std::move(program)), m_poll(new QTimer(this)) {
  m_poll->setInterval(kPollMs);
  connect(m_poll, &QTimer::timeout, this, &ModelServer::askCounts);
}

ModelServer::~ModelServer() {
  letGo();
}

ModelServer& ModelServer::of(QObject& owner) {
  auto* server = owner.findChild<ModelServer*>(QString(), Qt::FindDirectChildrenOnly);
  return server ? *server : *new ModelServer([] { return Launcher::program(); }, &owner);
}

QString ModelServer::keyFile() {
  return QString::fromStdString((home_folder() / "server.key").string());
}

/// Makes the file where there is none. Throws.
QString ModelServer::readKey() {
  const fs::path file = keyFile().toStdString();
  if (!fs::exists(file)) {
    fs::create_directories(file.parent_path());
    // Nobody else may ever read it: it is empty until its rights are set.
    write_file_atomically(file, std::string());
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  }
  QString key = QString::fromStdString(read_file(file, kMostKeyBytes)).trimmed();
  if (!key.isEmpty()) return key;
  const std::string made = newKey();
  std::ofstream out(file, std::ios::trunc);
  out << made << '\n';
  out.flush();
  if (!out) throw Error(file.string(), "cannot be written", "make room on the disk");
  return QString::fromStdString(made);
}

void ModelServer::setState(State state) {
  m_poll->stop();
  m_state = state;
  if (state == State::Running) m_poll->start();
  Q_EMIT stateChanged();
}

void ModelServer::fail(const QString& problem) {
  m_problem = problem;
  letGo();
  setState(State::Failed);
}

// ---- The process --------------------------------------------------------------------------------

void ModelServer::start(const ServerOrder& order) {
  if (m_process) return;
  m_order = order;
  m_address = {};
  m_counts = {};
  m_countedAt = 0;
  m_tokensPerSecond = 0;
  m_problem.clear();
  m_output.clear();
  m_complaint.clear();
  if (isTaken(order)) {
    return fail(tr("Another program has port %1. Choose another one, or 0 for any that is free.")
                    .arg(order.port));
  }
  try {
    if (order.needsKey()) m_address.key = readKey();
  } catch (const std::exception& problem) {
    return fail(tr("There is no key: %1").arg(QString::fromUtf8(problem.what())));
  }
  m_process = new QProcess(this);
  connect(m_process, &QProcess::readyReadStandardOutput, this, &ModelServer::readOutput);
  connect(m_process, &QProcess::readyReadStandardError, this, [this] {
    m_complaint = (m_complaint + m_process->readAllStandardError()).right(kComplaintBytes);
  });
  connect(m_process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
    if (error != QProcess::FailedToStart) return;
    fail(tr("%1 could not be started: %2. Is the program installed beside the studio?")
             .arg(m_process->program(), m_process->errorString()));
  });
  connect(m_process, &QProcess::finished, this, &ModelServer::ended);
  // A studio that crashes takes it along: nobody would know of it.
  m_process->setChildProcessModifier([] { ::prctl(PR_SET_PDEATHSIG, SIGTERM); });
  setState(State::Loading);
  m_process->start(m_program(), serverArguments(order, keyFile())
                                    << QStringLiteral("--patience") << QString::number(kPatienceS));
  if (m_process) m_process->closeWriteChannel();
}

void ModelServer::readOutput() {
  m_output += m_process->readAllStandardOutput();
  for (qsizetype end; (end = m_output.indexOf('\n')) >= 0;) {
    const ServerAddress told = addressIn(QString::fromUtf8(m_output.left(end)));
    m_output.remove(0, end + 1);
    if (told.port == 0 || m_state != State::Loading) continue;
    const QString key = m_address.key;
    m_address = told;
    m_address.key = key;
    setState(State::Running);
    askCounts();
  }
}

void ModelServer::ended() {
  const bool asked = m_state == State::Stopping;
  const bool crashed = m_process->exitStatus() == QProcess::CrashExit;
  const int code = m_process->exitCode();
  m_complaint += m_process->readAllStandardError();
  m_process->deleteLater();
  m_process = nullptr;
  if (asked) return setState(State::Off);
  QString text = crashed ? tr("The server was ended by signal %1").arg(code)
                         : tr("The server ended with code %1").arg(code);
  if (crashed && code == SIGKILL) text += tr(" (often: too little memory)");
  const QString said = lastWords(m_complaint);
  fail(said.isEmpty() ? text : said);
}

void ModelServer::stop() {
  if (!m_process || m_state == State::Stopping) return;
  setState(State::Stopping);
  m_process->terminate();
  QTimer::singleShot(kMercyMs, m_process, [process = m_process] { process->kill(); });
}

/// Asks it to end without waiting for it.
void ModelServer::letGo() {
  if (m_asking) m_asking->deleteLater();
  m_asking = nullptr;
  QProcess* process = std::exchange(m_process, nullptr);
  if (!process) return;
  process->disconnect(this);
  if (process->state() == QProcess::NotRunning) return process->deleteLater();
  process->setParent(nullptr);
  QObject::connect(process, &QProcess::finished, process, &QObject::deleteLater);
  process->terminate();
  QTimer::singleShot(kMercyMs, process, [process] { process->kill(); });
}

// ---- Its counts ---------------------------------------------------------------------------------

void ModelServer::setWatched(bool watched) {
  m_poll->setInterval(watched ? kPollMs : 10 * kPollMs);
  if (watched && m_state == State::Running) askCounts();
}

/// One request of HTTP/1.0, so that the answer ends with the connection and is in no pieces.
void ModelServer::askCounts() {
  if (m_asking || m_state != State::Running) return;
  m_asking = new QTcpSocket(this);
  QTcpSocket* socket = m_asking;
  const auto over = [this, socket] {
    if (socket != m_asking) return;
    m_asking = nullptr;
    socket->deleteLater();
    takeCounts(socket->readAll());
  };
  connect(socket, &QTcpSocket::connected, this, [this, socket] {
    QByteArray request = "GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n";
    if (!m_address.key.isEmpty()) {
      request += "Authorization: Bearer " + m_address.key.toUtf8() + "\r\n";
    }
    socket->write(request + "\r\n");
  });
  connect(socket, &QTcpSocket::disconnected, this, over);
  connect(socket, &QTcpSocket::errorOccurred, this, over);
  QTimer::singleShot(5 * kPollMs, socket, [socket] { socket->abort(); });
  socket->setReadBufferSize(kMostAnswerBytes);
  socket->connectToHost(QHostAddress(QHostAddress::LocalHost),
                        static_cast<quint16>(m_address.port));
}

/// An answer that did not come leaves what is known; the process' end is told elsewhere.
void ModelServer::takeCounts(const QByteArray& answer) {
  const qsizetype body = answer.indexOf("\r\n\r\n");
  if (body < 0 || !answer.left(answer.indexOf('\r')).contains(" 200 ")) return;
  const ServerCounts counts = countsIn(answer.mid(body + 4));
  const qint64 now = QDateTime::currentMSecsSinceEpoch();
  if (m_countedAt > 0 && now > m_countedAt) {
    m_tokensPerSecond = 1e3 * (counts.writtenTokens - m_counts.writtenTokens) /
                        static_cast<double>(now - m_countedAt);
  }
  m_countedAt = now;
  m_counts = counts;
  Q_EMIT countsChanged();
}

}  // namespace tessera::ui
