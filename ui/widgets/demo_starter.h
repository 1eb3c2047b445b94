// SPDX-License-Identifier: MIT
// DemoStarter: launches the demo preset and says when there is a run to watch.
#pragma once

#include <QObject>
#include <QString>
#include <cstdint>

namespace tessera::ui {

struct Studio;

class DemoStarter : public QObject {
  Q_OBJECT
 public:
  explicit DemoStarter(Studio& studio, QObject* parent = nullptr);
  /// Answered by started(); a failure is shown over the page. Nothing while busy().
  void start();
  bool busy() const { return m_busy; }

 Q_SIGNALS:
  void busyChanged(bool busy);
  void started(const QString& run);

 private:
  void end(const QString& error);
  Studio& m_studio;
  QString m_tag;
  std::int64_t m_task = 0;
  bool m_busy = false;
};

}  // namespace tessera::ui
