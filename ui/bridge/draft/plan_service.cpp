// SPDX-License-Identifier: MIT
#include "ui/bridge/draft/plan_service.h"

#include <QElapsedTimer>
#include <atomic>

#include "core/base/error.h"
#include "core/base/log.h"
#include "ui/bridge/desktop/worker_thread.h"

namespace tessera::ui {

namespace {
constexpr int kPauseMs = 100;
constexpr qint64 kLibraryMs = 10'000;  ///< how long an answer of the library is believed
}  // namespace

class PlanService::Worker : public QObject {
 public:
  Worker(PlanService* service, std::shared_ptr<Mailbox> mailbox)
      : m_service(service), m_mailbox(std::move(mailbox)) {}

  std::atomic<std::uint64_t> newest = 0;

  void make(PlanRequest request, std::uint64_t generation) {
    if (generation != newest) return;  // another one waits already
    PlanOptions options;
    options.speed.price_per_hour = request.pricePerHour;
    options.memory_bytes = request.memoryBytes;
    options.keep = request.keep;
    options.elsewhere = request.elsewhere;
    options.fork = request.fork;
    options.speed.measurements = measurements(request.spec);
    try {
      make_paths_absolute(request.spec, request.folder.toStdString());
    } catch (const std::exception& error) {
      log::warning("plan: {}", error.what());
    }
    auto plan = std::make_shared<Plan>();
    if (request.hasValues) {
      *plan = make_plan(request.spec, request.problems, options);
    } else {
      for (const Problem& problem : request.problems) plan->problems.push_back({problem});
    }
    m_mailbox->post([service = m_service, plan, generation] {
      if (generation != service->m_generation) return;
      service->m_plan = plan;
      service->m_pending = false;
      Q_EMIT service->pendingChanged(false);
      Q_EMIT service->ready(plan);
    });
  }

 private:
  std::vector<Measurement> measurements(const RunSpec& spec) {
    std::vector<Measurement> all;
    try {
      all = read_measurements();
      const std::string model = model_fingerprint(spec.model) +
                                std::string(name_of(spec.precision.recipe)) +
                                (spec.host.device == Device::Cuda ? "cuda" : "cpu");
      if (!m_library || model != m_model || m_asked.elapsed() > kLibraryMs) {
        m_library = std::make_unique<Library>();
        m_run = measured_run(spec, *m_library);
        m_model = model;
        m_asked.start();
      }
      if (m_run) all.push_back(*m_run);
    } catch (const std::exception& error) {
      log::warning("plan: {}", error.what());
    }
    return all;
  }

  PlanService* m_service;
  std::shared_ptr<Mailbox> m_mailbox;
  std::unique_ptr<Library> m_library;
  std::optional<Measurement> m_run;
  std::string m_model;
  QElapsedTimer m_asked;
};

PlanService::PlanService(QObject* parent)
    : QObject(parent),
      m_mailbox(std::make_shared<Mailbox>(this)),
      m_worker(new Worker(this, m_mailbox)),
      m_thread(std::make_unique<WorkerThread>(QStringLiteral("plan"), m_worker)) {
  m_pause.setSingleShot(true);
  m_pause.setInterval(kPauseMs);
  connect(&m_pause, &QTimer::timeout, this, &PlanService::send);
}

PlanService::~PlanService() {
  m_mailbox->close();
}

void PlanService::request(PlanRequest request) {
  m_next = std::move(request);
  if (!m_pending) {
    m_pending = true;
    Q_EMIT pendingChanged(true);
  }
  m_pause.start();
}

void PlanService::send() {
  if (!m_next) return;
  m_worker->newest = ++m_generation;
  tell(m_worker, [worker = m_worker, request = std::move(*m_next), generation = m_generation] {
    worker->make(request, generation);
  });
  m_next.reset();
}

}  // namespace tessera::ui
