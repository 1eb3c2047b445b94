// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/machine_tab.h"

#include <QVBoxLayout>

#include "ui/bridge/desktop/host_monitor.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/gauge_history.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
constexpr int kShownMs = 2'000, kHiddenMs = 20'000;
}

MachineTab::MachineTab(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_host(HostMonitor::of(studio.runs)),
      m_note(new TextLabel({}, theme::TextSize::Body, this)),
      m_history(new GaugeHistory(m_host, this)) {
  m_note->setTone(TextLabel::Tone::Secondary)->setWrapped();
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->setSpacing(theme::kGrid);
  column->addWidget(m_note);
  column->addWidget(m_history, 1);
  connect(&m_host, &HostMonitor::changed, this, &MachineTab::refresh);
  // Before it is shown for the first time as well: the history begins with the page.
  m_host.setInterval(kHiddenMs, this);
}

void MachineTab::setFeed(std::shared_ptr<RunFeed> feed) {
  if (m_feed) disconnect(m_feed.get(), nullptr, this, nullptr);
  m_feed = std::move(feed);
  if (m_feed) connect(m_feed.get(), &RunFeed::statusChanged, this, &MachineTab::refresh);
  refresh();
}

/// The chart is of this machine: whether the run is on it decides what it says of the run.
void MachineTab::refresh() {
  if (!isVisible()) return;
  const QString here = m_host.facts().name;
  if (!m_feed || !m_feed->status().process) {
    return m_note->setText(tr("This machine, all of its programs. The run has no process yet."));
  }
  const RunStatus& status = m_feed->status();
  const QString host = QString::fromStdString(status.process->host);
  if (!here.isEmpty() && host != here) {
    m_note->setText(tr("The run is on %1; this is %2, where the studio runs.").arg(host, here));
  } else if (!isLive(status.state)) {
    m_note->setText(tr("This machine, all of its programs. The run does not run now."));
  } else {
    m_note->setText(tr("This machine, all of its programs, while the run trains on it."));
  }
}

void MachineTab::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  m_host.setInterval(kShownMs, this);
  m_host.refresh();
  refresh();
}

void MachineTab::hideEvent(QHideEvent* event) {
  m_host.setInterval(kHiddenMs, this);
  QWidget::hideEvent(event);
}

}  // namespace tessera::ui
