// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/log_tail.h"

#include <QTimer>

#include "core/history/text_tail.h"
#include "ui/bridge/desktop/worker_thread.h"

namespace tessera::ui {

namespace {
constexpr int kPollMs = 200;
constexpr qsizetype kBatch = 5'000;
}  // namespace

class LogTail::Worker : public QObject {
 public:
  Worker(std::shared_ptr<Mailbox> mailbox, LogTail* owner)
      : m_mailbox(std::move(mailbox)), m_owner(owner) {}

  void start() {
    m_timer = new QTimer(this);
    m_timer->setInterval(kPollMs);
    connect(m_timer, &QTimer::timeout, this, [this] { poll(); });
  }
  void follow(const QString& path, int mostLines, quint64 generation) {
    m_follows = !path.isEmpty();
    m_generation = generation;
    m_tail = m_follows ? TextTail(path.toStdString(), mostLines) : TextTail();
    resume();
  }
  void pause(bool paused) {
    m_paused = paused;
    resume();
  }

 private:
  void resume() {
    if (!m_follows || m_paused) return m_timer->stop();
    m_timer->start();
    poll();
  }

  void poll() {
    const TextTail::News news = m_tail.poll();
    if (news.replaced) {
      post([](LogTail* owner) { Q_EMIT owner->restarted(); });
    }
    QStringList batch;
    for (const std::string& line : news.lines) {
      batch += QString::fromStdString(line);
      if (batch.size() == kBatch) send(std::exchange(batch, {}));
    }
    if (!batch.isEmpty()) send(std::move(batch));
    // More is there: after others had their turn.
    if (news.more) tell(this, [this] { poll(); });
  }

  void send(QStringList batch) {
    post([batch = std::move(batch)](LogTail* owner) { Q_EMIT owner->lines(batch); });
  }
  template <class Work>
  void post(Work work) {
    m_mailbox->post([owner = m_owner, generation = m_generation, work = std::move(work)] {
      if (owner->m_generation == generation) work(owner);
    });
  }

  std::shared_ptr<Mailbox> m_mailbox;
  LogTail* m_owner;
  QTimer* m_timer = nullptr;
  TextTail m_tail;
  quint64 m_generation = 0;
  bool m_follows = false, m_paused = false;
};

struct LogTail::State {
  std::shared_ptr<Mailbox> mailbox;
  Worker* worker = nullptr;
  std::unique_ptr<WorkerThread> thread;
};

LogTail::LogTail(QObject* parent) : QObject(parent), m_state(std::make_unique<State>()) {
  State& s = *m_state;
  s.mailbox = std::make_shared<Mailbox>(this);
  s.worker = new Worker(s.mailbox, this);
  s.thread = std::make_unique<WorkerThread>(QStringLiteral("log"), s.worker);
  tell(s.worker, [worker = s.worker] { worker->start(); });
}

LogTail::~LogTail() {
  m_state->mailbox->close();
}

void LogTail::follow(const QString& path, int mostLines) {
  if (path == m_path) return;
  m_path = path;
  ++m_generation;
  Q_EMIT restarted();
  tell(m_state->worker, [worker = m_state->worker, path, mostLines, generation = m_generation] {
    worker->follow(path, mostLines, generation);
  });
}

void LogTail::setPaused(bool paused) {
  tell(m_state->worker, [worker = m_state->worker, paused] { worker->pause(paused); });
}

}  // namespace tessera::ui
