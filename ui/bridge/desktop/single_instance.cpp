// SPDX-License-Identifier: MIT
#include "ui/bridge/desktop/single_instance.h"

#include <unistd.h>

#include <QCryptographicHash>
#include <QDir>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLocalServer>
#include <QLocalSocket>
#include <QTimer>

namespace tessera::ui {

namespace {
constexpr int kPatienceMs = 3'000, kMostBytes = 64 * 1024, kMostTries = 3;

QString nameFor(const QString& home) {
  const QByteArray hash =
      QCryptographicHash::hash(QDir(home).absolutePath().toUtf8(), QCryptographicHash::Sha256);
  return QStringLiteral("tessera-studio-%1-%2")
      .arg(::getuid())
      .arg(QString::fromLatin1(hash.toHex().left(16)));
}
}  // namespace

SingleInstance::SingleInstance(const QString& home, QObject* parent)
    : QObject(parent), m_name(nameFor(home)), m_patience(new QTimer(this)) {
  m_patience->setSingleShot(true);
  m_patience->setInterval(kPatienceMs);
  connect(m_patience, &QTimer::timeout, this, [this] { settle(&SingleInstance::unanswered); });
}

SingleInstance::~SingleInstance() = default;

void SingleInstance::start(const QString& location) {
  m_location = location;
  m_patience->start();
  knock();
}

void SingleInstance::settle(void (SingleInstance::*answer)()) {
  if (m_settled) return;
  m_settled = true;
  m_patience->stop();
  Q_EMIT(this->*answer)();
}

void SingleInstance::knock() {
  if (m_settled) return;
  ++m_tries;
  m_socket = std::make_unique<QLocalSocket>();
  QLocalSocket* socket = m_socket.get();
  connect(socket, &QLocalSocket::connected, this, [this, socket] {
    const QJsonObject request{{QStringLiteral("open"), m_location}};
    socket->write(QJsonDocument(request).toJson(QJsonDocument::Compact) + '\n');
  });
  connect(socket, &QLocalSocket::readyRead, this, [this, socket] {
    if (socket->readAll().contains("ok")) settle(&SingleInstance::handedOver);
  });
  connect(socket, &QLocalSocket::errorOccurred, this, [this](QLocalSocket::LocalSocketError why) {
    if (m_settled) return;
    // Nobody there, or the socket of one that was killed.
    if (why == QLocalSocket::ServerNotFoundError || why == QLocalSocket::ConnectionRefusedError) {
      // NOTE: the socket that failed is in this signal: it may not go before it is over.
      QTimer::singleShot(0, this, [this] { listen(); });
    }
  });
  socket->connectToServer(m_name);
}

void SingleInstance::listen() {
  if (m_settled) return;
  m_server = std::make_unique<QLocalServer>();
  m_server->setSocketOptions(QLocalServer::UserAccessOption);
  if (!m_server->listen(m_name)) {
    const bool taken = m_server->serverError() == QAbstractSocket::AddressInUseError;
    m_server.reset();
    // In use: left by one that was killed, or another start was quicker, which the next knock
    // tells.
    if (!taken || m_tries >= kMostTries) return settle(&SingleInstance::unanswered);
    if (m_tries > 1) QLocalServer::removeServer(m_name);
    return knock();
  }
  connect(m_server.get(), &QLocalServer::newConnection, this, [this] {
    while (QLocalSocket* socket = m_server->nextPendingConnection()) {
      connect(socket, &QLocalSocket::readyRead, this, [this, socket] { readFrom(socket); });
      connect(socket, &QLocalSocket::disconnected, socket, &QObject::deleteLater);
      if (socket->bytesAvailable() > 0) readFrom(socket);
    }
  });
  settle(&SingleInstance::first);
}

void SingleInstance::readFrom(QLocalSocket* socket) {
  if (socket->bytesAvailable() > kMostBytes) return socket->abort();
  if (!socket->canReadLine()) return;
  const QJsonDocument request = QJsonDocument::fromJson(socket->readLine());
  if (!request.isObject()) return socket->abort();
  socket->write("ok\n");
  socket->flush();
  Q_EMIT received(request.object().value(QStringLiteral("open")).toString());
}

}  // namespace tessera::ui
