// SPDX-License-Identifier: MIT
// ChatEngine: a `tessera serve` process with one checkpoint in it (docs/chat-protocol.md). Every
// call returns at once; answers are signals. A crash is a state with a message, and restart() loads
// the same again.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <memory>
#include <vector>

#include "ui/bridge/chat/conversation.h"

class QProcess;
class QTimer;

namespace tessera::ui {

struct ChatModelInfo {
  QString folder;
  qint64 step = -1;  ///< -1: a released folder
  int layers = 0, moeLayers = 0, firstMoeLayer = 0, experts = 0, sharedExperts = 0, topK = 0;
  double parameters = 0, activeParameters = 0;
  int context = 0;         ///< most tokens of a conversation
  bool knowsChat = false;  ///< false: it only continues text
  QString device, vocabulary;
  int threads = 0;
  double seconds = 0;  ///< that loading took
};

struct ChatTurn {
  QString role, text;
};

struct ChatRequest {
  std::vector<ChatTurn> messages;
  ChatSampling sampling;
  int alternatives = 0;
  bool experts = false;
  std::vector<int> prefix;  ///< ids that the answer begins with
  int threads = 0;          ///< 0: all
};

/// A token of what the model reads.
struct ChatPiece {
  int id = 0;
  QString shown;         ///< for people: line ends as "\\n", special tokens as they are spelled
  bool special = false;  ///< a special token, and no text that spells one

  QString text() const;  ///< `shown` with its line ends
};

struct ChatDone {
  QString reason, tail;  ///< `tail`: what is left of an unfinished character
  int tokens = 0, promptTokens = 0, reusedTokens = 0, contextUsed = 0;
  double promptTokensPerSecond = 0, tokensPerSecond = 0;
  std::shared_ptr<const std::vector<double>> usage;  ///< (layers, experts); null: not asked for
};

class ChatEngine : public QObject {
  Q_OBJECT
 public:
  enum class State { Off, Starting, Loading, Ready, Generating, Failed };
  Q_ENUM(State)

  /// `program` and `arguments`: what is started; tests hand in scripts.
  explicit ChatEngine(const QString& program, const QStringList& arguments = defaultArguments(),
                      QObject* parent = nullptr);
  /// The process ends by itself when its input is closed; nobody waits for it.
  ~ChatEngine() override;
  static QStringList defaultArguments();  ///< serve at low priority

  State state() const { return m_state; }
  bool working() const { return m_state == State::Generating; }
  bool loaded() const { return m_state == State::Ready || m_state == State::Generating; }
  const ChatModelInfo& model() const { return m_model; }
  QString path() const { return m_path; }
  QString problem() const { return m_problem; }  ///< where it is Failed: what, and what to do
  qint64 processId() const;

  /// Starts the process where it does not run. What was loaded or loading before is given up.
  void load(const QString& path, int threads);
  void restart();  ///< where it is Failed, with the same path
  void unload();   ///< ends the process

  /// Returns the number of the request, which the signals repeat; 0: nothing is loaded.
  quint64 generate(const ChatRequest& request);
  void cancel();  ///< what is being generated
  quint64 countTokens(const std::vector<ChatTurn>& messages);
  /// What the model reads of them, answered by tokenized() or failed().
  quint64 tokenize(const std::vector<ChatTurn>& messages);

  /// How often tokens are handed on, in milliseconds; more seldom while very many come, since all
  /// that is being written is laid out and painted each time.
  void setCadence(int ms);
  int interval() const;  ///< until the next batch, at the present speed

 Q_SIGNALS:
  void stateChanged();
  void loadedModel();
  void started(quint64 request, int promptTokens, int reusedTokens, const QString& prefixText);
  void reading(quint64 request, int read, int total);
  void tokens(quint64 request, const std::vector<ChatToken>& batch);
  void done(quint64 request, const ChatDone& done);
  /// A generation failed and the process goes on.
  void failed(quint64 request, const QString& message);
  void counted(quint64 request, int count);
  void tokenized(quint64 request, const std::vector<ChatPiece>& tokens);

 private:
  void start();
  void endProcess();
  void setState(State state);
  void fail(const QString& problem);
  quint64 send(QJsonObject request);
  void sendLoad();
  void drain();
  void handle(const QJsonObject& event);
  void handleToken(const QJsonObject& event);
  void handleError(const QJsonObject& event);
  void flushTokens();
  void processEnded(bool crashed, int code);

  QString m_program;
  QStringList m_arguments;
  QProcess* m_process = nullptr;
  QTimer* m_timer;
  State m_state = State::Off;
  QString m_path, m_problem;
  int m_threads = 0;
  quint64 m_lastId = 0, m_loadId = 0, m_generateId = 0;
  ChatModelInfo m_model;
  QByteArray m_waiting;    ///< from standard output, not yet a line
  QByteArray m_complaint;  ///< the end of standard error
  std::vector<ChatToken> m_tokens;
  int m_cadence;
  bool m_many = false;  ///< the last batch was large
};

/// A line of an error event, for people.
QString chatProblem(const QJsonObject& event);

}  // namespace tessera::ui
