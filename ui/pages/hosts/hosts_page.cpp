// SPDX-License-Identifier: MIT
#include "ui/pages/hosts/hosts_page.h"

#include <QFileDialog>
#include <QGridLayout>
#include <QPointer>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

#include "core/run/paths.h"
#include "ui/bridge/draft/machine_speed.h"
#include "ui/bridge/host_monitor.h"
#include "ui/bridge/launcher.h"
#include "ui/bridge/preferences.h"
#include "ui/bridge/run_store.h"
#include "ui/bridge/tasks.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/glossary.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kMostWidth = 980;

QVBoxLayout* cardBox(Card* card, const QString& title) {
  auto* box = new QVBoxLayout(card);
  box->setContentsMargins(2 * theme::kGrid, theme::kGrid + theme::kHalf, 2 * theme::kGrid,
                          theme::kGrid + theme::kHalf);
  box->setSpacing(theme::kGrid);
  box->addWidget(new TextLabel(title, theme::TextSize::Heading));
  return box;
}

QWidget* meter(double share) {
  auto* bar = new QProgressBar;
  bar->setRange(0, 1000);
  bar->setValue(static_cast<int>(1000 * share));
  bar->setTextVisible(false);
  bar->setFixedSize(180, 14);
  return bar;
}
}  // namespace

HostsPage::HostsPage(Studio& studio, QWidget* parent)
    : Page(studio, parent),
      m_host(std::make_unique<HostMonitor>(QString::fromStdString(runs_folder().string()))),
      m_machine(MachineSpeed::of(studio.preferences)),
      m_measure(new QAction(tr("Measure this machine"), this)),
      m_addFolder(new QAction(tr("Add a folder of runs..."), this)),
      m_measureButton(new QPushButton(tr("Measure"))),
      m_speed(new TextLabel({}, theme::TextSize::Title)),
      m_speedNote(new TextLabel) {
  auto* body = new QWidget;
  auto* box = new QVBoxLayout(body);
  box->setContentsMargins(2 * theme::kGrid, 2 * theme::kGrid, 2 * theme::kGrid, 2 * theme::kGrid);
  box->setSpacing(2 * theme::kGrid);
  box->addWidget(new TextLabel(tr("Hosts"), theme::TextSize::Title));
  box->addWidget(buildMachine());
  box->addWidget(buildSpeed());
  auto* others = new Card;
  auto* inside = cardBox(others, tr("Other machines"));
  auto* empty = new EmptyState(
      tr("None yet. Runs that another machine writes to a shared folder appear here like those of "
         "this one."),
      tr("Add a folder of runs..."), QStringLiteral("hosts"));
  empty->setMinimumHeight(150);
  inside->addWidget(empty);
  box->addWidget(others);
  box->addStretch();
  setCentredBody(this, body, kMostWidth);
  connect(m_host.get(), &HostMonitor::changed, this, &HostsPage::showFacts);
  connect(m_measure, &QAction::triggered, this, &HostsPage::measure);
  connect(m_measureButton, &QPushButton::clicked, m_measure, &QAction::trigger);
  connect(m_addFolder, &QAction::triggered, this, &HostsPage::addFolder);
  connect(empty, &EmptyState::pressed, m_addFolder, &QAction::trigger);
  connect(&m_machine, &MachineSpeed::changed, this, &HostsPage::showSpeed);
  connect(&m_machine, &MachineSpeed::measuringChanged, this, &HostsPage::showSpeed);
  connect(&m_machine, &MachineSpeed::measured, this, &HostsPage::measured);
  connect(&m_machine, &MachineSpeed::failed, this, [this](const QString& message) {
    this->studio().navigator.notify(QStringLiteral("warning"), message);
  });
  showFacts();
  showSpeed();
}

HostsPage::~HostsPage() {
  if (m_task >= 0) studio().tasks.finish(m_task, {});
}

QWidget* HostsPage::buildMachine() {
  auto* card = new Card;
  QVBoxLayout* box = cardBox(card, tr("This machine"));
  m_facts = new QVBoxLayout;
  box->addLayout(m_facts);
  return card;
}

QWidget* HostsPage::buildSpeed() {
  auto* card = new Card;
  QVBoxLayout* box = cardBox(card, tr("Measured speed"));
  auto* row = new QHBoxLayout;
  auto* text = new QVBoxLayout;
  m_speed->setTabular();
  m_speedNote->setTone(TextLabel::Tone::Secondary)->setWrapped();
  text->addWidget(m_speed);
  text->addWidget(m_speedNote);
  row->addLayout(text, 1);
  m_measureButton->setToolTip(
      tr("Times one large product, as `tessera bench product` does: some seconds"));
  row->addWidget(m_measureButton, 0, Qt::AlignBottom);
  box->addLayout(row);
  return card;
}

