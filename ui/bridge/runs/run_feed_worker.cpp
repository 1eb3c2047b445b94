// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/run_feed_worker.h"

#include <sys/stat.h>

#include <QDateTime>
#include <QSemaphore>
#include <algorithm>

#include "core/base/error.h"

namespace tessera::ui {

namespace {
constexpr std::size_t kLoadEvents = 4096, kBatchEvents = 8192;
constexpr qint64 kStatusMs = 1000;
/// A coarse timer may fire a twentieth early: "at most" means at most.
constexpr int kSecondMs = 1060;
constexpr int kCalmMs = 1000;  ///< for runs that have ended, and where nothing can be read
constexpr std::size_t kMostWanted = 8, kFanSlice = 16;

/// Whoever waits for the feed is gone.
struct Cancelled {};

/// Many runs are opened at once to be compared: their logs are read one by one, so that the
/// processor is left to the window.
QSemaphore& loads() {
  static QSemaphore semaphore(1);
  return semaphore;
}

class LoadTurn {
 public:
  explicit LoadTurn(const Mailbox& mailbox) {
    while (!loads().tryAcquire(1, 50)) {
      if (mailbox.closed()) throw Cancelled();
    }
  }
  ~LoadTurn() { loads().release(); }
  LoadTurn(const LoadTurn&) = delete;
  LoadTurn& operator=(const LoadTurn&) = delete;
};

std::int64_t expertsStep(const Event& event) {
  return std::get<ExpertsEvent>(event.body).step;
}

void applyStep(RunStatus& status, const std::vector<Event>& events) {
  for (const Event& event : events) {
    status.last_word = event.time;
    if (const auto* step = std::get_if<StepEvent>(&event.body)) {
      status.step = step->step;
      status.tokens = step->tokens;
      status.loss = step->loss;
      status.tokens_per_second = step->tokens_per_second;
    } else if (const auto* validation = std::get_if<ValidationEvent>(&event.body)) {
      status.validation_loss = validation->loss;
    }
  }
}

bool changesState(const Event& event) {
  return std::holds_alternative<StateEvent>(event.body) ||
         std::holds_alternative<ResumeEvent>(event.body) ||
         std::holds_alternative<RollbackEvent>(event.body);
}
}  // namespace

RunFeed::Worker::Worker(std::filesystem::path folder, std::shared_ptr<Mailbox> mailbox,
                        RunFeed* feed)
    : m_path(std::move(folder)), m_mailbox(std::move(mailbox)), m_feed(feed) {}

void RunFeed::Worker::start() {
  m_timer = new QTimer(this);
  m_timer->setTimerType(Qt::CoarseTimer);
  connect(m_timer, &QTimer::timeout, this, [this] { tick(); });
  tick();
}

void RunFeed::Worker::setCadence(int hertz) {
  const bool woke = m_hertz == 0 && hertz > 0;
  m_hertz = std::clamp(hertz, 0, 10);
  if (woke) {
    tick();
  } else {
    schedule();
  }
}

void RunFeed::Worker::schedule() {
  if (!m_timer) return;
  // What has not been shown yet is loaded even while nobody looks: it may be asked for at any time.
  const bool calm = !m_reader || is_final(m_status.state);
  const int ms = m_hertz == 0 ? 0
                 : calm       ? std::max(kCalmMs, kSecondMs / m_hertz)
                              : kSecondMs / m_hertz;
  if (ms == 0) {
    m_timer->stop();
  } else if (!m_timer->isActive() || m_timer->interval() != ms) {
    m_timer->start(ms);
  }
}

void RunFeed::Worker::tick() {
  try {
    if (!m_folder) open();
    if (m_folder && !m_reader) loadLog();
    if (m_reader && !m_inFlight) follow();
  } catch (const Cancelled&) {
    return;
  } catch (const Error& problem) {
    fail(QString::fromUtf8(problem.what()));
  } catch (const std::exception& problem) {
    fail(QString::fromUtf8(problem.what()));
  }
  schedule();
}

void RunFeed::Worker::fail(const QString& message) {
  if (message == m_error) return;
  m_error = message;
  Batch batch;
  batch.error = message;
  send(std::move(batch));
}

void RunFeed::Worker::open() {
  m_folder = RunFolder::open(m_path);
  m_experts = std::make_unique<ExpertsIndex>(m_folder->events_path());
  Batch batch;
  batch.folder = m_folder;
  m_error.clear();
  try {
    batch.spec = std::make_shared<const RunSpec>(m_folder->spec());
  } catch (const Error& problem) {
    m_error = QString::fromUtf8(problem.what());
  }
  batch.error = m_error;
  lookAtStatus(true, batch);
  send(std::move(batch));
}

void RunFeed::Worker::loadLog() {
  const LoadTurn turn(*m_mailbox);
  auto reader = std::make_unique<EventReader>(m_folder->events_path());
  reader->set_filter(
      [this](std::uint64_t offset, std::uint64_t sequence, std::string_view payload) {
        return noteFrame(offset, sequence, payload);
      });
  m_reader = std::move(reader);
  m_experts->clear();
  m_fold = {};
  m_lastSequence = m_lastOffset = 0;
  Batch batch;
  batch.history = std::make_unique<RunHistory>();
  std::vector<Event> events;
  try {
    do {
      if (m_mailbox->closed()) throw Cancelled();
      events.clear();
      pollLog(kLoadEvents, events);
      for (Event& event : events) batch.history->take(std::move(event));
    } while (!events.empty());
  } catch (...) {
    m_reader.reset();
    throw;
  }
  lookAtStatus(true, batch);
  send(std::move(batch));
}

void RunFeed::Worker::follow() {
  Batch batch;
  if (!pollLog(kBatchEvents, batch.events)) {  // another log stands there now
    loadLog();
    return;
  }
  applyStep(m_status, batch.events);
  lookAtStatus(std::any_of(batch.events.begin(), batch.events.end(), changesState), batch);
  if (!batch.events.empty() && !batch.status) batch.status = m_status;
  if (!batch.events.empty() || batch.status) send(std::move(batch));
}

/// Appends what is new. False: the file is not the one that was read so far.
bool RunFeed::Worker::pollLog(std::size_t most, std::vector<Event>& events) {
  m_heads.clear();
  m_headOffsets.clear();
  std::vector<Event> others = m_reader->poll(most);
  const std::uint64_t offset = m_reader->offset();
  const std::uint64_t first = std::min(others.empty() ? UINT64_MAX : others.front().sequence,
                                       m_heads.empty() ? UINT64_MAX : m_heads.front().sequence);
  if (offset < m_lastOffset || first <= m_lastSequence) return false;
  m_lastOffset = offset;
  events.resize(others.size() + m_heads.size());
  std::merge(std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()),
             std::make_move_iterator(m_heads.begin()), std::make_move_iterator(m_heads.end()),
             events.begin(),
             [](const Event& a, const Event& b) { return a.sequence < b.sequence; });
  if (!events.empty()) m_lastSequence = events.back().sequence;
  for (const Event& event : events) index(event);
  return true;
}

