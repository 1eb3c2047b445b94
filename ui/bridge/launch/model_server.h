// SPDX-License-Identifier: MIT
// ModelServer: `tessera serve --http` as a process of the studio's own: a checkpoint behind
// OpenAI's API, for programs of this machine or, with a key, of others (docs/guide/server.md).
// Calls return at once; answers are signals. The process ends with the studio.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <functional>
#include <map>

class QProcess;
class QTcpSocket;
class QTimer;

namespace tessera::ui {

struct ServerOrder {
  QString path;          ///< a run (its newest checkpoint), a checkpoint, or a released folder
  int port = 8080;       ///< 0: any that is free
  bool network = false;  ///< other machines may ask, too; then there is a key
  bool withKey = false;
  QString weights{};  ///< q8_0 or q4_0; empty: as they are

  bool needsKey() const { return network || withKey; }
};
/// What `tessera` is given for it. `keyFile` is left out where no key is needed.
QStringList serverArguments(const ServerOrder& order, const QString& keyFile);

/// What programs need to know to talk to it.
struct ServerAddress {
  QString base;   ///< "http://127.0.0.1:8080/v1"
  QString model;  ///< as clients name it
  QString key;    ///< empty: none is asked for
  int port = 0;
};
/// From the line that the program prints once it listens; no port: it is another line.
ServerAddress addressIn(const QString& line);

/// What the server counts, from its metrics in Prometheus' form.
struct ServerCounts {
  double running = 0, waiting = 0;  ///< requests at present
  double cacheShare = 0;            ///< pages of the cache that are taken, 0 to 1
  double promptTokens = 0, cachedTokens = 0, writtenTokens = 0;
  double ended = 0, failed = 0, refused = 0;  ///< requests since the start
  std::map<int, double> responses;            ///< by HTTP status
};
ServerCounts countsIn(const QByteArray& metrics);

class ModelServer : public QObject {
  Q_OBJECT
 public:
  enum class State { Off, Loading, Running, Stopping, Failed };
  Q_ENUM(State)

  /// `program`: Launcher::program(); tests hand in scripts.
  explicit ModelServer(std::function<QString()> program, QObject* parent = nullptr);
  ~ModelServer() override;
  /// The one that belongs to `owner`, made where there is none.
  static ModelServer& of(QObject& owner);

  State state() const { return m_state; }
  bool isAlive() const { return m_process != nullptr; }
  const ServerOrder& order() const { return m_order; }
  /// Where it is Running.
  const ServerAddress& address() const { return m_address; }
  const ServerCounts& counts() const { return m_counts; }
  double tokensPerSecond() const { return m_tokensPerSecond; }  ///< written, lately
  QString problem() const { return m_problem; }                 ///< where it is Failed
  /// The file with the key of this user's servers; made with the first one.
  static QString keyFile();

  /// Nothing happens while one is alive.
  void start(const ServerOrder& order);
  /// Requests that run have some seconds to end.
  void stop();
  /// Whether somebody looks at the counts, which are then read every second.
  void setWatched(bool watched);

 Q_SIGNALS:
  void stateChanged();
  void countsChanged();

 private:
  void setState(State state);
  void fail(const QString& problem);
  void readOutput();
  void ended();
  void letGo();
  void askCounts();
  void takeCounts(const QByteArray& answer);
  static QString readKey();

  std::function<QString()> m_program;
  QProcess* m_process = nullptr;
  QTimer* m_poll;
  QTcpSocket* m_asking = nullptr;
  State m_state = State::Off;
  ServerOrder m_order;
  ServerAddress m_address;
  ServerCounts m_counts;
  double m_tokensPerSecond = 0;
  qint64 m_countedAt = 0;  ///< ms since 1970; 0: not yet
  QString m_problem;
  QByteArray m_output, m_complaint;  ///< the line at hand; the end of standard error
};

}  // namespace tessera::ui
