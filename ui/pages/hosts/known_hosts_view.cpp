// SPDX-License-Identifier: MIT
#include "ui/pages/hosts/known_hosts_view.h"

#include <QGridLayout>
#include <QInputDialog>
#include <QPointer>
#include <QPushButton>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/known_hosts.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
using CheckLevel = HostCheck::Level;

TextLabel::Tone toneOf(CheckLevel level) {
  if (level == CheckLevel::Good) return TextLabel::Tone::Good;
  return level == CheckLevel::Warning ? TextLabel::Tone::Warning : TextLabel::Tone::Bad;
}

QString levelWord(CheckLevel level) {
  if (level == CheckLevel::Good) return KnownHostsView::tr("good");
  return level == CheckLevel::Warning ? KnownHostsView::tr("warning") : KnownHostsView::tr("bad");
}
}  // namespace

KnownHostsView::KnownHostsView(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_hosts(KnownHosts::of(studio.preferences)),
      m_empty(new EmptyState(
          tr("None yet. A machine that you reach with ssh can be checked from here: whether it is "
             "ready for a run, and what to do where it is not."),
          tr("Add a host..."), QStringLiteral("hosts"))),
      m_list(new QWidget(this)),
      m_rows(new QVBoxLayout(m_list)) {
  m_empty->setMinimumHeight(150);
  m_rows->setContentsMargins(0, 0, 0, 0);
  m_rows->setSpacing(theme::kGrid);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->addWidget(m_empty);
  column->addWidget(m_list);
  connect(m_empty, &EmptyState::pressed, this, &KnownHostsView::askForHosts);
  connect(&m_hosts, &KnownHosts::changed, this, &KnownHostsView::refresh);
  connect(&m_hosts, &KnownHosts::failed, this, [this](const QString& message) {
    m_studio.navigator.notify(QStringLiteral("warning"), message);
  });
  connect(&m_hosts, &KnownHosts::probed, this, &KnownHostsView::probed);
  auto* ages = new QTimer(this);
  connect(ages, &QTimer::timeout, this, &KnownHostsView::refreshAges);
  ages->start(30'000);
  refresh();
}

void KnownHostsView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  m_hosts.refresh();
}

void KnownHostsView::askForHosts() {
  auto* dialog = new QInputDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("Add hosts"));
  dialog->setLabelText(tr("Names that ssh knows, such as node1, me@box or node[01-04]"));
  dialog->setOkButtonText(tr("Add"));
  connect(dialog, &QInputDialog::textValueSelected, this, [this](const QString& text) {
    if (!text.trimmed().isEmpty()) m_hosts.add(text.trimmed());
  });
  dialog->open();
}

void KnownHostsView::checkAll() {
  for (const KnownHost& known : m_hosts.hosts()) check(QString::fromStdString(known.host));
}

void KnownHostsView::testLaunch() {
  if (m_hosts.isProbing()) return;
  m_task = m_studio.tasks.begin(tr("Test launch on all kept hosts"), [hosts = QPointer(&m_hosts)] {
    if (hosts) hosts->cancelProbe();
  });
  m_hosts.probe(Launcher::program());
}

void KnownHostsView::probed(const QString& problem) {
  if (m_task >= 0) m_studio.tasks.finish(std::exchange(m_task, -1), problem);
  if (problem.isEmpty()) {
    m_studio.navigator.toast(
        tr("A rank on each host has said hello; the speeds stand beside them"));
  } else {
    m_studio.navigator.notify(
        QStringLiteral("warning"),
        tr("The test launch failed: %1").arg(engineWord(problem.toStdString())));
  }
}

void KnownHostsView::check(const QString& host) {
  m_hosts.check(Launcher::program(), host);
}

void KnownHostsView::remove(const QString& host) {
  m_hosts.remove(host);
  m_studio.navigator.toast(tr("%1 is not kept any more").arg(host),
                           [self = QPointer(&m_hosts), host] {
                             if (self) self->add(host);
                           });
}

