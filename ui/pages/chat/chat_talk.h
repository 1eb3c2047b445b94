// SPDX-License-Identifier: MIT
// ChatTalk: a conversation and the one or two engines that answer in it. What the page's buttons
// mean, without any widget.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <array>
#include <memory>

#include "ui/bridge/chat/chat_engine.h"
#include "ui/bridge/chat/conversation.h"

namespace tessera::ui {

/// What answers on one side.
struct ChatCheckpoint {
  QString path;   ///< a folder; empty: none
  QString label;  ///< "demo-1, step 850"
  QString run;    ///< id of its run; empty: a folder
  qint64 step = -1;
  bool operator==(const ChatCheckpoint&) const = default;
};

class ChatTalk : public QObject {
  Q_OBJECT
 public:
  ChatTalk(const QString& program, const QStringList& arguments, QObject* parent = nullptr);

  const Conversation& conversation() const { return m_conversation; }
  void setConversation(Conversation conversation);  ///< stops what is being written
  void setSystem(const QString& system);
  void setTitle(const QString& title);

  ChatEngine& engine(int side) const { return *m_sides[static_cast<std::size_t>(side)].engine; }
  const ChatCheckpoint& checkpoint(int side) const {
    return m_sides[static_cast<std::size_t>(side)].checkpoint;
  }
  /// Loads it, at once or with the next message; an empty one gives the memory back.
  void setCheckpoint(int side, const ChatCheckpoint& checkpoint, bool loadNow = true);
  void reload(int side);  ///< after a failure
  bool hasCheckpoint() const { return !checkpoint(0).path.isEmpty(); }
  bool comparing() const { return !checkpoint(1).path.isEmpty(); }
  int sides() const { return comparing() ? 2 : 1; }

  ChatSampling sampling;
  bool freshSeed = true;  ///< another seed for every answer
  bool withExperts = true;
  int alternatives = 5;

  /// The rule of sharing: at low priority always, and half the threads while a run trains here.
  void setTraining(bool training);
  bool training() const { return m_training; }
  int threads() const;  ///< for each side

  bool busy() const;
  /// Says something and has it answered on every side, now or once the model is there.
  void send(const QString& text);
  void edit(int index, const QString& text);
  void regenerate(int index);
  /// Lets an answer that was cut off go on where it ended: in place, as nothing of it changes.
  void goOn(int index);
  /// A branch of an answer that goes on from one of its token's alternatives.
  void regrow(int index, int token, const ChatAlternative& alternative);
  void stop();
  void show(int index);

  /// What an answer without text waits for; empty: nothing.
  QString waitingFor(int index) const;
  /// Tokens in the context of the answer that is being written, and its speed; 0: none is.
  int contextUsed(int side) const;
  double tokensPerSecond(int side) const;
  /// Tokens of what is said so far with `draft`; answered by counted().
  void count(const QString& draft);
  /// What the model of the first side reads of what is said so far with `draft`; answered by
  /// tokenized() or tokenizeFailed(). False: nothing is loaded, or nothing is said.
  bool tokenize(const QString& draft);

 Q_SIGNALS:
  void conversationChanged();  ///< messages or what is shown of them
  void answerGrew(int index);
  void answerDone(int index);  ///< also when it failed: its message then holds the problem
  void engineChanged(int side);
  /// The engine failed while no answer was being written that could hold the reason.
  void failed(int side, const QString& message);
  void waitingChanged(int index);
  void counted(int side, int tokens);
  void countFailed(int side, const QString& message);
  void tokenized(const std::vector<ChatPiece>& tokens);
  void tokenizeFailed(const QString& message);
  void busyChanged();

 private:
  struct Side {
    ChatEngine* engine = nullptr;
    ChatCheckpoint checkpoint;
    int answer = -1;      ///< being written, or waiting for the model
    quint64 request = 0;  ///< 0: waiting
    quint64 count = 0;
    quint64 lengthCheck = 0;  ///< the count of what a failed answer was to read
    int checkedAnswer = -1;
    std::vector<int> prefix;
    ChatToken chosen;  ///< the alternative that the prefix ends with
    QString status;
    int promptTokens = 0, written = 0;
    QElapsedTimer clock;  ///< since the first token
  };
  Side& side(int s) { return m_sides[static_cast<std::size_t>(s)]; }
  const Side& side(int s) const { return m_sides[static_cast<std::size_t>(s)]; }
  void connectEngine(int s);
  void answer(int s, int parent);
  void start(int s);
  void begin(int s);
  void finish(int s, const QString& reason, const QString& problem = {});
  void takePrefix(int s, const QString& text);
  void setStatus(int s, const QString& status);
  void engineState(int s);
  void askWhetherTooLong(int s, int index);
  void noteLength(int s, int count);
  std::vector<ChatTurn> turns(int last) const;
  std::vector<ChatTurn> turnsWith(int s, const QString& draft) const;

  quint64 m_tokenize = 0;  ///< the request for tokens that was sent last
  Conversation m_conversation = Conversation::create();
  std::array<Side, 2> m_sides;
  bool m_training = false, m_wasBusy = false;
  void noteBusy();
};

}  // namespace tessera::ui
