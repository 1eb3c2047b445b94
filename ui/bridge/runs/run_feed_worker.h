// SPDX-License-Identifier: MIT
// The worker of a RunFeed; shared by its two files, not for others.
#pragma once

#include <QObject>
#include <QTimer>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/events/step_fold.h"
#include "core/history/experts_index.h"
#include "ui/bridge/desktop/worker_thread.h"
#include "ui/bridge/runs/run_feed.h"

namespace tessera::ui {

/// What the worker hands over at once.
struct RunFeed::Batch {
  std::optional<RunFolder> folder;
  std::shared_ptr<const RunSpec> spec;
  std::unique_ptr<RunHistory> history;  ///< replaces what was there
  std::vector<Event> events;            ///< that come after it; of experts the heads only
  std::optional<RunStatus> status;
  std::optional<QString> error;
};

class RunFeed::Worker : public QObject {
 public:
  Worker(std::filesystem::path folder, std::shared_ptr<Mailbox> mailbox, RunFeed* feed);

  void start();
  void setCadence(int hertz);
  void acknowledge() { m_inFlight = false; }
  void readRanks();
  void wantExperts(std::int64_t step);
  void wantFan(int layer, std::int64_t from, std::int64_t to, int points);

 private:
  struct Fan {
    std::vector<std::int64_t> steps;
    std::size_t next = 0;
    std::shared_ptr<std::vector<ExpertsEvent>> points;
  };

  void tick();
  void open();
  void loadLog();
  void follow();
  bool pollLog(std::size_t most, std::vector<Event>& events);
  bool noteFrame(std::uint64_t offset, std::uint64_t sequence, std::string_view payload);
  void index(const Event& event);
  void lookAtStatus(bool atOnce, Batch& batch);
  std::string evidence() const;
  void send(Batch batch);
  void fail(const QString& message);
  void schedule();
  void serveExperts();
  void advanceFan();

  std::filesystem::path m_path;
  std::shared_ptr<Mailbox> m_mailbox;
  RunFeed* m_feed;  ///< only for what is posted to it
  QTimer* m_timer = nullptr;
  int m_hertz = 10;

  std::optional<RunFolder> m_folder;
  std::unique_ptr<EventReader> m_reader;
  std::unique_ptr<ExpertsIndex> m_experts;
  StepFold m_fold;             ///< for the index of experts
  std::vector<Event> m_heads;  ///< heads of experts events, met during the poll at hand
  std::map<std::uint64_t, std::uint64_t> m_headOffsets;
  std::uint64_t m_lastSequence = 0, m_lastOffset = 0;

  RunStatus m_status;
  std::string m_evidence;
  qint64 m_statusAt = 0;
  QString m_error;
  bool m_inFlight = false;  ///< a batch that the window has not taken yet

  std::deque<std::int64_t> m_wanted;
  std::map<int, Fan> m_fans;
};

}  // namespace tessera::ui
