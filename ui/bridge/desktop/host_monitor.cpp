// SPDX-License-Identifier: MIT
#include "ui/bridge/desktop/host_monitor.h"

#include <sys/statvfs.h>

#include <QDateTime>
#include <QFile>
#include <QHash>
#include <QProcess>
#include <QStandardPaths>
#include <QSysInfo>
#include <QThread>
#include <QTimer>
#include <limits>
#include <utility>

#include "core/config/paths.h"
#include "ui/bridge/desktop/worker_thread.h"

namespace tessera::ui {

namespace {

QString readAll(const char* path) {
  QFile file(QString::fromLatin1(path));
  return file.open(QIODevice::ReadOnly) ? QString::fromUtf8(file.readAll()) : QString();
}

/// The value of "key : value" in /proc/cpuinfo and /proc/meminfo.
QString field(const QString& text, const QString& key) {
  for (const QStringView line : QStringView(text).split(u'\n')) {
    if (!line.startsWith(key)) continue;
    const qsizetype colon = line.indexOf(u':');
    if (colon > 0 && line.left(colon).trimmed() == key)
      return line.mid(colon + 1).trimmed().toString();
  }
  return {};
}

double kilobytes(const QString& value) {
  return 1024 * value.split(u' ').value(0).toDouble();
}

QString vectorsOf(const QStringList& flags) {
  if (flags.contains(QLatin1String("amx_bf16"))) return QStringLiteral("AMX, AVX-512");
  if (flags.contains(QLatin1String("avx512_bf16"))) return QStringLiteral("AVX-512, BF16");
  if (flags.contains(QLatin1String("avx512f"))) return QStringLiteral("AVX-512");
  return flags.contains(QLatin1String("avx2")) ? QStringLiteral("AVX2") : QString();
}

struct CpuTimes {
  double busy = 0, all = 0;
};
CpuTimes cpuTimes() {
  const QStringList parts = readAll("/proc/stat").section(u'\n', 0, 0).simplified().split(u' ');
  CpuTimes times;
  for (int i = 1; i < parts.size() && i <= 8; ++i) {
    const double ticks = parts[i].toDouble();
    times.all += ticks;
    if (i != 4 && i != 5) times.busy += ticks;  // idle and waiting for a disk
  }
  return times;
}

std::vector<GpuFacts> gpusFrom(const QString& csv) {
  std::vector<GpuFacts> gpus;
  for (const QString& line : csv.split(u'\n', Qt::SkipEmptyParts)) {
    const QStringList cells = line.split(u',');
    if (cells.size() < 5) continue;
    constexpr double kMebibyte = 1 << 20;
    gpus.push_back({cells[0].trimmed(), cells[1].trimmed(), cells[2].toDouble() * kMebibyte,
                    cells[3].toDouble() * kMebibyte, cells[4].toDouble() / 100});
  }
  return gpus;
}

}  // namespace

class HostMonitor::Worker : public QObject {
 public:
  Worker(QString folder, std::shared_ptr<Mailbox> mailbox, HostMonitor* owner)
      : m_folder(std::move(folder)), m_mailbox(std::move(mailbox)), m_owner(owner) {}

  void look() {
    if (!m_facts.known) readOnce();
    const QString memory = readAll("/proc/meminfo");
    m_facts.memoryBytes = kilobytes(field(memory, QStringLiteral("MemTotal")));
    m_facts.memoryFreeBytes = kilobytes(field(memory, QStringLiteral("MemAvailable")));
    struct statvfs disk {};
    if (::statvfs(m_folder.toLocal8Bit().constData(), &disk) == 0) {
      const auto block = static_cast<double>(disk.f_frsize);
      m_facts.diskBytes = block * static_cast<double>(disk.f_blocks);
      m_facts.diskFreeBytes = block * static_cast<double>(disk.f_bavail);
    }
    const CpuTimes now = cpuTimes();
    if (m_last.all > 0 && now.all > m_last.all) {
      m_facts.busy = (now.busy - m_last.busy) / (now.all - m_last.all);
    }
    m_last = now;
    say(true);
    if (m_looks++ % 2 == 0) askGpus();
  }

 private:
  void readOnce() {
    const QString cpu = readAll("/proc/cpuinfo");
    m_facts.name = QSysInfo::machineHostName();
    m_facts.system = QStringLiteral("%1, Linux %2")
                         .arg(QSysInfo::prettyProductName(), QSysInfo::kernelVersion());
    m_facts.processor = field(cpu, QStringLiteral("model name")).simplified();
    m_facts.vectors = vectorsOf(field(cpu, QStringLiteral("flags")).split(u' '));
    m_facts.threads = QThread::idealThreadCount();
    m_facts.diskFolder = m_folder;
    m_facts.known = true;
  }

