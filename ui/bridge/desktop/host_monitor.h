// SPDX-License-Identifier: MIT
// HostMonitor: what this machine is and how busy it is. Read by a worker, GPUs through nvidia-smi.
#pragma once

#include <QObject>
#include <QString>
#include <deque>
#include <memory>
#include <vector>

namespace tessera::ui {

struct GpuFacts {
  QString name, driver;
  double memoryBytes = 0, usedBytes = 0;
  double busy = 0;  ///< 0 to 1
};

struct HostFacts {
  QString name;       ///< the machine's
  QString system;     ///< "Debian GNU/Linux 12 (bookworm), Linux 6.1"
  QString processor;  ///< "AMD EPYC 7543 32-Core Processor"
  QString vectors;    ///< the widest vector instructions: "AVX2", "AVX-512"
  int threads = 0;
  double memoryBytes = 0, memoryFreeBytes = 0;
  double diskBytes = 0, diskFreeBytes = 0;  ///< the file system of the runs
  QString diskFolder;
  double busy = -1;  ///< all threads, 0 to 1, over the last interval; below 0: not yet
  std::vector<GpuFacts> gpus;
  QString gpuProblem;  ///< why GPUs could not be asked; empty also where there is no driver
  bool known = false;
};

/// How busy the machine was at a moment: shares from 0 to 1, NaN where nothing is known.
struct HostSample {
  double time = 0;  ///< seconds since 1970
  float processor = 0, memory = 0;
  std::vector<float> gpus;
};

class HostMonitor : public QObject {
  Q_OBJECT
 public:
  /// An hour, where somebody looks all the time.
  static constexpr std::size_t kMostSamples = 1800;

  /// The one of a studio, so that every page shows the same history. It belongs to `owner`.
  static HostMonitor& of(QObject& owner);

  /// `folder`: where the runs are, for the disk.
  explicit HostMonitor(const QString& folder, QObject* parent = nullptr);
  ~HostMonitor() override;

  /// As of the last changed().
  const HostFacts& facts() const { return m_facts; }
  /// What was seen so far, oldest first.
  const std::deque<HostSample>& history() const { return m_history; }
  /// Between looks; 0: none on its own. GPUs are asked at every second look. Of several viewers the
  /// most eager one counts, and one that is gone wants nothing.
  void setInterval(int ms, QObject* viewer = nullptr);
  void refresh();

 Q_SIGNALS:
  void changed();

 private:
  class Worker;
  struct State;
  void take(const HostFacts& facts, bool looked);
  void tellInterval();
  HostFacts m_facts;
  std::deque<HostSample> m_history;
  std::unique_ptr<State> m_state;
};

}  // namespace tessera::ui