QWidget* KnownHostsView::makeRow(const KnownHost& known) {
  const QString host = QString::fromStdString(known.host);
  const bool checking = m_hosts.isChecking(host);
  const int bad = known.count(CheckLevel::Bad);
  const int warnings = known.count(CheckLevel::Warning) - bad;
  auto* row = new QWidget(m_list);
  row->setObjectName(QStringLiteral("host.") + host);
  auto* grid = new QGridLayout(row);
  grid->setContentsMargins(0, 0, 0, 0);
  grid->setColumnStretch(1, 1);
  auto* name = new ElidedLabel(host, row);
  name->setFont(theme::font(theme::TextSize::Body, false, true));
  name->setMinimumWidth(140);
  auto* state = new TextLabel({}, theme::TextSize::Body, row);
  state->setObjectName(QStringLiteral("state"));
  if (checking) {
    state->setText(tr("Checking..."));
  } else if (known.checked == 0) {
    state->setText(tr("Not checked yet"));
    state->setTone(TextLabel::Tone::Secondary);
  } else if (bad > 0) {
    state->setText(tr("%n problem(s)", nullptr, bad));
    state->setTone(TextLabel::Tone::Bad);
  } else {
    state->setText(warnings > 0 ? tr("Ready, %n warning(s)", nullptr, warnings) : tr("Ready"));
    state->setTone(warnings > 0 ? TextLabel::Tone::Warning : TextLabel::Tone::Good);
  }
  auto* age = new TextLabel({}, theme::TextSize::Caption, row);
  age->setTone(TextLabel::Tone::Secondary);
  age->setObjectName(QStringLiteral("age"));
  age->setProperty("checked", known.checked);
  auto* again = new QPushButton(tr("Check"), row);
  again->setAccessibleName(tr("Check %1").arg(host));
  setEnabledBecause(again, !checking, tr("It is being checked"));
  connect(again, &QPushButton::clicked, this, [this, host] { check(host); });
  auto* gone = iconButton(QStringLiteral("trash"), tr("Forget %1").arg(host), row);
  connect(gone, &QToolButton::clicked, this, [this, host] { remove(host); });
  grid->addWidget(name, 0, 0);
  grid->addWidget(state, 0, 1);
  grid->addWidget(age, 0, 2);
  grid->addWidget(again, 0, 3);
  grid->addWidget(gone, 0, 4);
  int line = 1;
  for (const HostSpeed& speed : known.speeds) {
    auto* sent =
        new TextLabel(tr("%1/s to %2, measured %3")
                          .arg(numbers::bytes(speed.bytes_per_s), QString::fromStdString(speed.to),
                               numbers::ageOf(speed.measured)),
                      theme::TextSize::Caption, row);
    sent->setTone(TextLabel::Tone::Secondary);
    grid->addWidget(sent, line++, 1, 1, 4);
  }
  const bool all = m_unfolded.value(host);
  int good = 0;
  for (const HostCheck& one : known.checks) {
    good += one.level == CheckLevel::Good;
    if (one.level == CheckLevel::Good && !all) continue;
    auto* what = new TextLabel(engineWord(one.name), theme::TextSize::Caption, row);
    what->setTone(toneOf(one.level));
    what->setAccessibleName(levelWord(one.level));
    what->setToolTip(levelWord(one.level));
    QString text = engineWord(one.text);
    if (!one.fix.empty()) text += QStringLiteral("; ") + engineWord(one.fix);
    auto* said = new TextLabel(text, theme::TextSize::Caption, row);
    said->setWrapped()->setSelectable();
    grid->addWidget(what, line, 0, Qt::AlignTop | Qt::AlignRight);
    grid->addWidget(said, line++, 1, 1, 4);
  }
  if (good > 0) {
    auto* more = new QPushButton(
        all ? tr("Show what is wrong alone") : tr("Show all %1 checks").arg(known.checks.size()),
        row);
    more->setFlat(true);
    connect(more, &QPushButton::clicked, this, [this, host, all] {
      m_unfolded[host] = !all;
      m_shown.clear();
      refresh();
    });
    grid->addWidget(more, line, 1, Qt::AlignLeft);
  }
  return row;
}

void KnownHostsView::refresh() {
  const bool any = !m_hosts.hosts().empty();
  m_empty->setVisible(!any && m_hosts.loaded());
  m_list->setVisible(any);
  std::string now;
  for (const KnownHost& known : m_hosts.hosts()) {
    now += known.host + '|' + std::to_string(known.checked) + '|' + to_json_text(known.checks) +
           (m_hosts.isChecking(QString::fromStdString(known.host)) ? "?" : "") + '\n';
    for (const HostSpeed& speed : known.speeds) {
      now += speed.to + ' ' + std::to_string(speed.bytes_per_s) + '\n';
    }
  }
  if (std::exchange(m_shown, now) != now) {
    QString focused;
    while (QLayoutItem* item = m_rows->takeAt(0)) {
      if (item->widget()->isAncestorOf(focusWidget())) focused = item->widget()->objectName();
      item->widget()->setObjectName({});
      item->widget()->hide();
      item->widget()->deleteLater();
      delete item;
    }
    for (const KnownHost& known : m_hosts.hosts()) {
      QWidget* row = makeRow(known);
      m_rows->addWidget(row);
      // The keyboard stays where it was.
      if (row->objectName() == focused) row->findChild<QPushButton*>()->setFocus();
    }
  }
  refreshAges();
}

void KnownHostsView::refreshAges() {
  for (TextLabel* age : m_list->findChildren<TextLabel*>(QStringLiteral("age"))) {
    const double checked = age->property("checked").toDouble();
    age->setText(checked > 0 ? tr("checked %1").arg(numbers::ageOf(checked)) : QString());
  }
}

}  // namespace tessera::ui
