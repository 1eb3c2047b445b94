// SPDX-License-Identifier: MIT
// The machine that a run trains on, while it does: processor, memory and GPUs over the last
// minutes.
#pragma once

#include <QWidget>
#include <memory>

#include "ui/bridge/runs/run_feed.h"
#include "ui/shell_context.h"

namespace tessera::ui {

class GaugeHistory;
class HostMonitor;
class TextLabel;

class MachineTab : public QWidget {
  Q_OBJECT
 public:
  explicit MachineTab(Studio& studio, QWidget* parent = nullptr);
  void setFeed(std::shared_ptr<RunFeed> feed);
  GaugeHistory& history() const { return *m_history; }

 protected:
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;

 private:
  void refresh();
  HostMonitor& m_host;
  TextLabel* m_note;
  GaugeHistory* m_history;
  std::shared_ptr<RunFeed> m_feed;
};

}  // namespace tessera::ui