void HostsPage::showFacts() {
  const HostFacts& f = m_host->facts();
  auto* table = new QWidget;
  auto* grid = new QGridLayout(table);
  grid->setContentsMargins(0, 0, 0, 0);
  grid->setHorizontalSpacing(2 * theme::kGrid);
  grid->setColumnMinimumWidth(0, 90);
  grid->setColumnStretch(1, 1);
  int at = 0;
  const auto line = [&](const QString& name, const QString& text, double share = -1) {
    auto* title = new TextLabel(name);
    title->setTone(TextLabel::Tone::Secondary);
    auto* value = new TextLabel(text);
    value->setWrapped()->setSelectable();
    grid->addWidget(title, at, 0, Qt::AlignVCenter);
    grid->addWidget(value, at, 1);
    if (share >= 0) {
      QWidget* bar = meter(share);
      bar->setAccessibleName(tr("%1: %2 used").arg(name, numbers::percent(share)));
      bar->setToolTip(bar->accessibleName());
      grid->addWidget(bar, at, 2);
    }
    ++at;
  };
  if (!f.known) {
    line(tr("Machine"), tr("Looking..."));
  } else {
    const QString vectors = f.vectors.isEmpty() ? QString() : QStringLiteral(", ") + f.vectors;
    line(tr("Name"), QStringLiteral("%1 \u00b7 %2").arg(f.name, f.system));
    line(tr("Processor"), tr("%1, %n thread(s)%2", nullptr, f.threads).arg(f.processor, vectors),
         f.busy);
    line(tr("Memory"),
         tr("%1 free of %2").arg(numbers::bytes(f.memoryFreeBytes), numbers::bytes(f.memoryBytes)),
         1 - f.memoryFreeBytes / std::max(1.0, f.memoryBytes));
    line(tr("Disk"),
         tr("%1 free of %2, %3")
             .arg(numbers::bytes(f.diskFreeBytes), numbers::bytes(f.diskBytes), f.diskFolder),
         1 - f.diskFreeBytes / std::max(1.0, f.diskBytes));
    for (const GpuFacts& gpu : f.gpus) {
      line(tr("GPU"),
           tr("%1, %2, driver %3").arg(gpu.name, numbers::bytes(gpu.memoryBytes), gpu.driver),
           gpu.busy);
    }
    if (f.gpus.empty()) {
      line(tr("GPUs"),
           f.gpuProblem.isEmpty() ? tr("None found") : tr("Cannot be asked: %1").arg(f.gpuProblem));
    }
  }
  while (QLayoutItem* old = m_facts->takeAt(0)) {
    if (old->widget()) old->widget()->deleteLater();
    delete old;
  }
  m_facts->addWidget(table);
}

void HostsPage::showSpeed() {
  const bool measuring = m_machine.measuring();
  setEnabledBecause(m_measureButton, !measuring, tr("It is being measured"));
  m_measure->setEnabled(!measuring);
  const double fp32 = m_machine.fp32(), bf16 = m_machine.bf16();
  m_speed->setText(fp32 > 0 ? numbers::flops(fp32) : tr("Not measured"));
  if (measuring) {
    m_speedNote->setText(tr("Measuring..."));
  } else if (fp32 <= 0) {
    m_speedNote->setText(
        tr("How fast this machine multiplies matrices: what a plan's step times come from."));
  } else {
    m_speedNote->setText(
        tr("A product of order 1024 in FP32, and %1 in BF16, measured on %2. Plans use both.")
            .arg(bf16 > 0 ? numbers::flops(bf16) : numbers::notMeasured(), m_machine.date()));
  }
}

void HostsPage::measure() {
  if (m_machine.measuring()) return;
  m_task = studio().tasks.begin(tr("Measuring products"), [self = QPointer(this)] {
    if (self) self->m_machine.cancel();
  });
  m_machine.measure(Launcher::program());
}

void HostsPage::measured(const QString& problem) {
  if (m_task < 0) return;  // somebody else asked, and is told
  studio().tasks.finish(m_task, problem);
  m_task = -1;
  if (problem.isEmpty()) return;
  studio().navigator.notify(QStringLiteral("error"),
                            tr("This machine could not be measured: %1").arg(problem),
                            tr("Try again"), [self = QPointer(this)] {
                              if (self) self->measure();
                            });
}

void HostsPage::addFolder() {
  auto* dialog =
      fileDialog(this, this, tr("Folder that runs are in"), [this](const QString& folder) {
        studio().runs.addRoot(folder);
        studio().navigator.toast(tr("Looking for runs in %1").arg(folder));
      });
  dialog->setFileMode(QFileDialog::Directory);
  dialog->open();
}

void HostsPage::open(const Location&) {
  m_host->refresh();
  m_machine.refresh();  // a terminal may have measured meanwhile
}

Location HostsPage::location() const {
  return {QStringLiteral("hosts"), {}, {}};
}

QString HostsPage::command() const {
  return QStringLiteral("tessera ") + MachineSpeed::arguments().join(u' ');
}

void HostsPage::setActivity(bool visible, bool focused) {
  m_host->setInterval(visible ? (focused ? 2'000 : 5'000) : 0);
}

}  // namespace tessera::ui
