// SPDX-License-Identifier: MIT
// SingleInstance: one studio per home folder. A second start hands what it was asked to open to the
// first, over a local socket, and ends.
#pragma once

#include <QObject>
#include <QString>
#include <memory>

class QLocalServer;
class QLocalSocket;
class QTimer;

namespace tessera::ui {

class SingleInstance : public QObject {
  Q_OBJECT
 public:
  /// `home` tells studios apart; its socket is open to this user alone.
  explicit SingleInstance(const QString& home, QObject* parent = nullptr);
  ~SingleInstance() override;

  /// Answered by first(), or by handedOver() once the other studio has taken `location`.
  void start(const QString& location);

 Q_SIGNALS:
  void first();
  void handedOver();
  /// There is another one and it does not answer: this one goes on alone, and says so.
  void unanswered();
  /// Another start asks this one to open a place; empty: only to come to the front.
  void received(const QString& location);

 private:
  void knock();
  void listen();
  void readFrom(QLocalSocket* socket);
  void settle(void (SingleInstance::*answer)());

  QString m_name, m_location;
  std::unique_ptr<QLocalServer> m_server;
  std::unique_ptr<QLocalSocket> m_socket;
  QTimer* m_patience;
  int m_tries = 0;
  bool m_settled = false;
};

}  // namespace tessera::ui
