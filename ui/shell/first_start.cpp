// SPDX-License-Identifier: MIT
#include "ui/shell/first_start.h"

#include <QButtonGroup>
#include <QFileDialog>
#include <QGridLayout>
#include <QPushButton>
#include <QRadioButton>
#include <QScrollArea>
#include <QVBoxLayout>

#include "core/config/paths.h"
#include "ui/bridge/desktop/host_monitor.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/shell_context.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/demo_starter.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kWidth = 620;

QVBoxLayout* cardBox(QWidget* card, const QString& title) {
  auto* box = new QVBoxLayout(card);
  box->setContentsMargins(2 * theme::kGrid, theme::kGrid + theme::kHalf, 2 * theme::kGrid,
                          theme::kGrid + theme::kHalf);
  box->addWidget(new TextLabel(title, theme::TextSize::Heading));
  return box;
}
}  // namespace

FirstStart::FirstStart(Studio& studio, HostMonitor& host, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_host(host),
      m_demo(new DemoStarter(studio, this)),
      m_processor(new TextLabel),
      m_memory(new TextLabel),
      m_gpus(new TextLabel),
      m_folder(new TextLabel) {
  auto* body = new QWidget;
  body->setMaximumWidth(kWidth);
  auto* box = new QVBoxLayout(body);
  box->setSpacing(theme::kGrid + theme::kHalf);
  box->addStretch();
  box->addWidget(new TextLabel(tr("Tessera Studio"), theme::TextSize::Title));
  auto* what = new TextLabel(
      tr("Train mixture-of-experts models of the DeepSeek-V3 family, watch them, and talk to "
         "them. Everything stays on this machine."));
  what->setTone(TextLabel::Tone::Secondary)->setWrapped();
  box->addWidget(what);
  box->addWidget(hardwareCard());
  box->addWidget(folderCard());
  box->addWidget(themeCard());
  auto* demo = primaryButton(tr("Try the demo"));
  demo->setToolTip(tr("Trains a small model on sample text: a few minutes on two cores"));
  auto* without = new QPushButton(tr("Start without it"));
  auto* note = new TextLabel(tr("A small mixture of experts learns to write, on this machine."));
  note->setTone(TextLabel::Tone::Secondary)->setWrapped();
  auto* row = new QHBoxLayout;
  row->addWidget(demo);
  row->addWidget(note, 1);
  row->addWidget(without);
  box->addLayout(row);
  box->addStretch();

  auto* centred = new QWidget;
  auto* across = new QHBoxLayout(centred);
  across->addStretch(1);
  across->addWidget(body, 100);
  across->addStretch(1);
  auto* area = new QScrollArea(this);
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setWidget(centred);
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(0, 0, 0, 0);
  all->addWidget(area);

  connect(without, &QPushButton::clicked, this,
          [this] { Q_EMIT done(QStringLiteral("page/home")); });
  connect(demo, &QPushButton::clicked, m_demo, &DemoStarter::start);
  connect(m_demo, &DemoStarter::busyChanged, demo, [demo](bool busy) {
    setEnabledBecause(demo, !busy, FirstStart::tr("The demo is being started"));
  });
  connect(m_demo, &DemoStarter::started, this,
          [this](const QString& run) { Q_EMIT done(QStringLiteral("run/") + run); });
  connect(&host, &HostMonitor::changed, this, &FirstStart::showHardware);
  showHardware();
  demo->setFocus();
}

QWidget* FirstStart::hardwareCard() {
  auto* card = new Card;
  auto* box = cardBox(card, tr("This machine"));
  auto* grid = new QGridLayout;
  grid->setColumnStretch(1, 1);
  int at = 0;
  for (const auto& [name, label] :
       {std::pair{tr("Processor"), m_processor}, std::pair{tr("Memory"), m_memory},
        std::pair{tr("GPUs"), m_gpus}}) {
    auto* title = new TextLabel(name);
    title->setTone(TextLabel::Tone::Secondary);
    label->setWrapped();
    grid->addWidget(title, at, 0, Qt::AlignTop);
    grid->addWidget(label, at++, 1);
  }
  box->addLayout(grid);
  return card;
}

QWidget* FirstStart::folderCard() {
  auto* card = new Card;
  auto* box = cardBox(card, tr("Where runs and models are kept"));
  auto* row = new QHBoxLayout;
  const QString chosen = m_studio.preferences.dataFolder();
  m_folder->setText(chosen.isEmpty() ? QString::fromStdString(home_folder().string()) : chosen);
  m_folder->setWrapped()->setSelectable();
  auto* change = new QPushButton(tr("Change..."));
  row->addWidget(m_folder, 1);
  row->addWidget(change);
  box->addLayout(row);
  connect(change, &QPushButton::clicked, this, &FirstStart::chooseFolder);
  return card;
}

QWidget* FirstStart::themeCard() {
  auto* card = new Card;
  auto* box = cardBox(card, tr("Theme"));
  auto* row = new QHBoxLayout;
  auto* group = new QButtonGroup(card);
  for (const auto& [id, title] : {std::pair{QStringLiteral("system"), tr("As the system")},
                                  std::pair{QStringLiteral("light"), tr("Light")},
                                  std::pair{QStringLiteral("dark"), tr("Dark")}}) {
    auto* choice = new QRadioButton(title);
    choice->setChecked(m_studio.preferences.theme() == id);
    group->addButton(choice);
    row->addWidget(choice);
    connect(choice, &QRadioButton::clicked, this,
            [this, name = id] { m_studio.preferences.setTheme(name); });
  }
  row->addStretch();
  box->addLayout(row);
  return card;
}

void FirstStart::showHardware() {
  const HostFacts& f = m_host.facts();
  if (!f.known) {
    m_processor->setText(tr("Looking..."));
    return;
  }
  const QString vectors = f.vectors.isEmpty() ? QString() : QStringLiteral(", ") + f.vectors;
  m_processor->setText(tr("%1, %n thread(s)%2", nullptr, f.threads).arg(f.processor, vectors));
  m_memory->setText(tr("%1, %2 free; disk %3 free")
                        .arg(numbers::bytes(f.memoryBytes), numbers::bytes(f.memoryFreeBytes),
                             numbers::bytes(f.diskFreeBytes)));
  QStringList names;
  for (const GpuFacts& gpu : f.gpus) {
    names += QStringLiteral("%1, %2").arg(gpu.name, numbers::bytes(gpu.memoryBytes));
  }
  if (names.isEmpty()) {
    names += f.gpuProblem.isEmpty() ? tr("None found: small models train on the processor")
                                    : tr("Cannot be asked: %1").arg(f.gpuProblem);
  }
  m_gpus->setText(names.join(u'\n'));
}

void FirstStart::chooseFolder() {
  const auto chosen = [this](const QString& folder) {
    m_studio.preferences.setDataFolder(folder);
    m_folder->setText(folder);
    m_studio.navigator.notify(QStringLiteral("info"),
                              tr("The folder is used when the studio is started again."));
  };
  auto* dialog = fileDialog(this, this, tr("Folder for runs and models"), chosen, m_folder->text());
  dialog->setFileMode(QFileDialog::Directory);
  dialog->open();
}

}  // namespace tessera::ui