/// Called for every frame. Experts are noted here and passed over.
bool RunFeed::Worker::noteFrame(std::uint64_t offset, std::uint64_t sequence,
                                std::string_view payload) {
  if (kind_of_payload(payload) != "experts") return true;
  if (m_mailbox->closed()) throw Cancelled();
  try {
    m_heads.push_back(ExpertsIndex::head_of(sequence, payload));
    m_headOffsets[sequence] = offset;
    return false;
  } catch (const Error&) {
    return true;  // the reader meets the same fault and notes it as damage
  }
}

void RunFeed::Worker::index(const Event& event) {
  if (const auto stands = m_fold.take(event)) m_experts->truncate_after(*stands);
  if (std::holds_alternative<ExpertsEvent>(event.body)) {
    const auto place = m_headOffsets.find(event.sequence);
    if (place != m_headOffsets.end()) m_experts->add(expertsStep(event), place->second);
  }
}

/// Sizes and times of what a status is judged from.
std::string RunFeed::Worker::evidence() const {
  std::string text;
  for (const char* name : {"events.log", "process.json", "exit.json", "mirror.json"}) {
    struct stat info {};
    if (::stat((m_path / name).c_str(), &info) != 0) info = {};
    text += fmt::format("{}:{}.{};", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  }
  return text;
}

/// Judging a state reads the end of the log and the process table: once a second will do, and for a
/// run that has ended, when its files have changed.
void RunFeed::Worker::lookAtStatus(bool atOnce, Batch& batch) {
  const qint64 now = QDateTime::currentMSecsSinceEpoch();
  if (!atOnce && now - m_statusAt < kStatusMs) return;
  m_statusAt = now;
  std::string seen = evidence();
  if (is_final(m_status.state) && seen == m_evidence) return;
  m_status = status_of(*m_folder);
  m_evidence = std::move(seen);
  batch.status = m_status;
}

void RunFeed::Worker::send(Batch batch) {
  m_inFlight = true;
  auto shared = std::make_shared<Batch>(std::move(batch));
  m_mailbox->post([feed = m_feed, shared] { feed->takeBatch(*shared); });
}

void RunFeed::Worker::readRanks() {
  auto ranks = std::make_shared<std::vector<RankCalls>>();
  try {
    *ranks = read_all_calls(m_path / "ranks");
  } catch (const std::exception& problem) {
    fail(QString::fromUtf8(problem.what()));
  }
  m_mailbox->post([feed = m_feed, ranks] { feed->takeRanks(ranks); });
}

void RunFeed::Worker::wantExperts(std::int64_t step) {
  if (std::find(m_wanted.begin(), m_wanted.end(), step) == m_wanted.end()) {
    m_wanted.push_back(step);
  }
  if (m_wanted.size() > kMostWanted) m_wanted.pop_front();
  // Later in the queue: requests that come in one burst are seen before the first is served.
  tell(this, [this] { serveExperts(); });
}

void RunFeed::Worker::serveExperts() {
  if (m_wanted.empty()) return;
  const std::int64_t step = m_wanted.back();
  m_wanted.pop_back();
  ExpertsIndex::Experts experts;
  try {
    if (m_experts) experts = m_experts->at(step);
  } catch (const Error& problem) {
    fail(QString::fromUtf8(problem.what()));
  }
  m_mailbox->post([feed = m_feed, step, experts] { Q_EMIT feed->expertsReady(step, experts); });
}

void RunFeed::Worker::wantFan(int layer, std::int64_t from, std::int64_t to, int points) {
  const bool idle = m_fans.empty();
  Fan& fan = m_fans[layer];
  fan = {};
  if (m_experts) fan.steps = m_experts->spread(from, to, points);
  fan.points = std::make_shared<std::vector<ExpertsEvent>>();
  if (idle) tell(this, [this] { advanceFan(); });
}

/// A few events at a time, so that other requests are served in between.
void RunFeed::Worker::advanceFan() {
  if (m_fans.empty()) return;
  auto& [layer, fan] = *m_fans.begin();
  try {
    for (std::size_t i = 0; i < kFanSlice && fan.next < fan.steps.size(); ++i) {
      if (auto point = m_experts->layer_at(fan.steps[fan.next++], layer)) {
        fan.points->push_back(std::move(*point));
      }
    }
  } catch (const Error& problem) {
    fan.next = fan.steps.size();
    fail(QString::fromUtf8(problem.what()));
  }
  if (fan.next == fan.steps.size()) {
    m_mailbox->post(
        [feed = m_feed, l = layer, points = fan.points] { Q_EMIT feed->biasFanReady(l, points); });
    m_fans.erase(m_fans.begin());
  }
  if (!m_fans.empty()) tell(this, [this] { advanceFan(); });
}

}  // namespace tessera::ui