  void say(bool looked) {
    m_mailbox->post([owner = m_owner, facts = m_facts, looked] { owner->take(facts, looked); });
  }

  void askGpus() {
    if (m_asking) return;
    const QString program = QStandardPaths::findExecutable(QStringLiteral("nvidia-smi"));
    if (program.isEmpty()) return;  // no driver: a machine without a GPU, and no problem
    m_asking = new QProcess(this);
    connect(m_asking, &QProcess::finished, this, [this](int code) {
      const QString out = QString::fromUtf8(m_asking->readAllStandardOutput());
      const QString err = QString::fromUtf8(m_asking->readAllStandardError()).simplified();
      m_facts.gpus = code == 0 ? gpusFrom(out) : std::vector<GpuFacts>();
      m_facts.gpuProblem = code == 0 ? QString() : (err.isEmpty() ? out.simplified() : err);
      done();
    });
    connect(m_asking, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
      if (error == QProcess::FailedToStart) done();
    });
    m_asking->start(program, {QStringLiteral("--query-gpu=name,driver_version,memory.total,"
                                             "memory.used,utilization.gpu"),
                              QStringLiteral("--format=csv,noheader,nounits")});
    QTimer::singleShot(10'000, m_asking, [this] { m_asking->kill(); });
  }

  void done() {
    m_asking->deleteLater();
    m_asking = nullptr;
    say(false);
  }

  QString m_folder;
  std::shared_ptr<Mailbox> m_mailbox;
  HostMonitor* m_owner;
  HostFacts m_facts;
  CpuTimes m_last;
  QProcess* m_asking = nullptr;
  int m_looks = 0;
};

struct HostMonitor::State {
  std::shared_ptr<Mailbox> mailbox;
  Worker* worker = nullptr;
  std::unique_ptr<WorkerThread> thread;
  QTimer timer;
  QHash<const QObject*, int> intervals;  ///< milliseconds, by who wants them
};

HostMonitor::HostMonitor(const QString& folder, QObject* parent)
    : QObject(parent), m_state(std::make_unique<State>()) {
  State& s = *m_state;
  s.mailbox = std::make_shared<Mailbox>(this);
  s.worker = new Worker(folder, s.mailbox, this);
  s.thread = std::make_unique<WorkerThread>(QStringLiteral("host"), s.worker);
  connect(&s.timer, &QTimer::timeout, this, &HostMonitor::refresh);
  refresh();
}

HostMonitor::~HostMonitor() {
  m_state->mailbox->close();
}

HostMonitor& HostMonitor::of(QObject& owner) {
  auto* known = owner.findChild<HostMonitor*>(QString(), Qt::FindDirectChildrenOnly);
  if (!known) known = new HostMonitor(QString::fromStdString(runs_folder().string()), &owner);
  return *known;
}

void HostMonitor::take(const HostFacts& facts, bool looked) {
  m_facts = facts;
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  if (looked) {
    HostSample sample;
    sample.time = static_cast<double>(QDateTime::currentMSecsSinceEpoch()) / 1000;
    sample.processor = facts.busy < 0 ? kNone : static_cast<float>(facts.busy);
    sample.memory = facts.memoryBytes > 0
                        ? static_cast<float>(1 - facts.memoryFreeBytes / facts.memoryBytes)
                        : kNone;
    for (const GpuFacts& gpu : facts.gpus) sample.gpus.push_back(static_cast<float>(gpu.busy));
    m_history.push_back(std::move(sample));
    if (m_history.size() > kMostSamples) m_history.pop_front();
  }
  Q_EMIT changed();
}

void HostMonitor::setInterval(int ms, QObject* viewer) {
  QHash<const QObject*, int>& wanted = m_state->intervals;
  if (viewer && !wanted.contains(viewer)) {
    connect(viewer, &QObject::destroyed, this, [this, viewer] {
      m_state->intervals.remove(viewer);
      tellInterval();
    });
  }
  wanted[viewer] = ms;
  tellInterval();
}

void HostMonitor::tellInterval() {
  int least = 0;
  for (const int ms : std::as_const(m_state->intervals)) {
    if (ms > 0 && (least == 0 || ms < least)) least = ms;
  }
  QTimer& timer = m_state->timer;
  if (least == 0) return timer.stop();
  if (!timer.isActive() || timer.interval() != least) timer.start(least);
}

void HostMonitor::refresh() {
  tell(m_state->worker, [worker = m_state->worker] { worker->look(); });
}

}  // namespace tessera::ui
