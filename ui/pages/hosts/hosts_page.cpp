// SPDX-License-Identifier: MIT
#include "ui/pages/hosts/hosts_page.h"

#include <QFileDialog>
#include <QGridLayout>
#include <QPointer>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/bridge/desktop/host_monitor.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/draft/machine_speed.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/hosts/known_hosts_view.h"
#include "ui/pages/hosts/slurm_profiles_view.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/gauge_history.h"
#include "ui/widgets/glossary.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kMostWidth = 980;
constexpr int kHiddenMs = 20'000;  ///< so that the history has no holes

QVBoxLayout* cardBox(Card* card, const QString& title) {
  auto* box = new QVBoxLayout(card);
  box->setContentsMargins(2 * theme::kGrid, theme::kGrid + theme::kHalf, 2 * theme::kGrid,
                          theme::kGrid + theme::kHalf);
  box->setSpacing(theme::kGrid);
  box->addWidget(new TextLabel(title, theme::TextSize::Heading));
  return box;
}

QProgressBar* meter() {
  auto* bar = new QProgressBar;
  bar->setRange(0, 1000);
  bar->setTextVisible(false);
  bar->setFixedSize(180, 14);
  return bar;
}
}  // namespace

HostsPage::HostsPage(Studio& studio, QWidget* parent)
    : Page(studio, parent),
      m_host(HostMonitor::of(studio.runs)),
      m_machine(MachineSpeed::of(studio.preferences)),
      m_measure(new QAction(tr("Measure this machine"), this)),
      m_addFolder(new QAction(tr("Add a folder of runs..."), this)),
      m_addHost(new QAction(tr("Add a host..."), this)),
      m_checkAll(new QAction(tr("Check all hosts"), this)),
      m_testLaunch(new QAction(tr("Test launch"), this)),
      m_addProfile(new QAction(tr("New profile for Slurm..."), this)),
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
  box->addWidget(buildOthers());
  box->addWidget(buildClusters());
  box->addStretch();
  setCentredBody(this, body, kMostWidth);
  connect(&m_host, &HostMonitor::changed, this, &HostsPage::showFacts);
  connect(m_measure, &QAction::triggered, this, &HostsPage::measure);
  connect(m_measureButton, &QPushButton::clicked, m_measure, &QAction::trigger);
  connect(m_addFolder, &QAction::triggered, this, &HostsPage::addFolder);
  connect(m_addHost, &QAction::triggered, m_known, &KnownHostsView::askForHosts);
  connect(m_addProfile, &QAction::triggered, m_profiles, &SlurmProfilesView::addProfile);
  m_testLaunch->setToolTip(
      tr("A rank on each kept host says hello to the others, and they measure how fast they send "
         "to each other; nothing is trained"));
  connect(m_testLaunch, &QAction::triggered, m_known, &KnownHostsView::testLaunch);
  connect(m_checkAll, &QAction::triggered, m_known, &KnownHostsView::checkAll);
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
  m_facts = new QGridLayout;
  m_facts->setHorizontalSpacing(2 * theme::kGrid);
  m_facts->setColumnMinimumWidth(0, 90);
  m_facts->setColumnStretch(1, 1);
  box->addLayout(m_facts);
  auto* history = new GaugeHistory(m_host);
  history->setFixedHeight(220);
  box->addWidget(history);
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

QWidget* HostsPage::buildOthers() {
  auto* card = new Card;
  QVBoxLayout* box = cardBox(card, tr("Other machines"));
  m_known = new KnownHostsView(studio(), card);
  box->addWidget(m_known);
  auto* note = new TextLabel(
      tr("Configure starts runs on hosts, and so does a terminal: `tessera launch SPEC --hosts "
         "a:4,b:4`. Runs that another machine writes to a shared folder appear like those of this "
         "one once the folder is added."),
      theme::TextSize::Caption, card);
  note->setTone(TextLabel::Tone::Secondary)->setWrapped();
  auto* buttons = new QHBoxLayout;
  for (QAction* action : {m_addHost, m_checkAll, m_testLaunch, m_addFolder}) {
    auto* button = new QPushButton(action->text(), card);
    button->setToolTip(action->toolTip());
    connect(button, &QPushButton::clicked, action, &QAction::trigger);
    buttons->addWidget(button);
  }
  buttons->addStretch(1);
  box->addLayout(buttons);
  box->addWidget(note);
  return card;
}

