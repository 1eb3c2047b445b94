// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/log_tail.h"

#include <QFile>
#include <QTimer>

#include "ui/bridge/desktop/worker_thread.h"

namespace tessera::ui {

namespace {
constexpr int kPollMs = 200;
constexpr qint64 kMostBytesPerPoll = 4 << 20;
constexpr qsizetype kMostLineBytes = 16 << 10, kBatch = 5'000;
constexpr qint64 kUsualLineBytes = 120;
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
    m_path = path;
    m_generation = generation;
    m_offset = 0;
    m_rest.clear();
    QFile file(path);
    if (!path.isEmpty() && file.exists()) {
      m_offset = std::max<qint64>(0, file.size() - mostLines * kUsualLineBytes);
    }
    m_inLine = m_offset > 0;
    resume();
  }
  void pause(bool paused) {
    m_paused = paused;
    resume();
  }

 private:
  void resume() {
    if (m_path.isEmpty() || m_paused) return m_timer->stop();
    m_timer->start();
    poll();
  }

  void poll() {
    QFile file(m_path);
    if (!file.open(QIODevice::ReadOnly)) return;
    if (file.size() < m_offset) {
      m_offset = 0;
      m_rest.clear();
      m_inLine = false;
      post([](LogTail* owner) { Q_EMIT owner->restarted(); });
    }
    if (file.size() == m_offset || !file.seek(m_offset)) return;
    const QByteArray bytes = file.read(kMostBytesPerPoll);
    m_offset += bytes.size();
    take(bytes);
    // More is there: after others had their turn.
    if (bytes.size() == kMostBytesPerPoll) tell(this, [this] { poll(); });
  }

  void take(const QByteArray& bytes) {
    m_rest += bytes;
    QStringList batch;
    qsizetype from = 0;
    for (qsizetype end; (end = m_rest.indexOf('\n', from)) >= 0; from = end + 1) {
      if (std::exchange(m_inLine, false)) continue;  // it began before the place we started at
      batch += QString::fromUtf8(m_rest.constData() + from, std::min(end - from, kMostLineBytes));
      if (batch.size() == kBatch) send(std::exchange(batch, {}));
    }
    m_rest.remove(0, from);
    if (m_rest.size() > kMostLineBytes) {
      batch += QString::fromUtf8(m_rest.left(kMostLineBytes));
      m_rest.clear();
      m_inLine = true;
    }
    if (!batch.isEmpty()) send(std::move(batch));
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
  QString m_path;
  quint64 m_generation = 0;
  qint64 m_offset = 0;
  QByteArray m_rest;
  bool m_inLine = false, m_paused = false;
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
