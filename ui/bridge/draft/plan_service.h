// SPDX-License-Identifier: MIT
// PlanService: plans of a draft, made by a worker while the user goes on typing. Only the newest
// request is answered.
#pragma once

#include <QObject>
#include <QString>
#include <QTimer>
#include <memory>
#include <optional>
#include <vector>

#include "core/plan/plan.h"

namespace tessera::ui {

class Mailbox;
class WorkerThread;

using PlanPtr = std::shared_ptr<const Plan>;

struct PlanRequest {
  RunSpec spec{};
  std::vector<Problem> problems{};  ///< met while reading it
  QString folder{};                 ///< that relative paths are seen from
  bool hasValues = true;            ///< false: the text could not be read, only problems are told
  std::string keep{};               ///< the key that was just set: fixes leave it alone
  std::optional<ForkOf> fork{};     ///< what it is a fork of
  double pricePerHour = 2;
  std::optional<std::size_t> memoryBytes{};  ///< what a rank may use, where the user says
  bool elsewhere = false;                    ///< it trains on other machines than this one
};

class PlanService : public QObject {
  Q_OBJECT
 public:
  explicit PlanService(QObject* parent = nullptr);
  ~PlanService() override;

  /// Answered by ready() after a short pause without further requests.
  void request(PlanRequest request);
  PlanPtr plan() const { return m_plan; }  ///< the newest; null: none yet
  bool pending() const { return m_pending; }

 Q_SIGNALS:
  void ready(std::shared_ptr<const Plan> plan);
  void pendingChanged(bool pending);

 private:
  class Worker;
  void send();
  std::shared_ptr<Mailbox> m_mailbox;
  Worker* m_worker;
  std::unique_ptr<WorkerThread> m_thread;
  QTimer m_pause;
  std::optional<PlanRequest> m_next;
  PlanPtr m_plan;
  std::uint64_t m_generation = 0;
  bool m_pending = false;
};

}  // namespace tessera::ui
