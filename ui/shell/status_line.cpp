// SPDX-License-Identifier: MIT
#include "ui/shell/status_line.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPainter>
#include <QTimer>
#include <algorithm>
#include <cmath>

#include "ui/bridge/desktop/host_monitor.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/problems.h"
#include "ui/shell_context.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
constexpr int kGauge = 44;

QToolButton* chip(const QString& icon) {
  auto* button = new QToolButton;
  button->setAutoRaise(true);
  button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  button->setIcon(theme::icon(icon));
  button->setIconSize(QSize(14, 14));
  button->setFont(theme::font(theme::TextSize::Caption, true));
  return button;
}
}  // namespace

Gauge::Gauge(const QString& word, QWidget* parent) : QWidget(parent), m_word(word) {}

void Gauge::set(double share, const QString& tip) {
  setToolTip(tip);
  setAccessibleName(tip);
  const bool same = std::abs(share - m_share) < 0.005;
  m_share = share;
  if (!same) update();
}

QSize Gauge::sizeHint() const {
  const QFontMetrics metrics(theme::font(theme::TextSize::Caption));
  return {metrics.horizontalAdvance(m_word) + theme::kHalf + kGauge + theme::kGrid, 20};
}

void Gauge::paintEvent(QPaintEvent*) {
  const theme::Colors& c = theme::colors();
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setFont(theme::font(theme::TextSize::Caption));
  painter.setPen(c.textSecondary);
  painter.drawText(rect(), Qt::AlignVCenter | Qt::AlignLeft, m_word);
  const int left = painter.fontMetrics().horizontalAdvance(m_word) + theme::kHalf;
  QRectF bar(left, height() / 2.0 - 3, kGauge, 6);
  painter.setPen(Qt::NoPen);
  painter.setBrush(c.border);
  painter.drawRoundedRect(bar, 3, 3);
  if (m_share < 0) return;
  bar.setWidth(kGauge * std::clamp(m_share, 0.0, 1.0));
  painter.setBrush(c.accent);
  painter.drawRoundedRect(bar, 3, 3);
}

StatusLine::StatusLine(Studio& studio, HostMonitor& host, Problems& problems, QWidget* parent)
    : QStatusBar(parent),
      m_studio(studio),
      m_hostMonitor(host),
      m_problems(problems),
      m_command(new ElidedLabel),
      m_copy(iconButton(QStringLiteral("copy"), tr("Copy the command of this page"))),
      m_host(chip(QStringLiteral("hosts"))),
      m_cpu(new Gauge(tr("CPU"))),
      m_memory(new Gauge(tr("Memory"))),
      m_gpu(new Gauge(tr("GPU"))),
      m_logs(chip(QStringLiteral("logs"))),
      m_tasks(chip(QStringLiteral("tasks"))),
      m_problemsButton(chip(QStringLiteral("problems"))) {
  setSizeGripEnabled(false);
  m_command->setFont(theme::monospace());
  m_command->setAccessibleDescription(tr("The same in a terminal"));
  m_copy->setIconSize(QSize(14, 14));
  m_logs->setText(tr("Logs"));
  addWidget(m_copy);
  addWidget(m_command, 1);
  for (QWidget* widget : std::initializer_list<QWidget*>{m_host, m_cpu, m_memory, m_gpu, m_logs,
                                                         m_tasks, m_problemsButton}) {
    addPermanentWidget(widget);
  }
  connect(m_copy, &QToolButton::clicked, this, [this] {
    QGuiApplication::clipboard()->setText(m_command->fullText());
    m_studio.navigator.toast(tr("The command is in the clipboard"));
  });
  connect(m_host, &QToolButton::clicked, this, &StatusLine::hostsWanted);
  const auto opens = [this](QToolButton* button, const QString& dock) {
    connect(button, &QToolButton::clicked, this, [this, dock] { Q_EMIT dockWanted(dock); });
  };
  opens(m_logs, QStringLiteral("logs"));
  opens(m_tasks, QStringLiteral("tasks"));
  opens(m_problemsButton, QStringLiteral("problems"));
  connect(&host, &HostMonitor::changed, this, &StatusLine::showHost);
  connect(&studio.runs, &RunStore::runsChanged, this, &StatusLine::showRuns);
  connect(&studio.tasks, &Tasks::changed, this, &StatusLine::showTasks);
  connect(&problems, &Problems::changed, this, &StatusLine::showProblems);
  auto* ages = new QTimer(this);
  connect(ages, &QTimer::timeout, this, &StatusLine::showRuns);
  ages->start(5'000);
  setCommand({});
  m_gpu->hide();
  showHost();
  showRuns();
  showTasks();
  showProblems();
}

void StatusLine::setCommand(const QString& command) {
  m_command->setFullText(command);
  m_copy->setVisible(!command.isEmpty());
}

void StatusLine::showHost() {
  const HostFacts& f = m_hostMonitor.facts();
  if (!f.known) return;
  m_cpu->set(f.busy, tr("Processor: %1 busy, %2 threads")
                         .arg(f.busy < 0 ? numbers::notMeasured() : numbers::percent(f.busy))
                         .arg(f.threads));
  const double used = f.memoryBytes - f.memoryFreeBytes;
  m_memory->set(used / std::max(f.memoryBytes, 1.0),
                tr("Memory: %1 of %2").arg(numbers::bytes(used), numbers::bytes(f.memoryBytes)));
  m_gpu->setVisible(!f.gpus.empty());
  if (f.gpus.empty()) return;
  double busy = 0;
  QStringList lines;
  for (const GpuFacts& gpu : f.gpus) {
    busy += gpu.busy / static_cast<double>(f.gpus.size());
    lines += tr("%1: %2 busy, %3 of %4")
                 .arg(gpu.name, numbers::percent(gpu.busy), numbers::bytes(gpu.usedBytes),
                      numbers::bytes(gpu.memoryBytes));
  }
  m_gpu->set(busy, lines.join(u'\n'));
}

void StatusLine::showRuns() {
  int live = 0;
  double last = 0;
  for (const RunRow& row : *m_studio.runs.runs()) {
    if (!isLive(row.state)) continue;
    ++live;
    last = std::max(last, row.last_word);
  }
  const QString name = tr("This machine");
  m_host->setText(live == 0 ? name
                            : QStringLiteral("%1 \u00b7 %2").arg(name, numbers::ageOf(last)));
  m_host->setToolTip(
      live == 0
          ? tr("%1: no run is going").arg(name)
          : tr("%1: %n run(s) going, last word %2", nullptr, live).arg(name, numbers::ageOf(last)));
  m_host->setAccessibleName(m_host->toolTip());
}

void StatusLine::showTasks() {
  const int running = m_studio.tasks.running();
  m_tasks->setText(running == 0 ? tr("Tasks") : tr("%n task(s)", nullptr, running));
}

void StatusLine::showProblems() {
  const auto count = static_cast<int>(m_problems.all().size());
  m_problemsButton->setText(count == 0 ? tr("No problems") : tr("%n problem(s)", nullptr, count));
  m_problemsButton->setIcon(
      theme::icon(count == 0 ? QStringLiteral("check") : QStringLiteral("problems")));
}

}  // namespace tessera::ui
