// SPDX-License-Identifier: MIT
#include "ui/pages/hosts/slurm_profiles_view.h"

#include <QHBoxLayout>
#include <QPointer>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/bridge/launch/slurm_profiles.h"
#include "ui/pages/hosts/profile_dialog.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/engine_words.h"

namespace tessera::ui {

namespace {
/// "2 nodes with 8 ranks and 8 GPUs each · partition gpu · 24:00:00".
QString profileText(const SlurmProfile& p) {
  const auto word = [](const std::string& text) { return QString::fromStdString(text); };
  QStringList parts;
  parts << SlurmProfilesView::tr("%n node(s)", nullptr, static_cast<int>(p.nodes)) + u' ' +
               SlurmProfilesView::tr("with %n rank(s) each", nullptr,
                                     static_cast<int>(p.ranks_per_node));
  if (p.gpus_per_node > 0) {
    parts << SlurmProfilesView::tr("%n GPU(s) a node", nullptr, static_cast<int>(p.gpus_per_node));
  }
  if (!p.partition.empty()) parts << SlurmProfilesView::tr("partition %1").arg(word(p.partition));
  if (!p.account.empty()) parts << SlurmProfilesView::tr("account %1").arg(word(p.account));
  if (!p.time.empty()) parts << SlurmProfilesView::tr("at most %1").arg(word(p.time));
  return parts.join(QStringLiteral(" \u00b7 "));
}
}  // namespace

SlurmProfilesView::SlurmProfilesView(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_profiles(SlurmProfiles::of(studio.preferences)),
      m_empty(new EmptyState(
          tr("None yet. A profile says what runs ask a cluster with Slurm for: partition, nodes, "
             "GPUs, time. Configure then starts runs as jobs by it."),
          tr("New profile..."), QStringLiteral("queue"))),
      m_list(new QWidget(this)),
      m_rows(new QVBoxLayout(m_list)) {
  m_empty->setMinimumHeight(150);
  m_rows->setContentsMargins(0, 0, 0, 0);
  m_rows->setSpacing(theme::kGrid);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->addWidget(m_empty);
  column->addWidget(m_list);
  connect(m_empty, &EmptyState::pressed, this, &SlurmProfilesView::addProfile);
  connect(&m_profiles, &SlurmProfiles::changed, this, &SlurmProfilesView::refresh);
  for (const auto signal : {&SlurmProfiles::failed, &SlurmProfiles::refused}) {
    connect(&m_profiles, signal, this, [this](const QString& message) {
      if (findChild<ProfileDialog*>()) return;  // it stands there
      m_studio.navigator.notify(QStringLiteral("warning"), message);
    });
  }
  connect(&m_profiles, &SlurmProfiles::removed, this, [this](const RemovedProfile& gone) {
    m_studio.navigator.toast(tr("The profile %1 was removed").arg(gone.name),
                             [self = QPointer(&m_profiles), gone] {
                               if (self) self->bringBack(gone);
                             });
  });
  refresh();
}

void SlurmProfilesView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  m_profiles.refresh();
}

void SlurmProfilesView::addProfile() {
  (new ProfileDialog(m_profiles, {}, this))->open();
}

void SlurmProfilesView::edit(const QString& name) {
  if (const SlurmProfile* profile = m_profiles.find(name)) {
    (new ProfileDialog(m_profiles, *profile, this))->open();
  }
}

void SlurmProfilesView::remove(const QString& name) {
  m_profiles.remove(name);  // removed() tells once it is done
}

QWidget* SlurmProfilesView::makeRow(const KeptProfile& kept) {
  const QString name = QString::fromStdString(kept.profile.name);
  auto* row = new QWidget(m_list);
  row->setObjectName(QStringLiteral("profile-row.") + name);
  auto* line = new QHBoxLayout(row);
  line->setContentsMargins(0, 0, 0, 0);
  auto* title = new ElidedLabel(name, row);
  title->setFont(theme::font(theme::TextSize::Body, false, true));
  title->setMinimumWidth(140);
  auto* text = new TextLabel({}, theme::TextSize::Body, row);
  text->setWrapped()->setSelectable();
  const bool good = kept.problem.isEmpty();
  text->setText(good ? profileText(kept.profile) : engineWord(kept.problem.toStdString()));
  text->setTone(good ? TextLabel::Tone::Plain : TextLabel::Tone::Bad);
  auto* change = new QPushButton(tr("Edit..."), row);
  change->setAccessibleName(tr("Edit the profile %1").arg(name));
  setEnabledBecause(change, good, tr("Mend its file first: %1").arg(name + ".toml"));
  connect(change, &QPushButton::clicked, this, [this, name] { edit(name); });
  auto* gone = iconButton(QStringLiteral("trash"), tr("Remove the profile %1").arg(name), row);
  connect(gone, &QToolButton::clicked, this, [this, name] { remove(name); });
  line->addWidget(title);
  line->addWidget(text, 1);
  line->addWidget(change);
  line->addWidget(gone);
  return row;
}

void SlurmProfilesView::refresh() {
  const bool any = !m_profiles.all().empty();
  m_empty->setVisible(!any && m_profiles.loaded());
  m_list->setVisible(any);
  while (QLayoutItem* item = m_rows->takeAt(0)) {
    item->widget()->setObjectName({});
    item->widget()->hide();
    item->widget()->deleteLater();
    delete item;
  }
  for (const KeptProfile& kept : m_profiles.all()) m_rows->addWidget(makeRow(kept));
}

}  // namespace tessera::ui