QWidget* HostsPage::buildClusters() {
  auto* card = new Card;
  QVBoxLayout* box = cardBox(card, tr("Profiles for Slurm"));
  m_profiles = new SlurmProfilesView(studio(), card);
  box->addWidget(m_profiles);
  auto* buttons = new QHBoxLayout;
  auto* button = new QPushButton(m_addProfile->text(), card);
  connect(button, &QPushButton::clicked, m_addProfile, &QAction::trigger);
  buttons->addWidget(button);
  buttons->addStretch(1);
  box->addLayout(buttons);
  return card;
}

std::vector<HostsPage::Line> HostsPage::lines() const {
  const HostFacts& f = m_host.facts();
  if (!f.known) return {{tr("Machine"), tr("Looking...")}};
  std::vector<Line> all;
  const QString vectors = f.vectors.isEmpty() ? QString() : QStringLiteral(", ") + f.vectors;
  all.push_back({tr("Name"), QStringLiteral("%1 \u00b7 %2").arg(f.name, f.system)});
  all.push_back({tr("Processor"),
                 tr("%1, %n thread(s)%2", nullptr, f.threads).arg(f.processor, vectors), f.busy});
  all.push_back(
      {tr("Memory"),
       tr("%1 free of %2").arg(numbers::bytes(f.memoryFreeBytes), numbers::bytes(f.memoryBytes)),
       1 - f.memoryFreeBytes / std::max(1.0, f.memoryBytes)});
  all.push_back(
      {tr("Disk"),
       tr("%1 free of %2, %3")
           .arg(numbers::bytes(f.diskFreeBytes), numbers::bytes(f.diskBytes), f.diskFolder),
       1 - f.diskFreeBytes / std::max(1.0, f.diskBytes)});
  for (const GpuFacts& gpu : f.gpus) {
    all.push_back(
        {tr("GPU"),
         tr("%1, %2, driver %3").arg(gpu.name, numbers::bytes(gpu.memoryBytes), gpu.driver),
         gpu.busy});
  }
  if (f.gpus.empty()) {
    all.push_back({tr("GPUs"), f.gpuProblem.isEmpty()
                                   ? tr("None found")
                                   : tr("Cannot be asked: %1").arg(f.gpuProblem)});
  }
  return all;
}

void HostsPage::makeRows(std::size_t count) {
  while (m_rows.size() < count) {
    Row row{new TextLabel, new TextLabel, meter()};
    row.name->setTone(TextLabel::Tone::Secondary);
    row.text->setWrapped()->setSelectable();
    const auto at = static_cast<int>(m_rows.size());
    m_facts->addWidget(row.name, at, 0, Qt::AlignVCenter);
    m_facts->addWidget(row.text, at, 1);
    m_facts->addWidget(row.bar, at, 2);
    m_rows.push_back(row);
  }
}

/// In place: what is being selected with the mouse stays selected.
void HostsPage::showFacts() {
  const std::vector<Line> all = lines();
  makeRows(all.size());
  for (std::size_t i = 0; i < m_rows.size(); ++i) {
    const bool used = i < all.size();
    m_rows[i].name->setVisible(used);
    m_rows[i].text->setVisible(used);
    m_rows[i].bar->setVisible(used && all[i].share >= 0);
    if (!used) continue;
    if (m_rows[i].name->text() != all[i].name) m_rows[i].name->setText(all[i].name);
    if (m_rows[i].text->text() != all[i].text) m_rows[i].text->setText(all[i].text);
    m_rows[i].bar->setValue(static_cast<int>(1000 * std::max(0.0, all[i].share)));
    m_rows[i].bar->setAccessibleName(
        tr("%1: %2 used").arg(all[i].name, numbers::percent(all[i].share)));
    m_rows[i].bar->setToolTip(m_rows[i].bar->accessibleName());
  }
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
  m_host.refresh();
  m_machine.refresh();  // a terminal may have measured meanwhile
}

Location HostsPage::location() const {
  return {QStringLiteral("hosts"), {}, {}};
}

QString HostsPage::command() const {
  return QStringLiteral("tessera ") + MachineSpeed::arguments().join(u' ');
}

void HostsPage::setActivity(bool visible, bool focused) {
  m_host.setInterval(visible ? (focused ? 2'000 : 5'000) : kHiddenMs, this);
}

}  // namespace tessera::ui
