// SPDX-License-Identifier: MIT
#include "ui/pages/configure/place_bar.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QRegularExpression>
#include <QSignalBlocker>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/launch/host_list.h"
#include "core/launch/slurm_script.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/launch/known_hosts.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/launch/slurm_profiles.h"
#include "ui/pages/configure/script_dialog.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"

namespace tessera::ui {

namespace {
constexpr int kPlaceKind = Qt::UserRole, kPlaceProfile = Qt::UserRole + 1;

/// A hint as it can be followed in this window, where settings have fields and not options.
QString windowHint(const std::string& hint) {
  static const QRegularExpression option(QStringLiteral("--set ([^ =]+)=([^ ]+)$"));
  const auto setting = option.match(QString::fromStdString(hint));
  if (!setting.hasMatch()) return engineWord(hint);
  return PlaceBar::tr("set %1 to %2").arg(setting.captured(1), setting.captured(2));
}

QString problemText(const Error& problem) {
  QString text = engineWord(problem.what_failed());
  if (!problem.where().empty()) {
    text = QStringLiteral("%1: %2").arg(QString::fromStdString(problem.where()), text);
  }
  if (!problem.hint().empty()) text += QStringLiteral("; ") + windowHint(problem.hint());
  return text;
}

LaunchPlace::Kind kindOf(const QComboBox& box) {
  return static_cast<LaunchPlace::Kind>(box.currentData(kPlaceKind).toInt());
}
}  // namespace

PlaceBar::PlaceBar(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_kept(KnownHosts::of(studio.preferences)),
      m_profiles(SlurmProfiles::of(studio.preferences)),
      m_where(new QComboBox(parent)) {
  m_where->setObjectName(QStringLiteral("place"));
  m_where->setAccessibleName(tr("Where the run starts"));
  m_where->setToolTip(tr("Where the run starts"));
  m_where->setFocusPolicy(Qt::StrongFocus);
  m_where->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  m_where->setMaximumWidth(190);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(theme::kGrid * 2, 0, theme::kGrid * 2, theme::kGrid);
  column->setSpacing(theme::kHalf);
  m_placeRow = makePlace();
  m_startRow = makeStart();
  column->addWidget(m_placeRow);
  column->addWidget(m_startRow);
  m_startRow->hide();
  listPlaces();
  restore();
  connect(m_where, &QComboBox::activated, this, [this] {
    const QString before =
        std::exchange(m_wantedProfile, m_where->currentData(kPlaceProfile).toString());
    if (before != m_wantedProfile && m_dialog) m_dialog->close();
    restoreScript();
    chosen();
  });
  connect(&m_profiles, &SlurmProfiles::changed, this, [this] {
    listPlaces();
    chosen();
  });
  chosen();
}

QWidget* PlaceBar::makePlace() {
  auto* row = new QWidget(this);
  auto* column = new QVBoxLayout(row);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(theme::kHalf);
  auto* line = new QHBoxLayout;
  line->setSpacing(theme::kGrid);
  m_hostsPart = new QWidget(row);
  auto* hosts = new QHBoxLayout(m_hostsPart);
  hosts->setContentsMargins(0, 0, 0, 0);
  hosts->setSpacing(theme::kGrid);
  m_hosts = new QLineEdit(m_hostsPart);
  m_hosts->setObjectName(QStringLiteral("place.hosts"));
  m_hosts->setPlaceholderText(tr("a:4,b:4 or node[01-04]:8"));
  m_hosts->setAccessibleName(tr("Hosts, each with its ranks"));
  m_hosts->setToolTip(
      tr("Names that ssh knows, each with its number of ranks. The first host has "
         "rank 0."));
  auto* kept = new QPushButton(tr("Kept hosts"), m_hostsPart);
  auto* menu = new QMenu(kept);
  kept->setMenu(menu);
  connect(menu, &QMenu::aboutToShow, this, [this, menu] { listKept(*menu); });
  m_copy = new QCheckBox(tr("Send the program"), m_hostsPart);
  m_copy->setToolTip(tr("Sends this program to those of the hosts that do not have it"));
  hosts->addWidget(m_hosts, 1);
  hosts->addWidget(kept);
  hosts->addWidget(m_copy);
  m_folder = new QLineEdit(row);
  m_folder->setObjectName(QStringLiteral("place.folder"));
  m_folder->setPlaceholderText(tr("Folder of runs there"));
  m_folder->setAccessibleName(tr("Folder of runs there"));
  m_folder->setToolTip(tr("A folder that all of them see. Left empty, it is the usual one."));
  m_script = new QPushButton(theme::icon(QStringLiteral("terminal")), tr("Script..."), row);
  m_script->setToolTip(tr("What Slurm is given; it can be edited"));
  line->addWidget(m_hostsPart, 3);
  line->addWidget(m_folder, 2);
  line->addWidget(m_script);
  m_note = new TextLabel({}, theme::TextSize::Caption, row);
  m_note->setObjectName(QStringLiteral("place.note"));
  m_note->setWrapped()->setSelectable();
  column->addLayout(line);
  column->addWidget(m_note);
  for (QLineEdit* edit : {m_hosts, m_folder}) {
    connect(edit, &QLineEdit::textEdited, this, &PlaceBar::check);
    connect(edit, &QLineEdit::editingFinished, this, &PlaceBar::keep);
  }
  connect(m_copy, &QCheckBox::clicked, this, &PlaceBar::check);
  connect(m_script, &QPushButton::clicked, this, &PlaceBar::showScript);
  return row;
}

QWidget* PlaceBar::makeStart() {
  auto* row = new QWidget(this);
  auto* line = new QHBoxLayout(row);
  line->setContentsMargins(0, 0, 0, 0);
  line->setSpacing(theme::kGrid);
  m_progress = new QProgressBar(row);
  m_progress->setRange(0, 1000);
  m_progress->setTextVisible(false);
  m_progress->setFixedSize(180, 12);
  m_progress->setAccessibleName(tr("Progress of the start"));
  m_phase = new TextLabel({}, theme::TextSize::Body, row);
  m_phase->setObjectName(QStringLiteral("place.phase"));
  m_cancel = new QPushButton(tr("Cancel the start"), row);
  line->addWidget(m_progress);
  line->addWidget(m_phase, 1);
  line->addWidget(m_cancel);
  connect(m_cancel, &QPushButton::clicked, this, [this] {
    setEnabledBecause(m_cancel, false, tr("It is being cancelled"));
    m_phase->setText(tr("Cancelling: what was begun there is taken back"));
    Q_EMIT cancelled();
  });
  return row;
}

/// This machine, hosts, and every profile; what was chosen stays so.
void PlaceBar::listPlaces() {
  const QSignalBlocker quiet(m_where);
  const auto kind = m_where->count() > 0 ? kindOf(*m_where) : LaunchPlace::Kind::Here;
  m_where->clear();
  const auto add = [&](const QString& text, LaunchPlace::Kind one, const QString& profile = {}) {
    m_where->addItem(text);
    const int at = m_where->count() - 1;
    m_where->setItemData(at, static_cast<int>(one), kPlaceKind);
    m_where->setItemData(at, profile, kPlaceProfile);
    if (one == kind && (one != LaunchPlace::Kind::Slurm || profile == m_wantedProfile)) {
      m_where->setCurrentIndex(at);
    }
  };
  add(tr("This machine"), LaunchPlace::Kind::Here);
  add(tr("Hosts"), LaunchPlace::Kind::Hosts);
  bool found = false;
  for (const KeptProfile& one : m_profiles.all()) {
    const QString name = QString::fromStdString(one.profile.name);
    add(tr("Slurm: %1").arg(name), LaunchPlace::Kind::Slurm, name);
    found = found || name == m_wantedProfile;
  }
  // One that was removed meanwhile stays named, with the problem beside it.
  if (kind == LaunchPlace::Kind::Slurm && !found && !m_wantedProfile.isEmpty()) {
    add(tr("Slurm: %1").arg(m_wantedProfile), kind, m_wantedProfile);
  }
}

void PlaceBar::listKept(QMenu& menu) {
  menu.clear();
  QStringList all;
  for (const KnownHost& known : m_kept.hosts()) {
    const QString host = QString::fromStdString(known.host);
    const int bad = known.count(HostCheck::Level::Bad);
    connect(menu.addAction(bad > 0 ? tr("%1 (%n problem(s))", nullptr, bad).arg(host) : host),
            &QAction::triggered, this, [this, host] { addHosts({host}); });
    all << host;
  }
  if (all.size() > 1) {
    connect(menu.addAction(tr("All of them")), &QAction::triggered, this,
            [this, all] { addHosts(all); });
  }
  if (!m_kept.hosts().empty()) menu.addSeparator();
  connect(menu.addAction(tr("Add and check hosts...")), &QAction::triggered, this, [this] {
    m_studio.navigator.open({QStringLiteral("hosts"), {}, {}});
  });
}

/// Behind those that are named, with as many ranks as the first of them.
void PlaceBar::addHosts(const QStringList& hosts) {
  int ranks = 1;
  std::vector<HostSlots> named;
  try {
    named = parse_host_list(m_hosts->text().toStdString());
    ranks = named.front().ranks;
  } catch (const Error&) {
    // Nothing is named yet, or what is named is wrong and is told already.
  }
  QStringList words;
  if (!m_hosts->text().trimmed().isEmpty()) words << m_hosts->text().trimmed();
  for (const QString& host : hosts) {
    const bool there = std::any_of(named.begin(), named.end(), [&](const HostSlots& one) {
      return one.host == host.toStdString();
    });
    if (!there) words << (ranks > 1 ? QStringLiteral("%1:%2").arg(host).arg(ranks) : host);
  }
  m_hosts->setText(words.join(u','));
  check();
  keep();
}

LaunchPlace PlaceBar::place() const {
  LaunchPlace place;
  place.kind = kindOf(*m_where);
  if (place.is_here()) return place;
  place.folder = m_folder->text().trimmed().toStdString();
  if (place.kind == LaunchPlace::Kind::Slurm) {
    place.profile = m_where->currentData(kPlaceProfile).toString().toStdString();
    place.script = m_edited.value_or(std::string());
    return place;
  }
  place.hosts = m_hosts->text().trimmed().toStdString();
  place.copy = m_copy->isChecked();
  return place;
}

void PlaceBar::setPlace(const LaunchPlace& place) {
  m_wantedProfile = QString::fromStdString(place.profile);
  m_edited.reset();
  if (!place.script.empty()) m_edited = place.script;
  m_hosts->setText(QString::fromStdString(place.hosts));
  m_folder->setText(QString::fromStdString(place.folder));
  m_copy->setChecked(place.copy);
  for (int i = 0; i < m_where->count(); ++i) {
    const bool same = m_where->itemData(i, kPlaceKind).toInt() == static_cast<int>(place.kind) &&
                      m_where->itemData(i, kPlaceProfile).toString() == m_wantedProfile;
    if (same || (!place.is_here() && place.kind == LaunchPlace::Kind::Hosts && i == 1)) {
      m_where->setCurrentIndex(i);
      break;
    }
  }
  chosen();
}

void PlaceBar::chosen() {
  const auto kind = kindOf(*m_where);
  m_placeRow->setVisible(kind != LaunchPlace::Kind::Here);
  m_hostsPart->setVisible(kind == LaunchPlace::Kind::Hosts);
  m_script->setVisible(kind == LaunchPlace::Kind::Slurm);
  showRows();
  keep();
  check();
}

/// Nothing of it takes room where a run starts on this machine.
void PlaceBar::showRows() {
  setVisible(!m_placeRow->isHidden() || !m_startRow->isHidden());
}

void PlaceBar::setSpec(std::shared_ptr<const RunSpec> spec, bool isFork) {
  m_spec = std::move(spec);
  m_isFork = isFork;
  check();
}

/// Empty where the profile cannot give one.
std::string PlaceBar::scriptOfProfile() const {
  const SlurmProfile* profile = m_profiles.find(m_where->currentData(kPlaceProfile).toString());
  if (!profile || !m_spec) return {};
  try {
    SlurmRun run;
    run.name = m_spec->run.name;
    run.program = Launcher::program().toStdString();
    return slurm_script(*profile, run);
  } catch (const Error&) {
    return {};  // what is wrong with the profile is told beside it
  }
}

void PlaceBar::showScript() {
  if (!m_dialog) {
    m_dialog = new ScriptDialog(m_where->currentData(kPlaceProfile).toString(), this);
    const auto take = [this](std::optional<std::string> script) {
      m_edited = std::move(script);
      keep();
      check();
    };
    connect(m_dialog, &ScriptDialog::edited, this,
            [take](const QString& text) { take(text.toStdString()); });
    connect(m_dialog, &ScriptDialog::takenBack, this, [take] { take({}); });
  }
  m_dialog->show(scriptOfProfile(), m_edited);
  m_dialog->raise();
}

/// The number of ranks, or why there is none that fits.
void PlaceBar::checkRanks(const LaunchPlace& now) {
  const SlurmProfile* profile = m_profiles.find(QString::fromStdString(now.profile));
  if (now.kind == LaunchPlace::Kind::Slurm) {
    if (!m_profiles.loaded()) return;
    for (const KeptProfile& one : m_profiles.all()) {
      if (one.profile.name == now.profile) m_problem = engineWord(one.problem.toStdString());
    }
    if (!profile && m_problem.isEmpty()) {
      m_problem = tr("There is no profile %1 any more; choose another place, or make the profile "
                     "again on the page Hosts")
                      .arg(QString::fromStdString(now.profile));
    }
    if (m_isFork) m_problem = tr("A fork starts on this machine or on hosts, not as a job.");
  }
  if (!m_problem.isEmpty() || !m_spec || now.is_here()) return;
  try {
    const PlaceRanks ranks = ranks_at_place(now, *m_spec, profile);
    m_data = ranks.data;
    m_note->setText(tr("%n rank(s), parallel.data = %1", nullptr, static_cast<int>(ranks.ranks))
                        .arg(ranks.data));
  } catch (const Error& problem) {
    m_problem = problemText(problem);
  }
}

/// The script follows the profile until somebody edits it.
void PlaceBar::checkScript() {
  const std::string own = scriptOfProfile();
  setEnabledBecause(m_script, !own.empty(), tr("The profile cannot give one"));
  if (own.empty()) return;
  if (m_dialog && m_dialog->isVisible()) m_dialog->follow(own);
  if (!m_edited) return;
  if (m_problem.isEmpty()) m_problem = scriptProblem(*m_edited);
  const QString difference = scriptDifference(own, *m_edited);
  if (difference.isEmpty()) return;
  m_note->setTone(TextLabel::Tone::Warning);
  m_note->setText(m_note->text() + QStringLiteral(" \u00b7 ") + difference);
}

void PlaceBar::check() {
  const LaunchPlace now = place();
  m_problem.clear();
  m_data.reset();
  m_note->setTone(TextLabel::Tone::Secondary);
  m_note->setText({});
  checkRanks(now);
  if (now.kind == LaunchPlace::Kind::Slurm) checkScript();
  if (!m_problem.isEmpty()) {
    m_note->setTone(TextLabel::Tone::Bad);
    m_note->setText(m_problem);
  }
  m_note->setVisible(!m_note->text().isEmpty());
  Q_EMIT changed();
}

void PlaceBar::beginStart() {
  setEnabledBecause(m_cancel, true, {});
  m_progress->setValue(0);
  m_phase->setText(tr("Starting"));
  m_startRow->show();
  showRows();
  m_placeRow->setEnabled(false);
  m_where->setEnabled(false);
}

void PlaceBar::showPhase(const StartPhase& phase) {
  if (!m_cancel->isEnabled()) return;  // what is being cancelled comes no further
  m_progress->setValue(static_cast<int>(1000 * Launcher::phaseShare(phase)));
  m_phase->setText(Launcher::phaseText(phase));
}

void PlaceBar::endStart() {
  m_startRow->hide();
  showRows();
  m_placeRow->setEnabled(true);
  m_where->setEnabled(true);
}

void PlaceBar::keep() {
  Preferences& preferences = m_studio.preferences;
  preferences.setValue(QStringLiteral("configure/place/hosts"), m_hosts->text());
  preferences.setValue(QStringLiteral("configure/place/folder"), m_folder->text());
  preferences.setValue(QStringLiteral("configure/place/copy"), m_copy->isChecked());
  if (m_wantedProfile.isEmpty()) return;
  preferences.setValue(QStringLiteral("configure/place/script/") + m_wantedProfile,
                       QString::fromStdString(m_edited.value_or(std::string())));
  preferences.setValue(QStringLiteral("configure/place/edited/") + m_wantedProfile,
                       m_edited.has_value());
}

/// An edited script belongs to its profile.
void PlaceBar::restoreScript() {
  const Preferences& preferences = m_studio.preferences;
  const QString script =
      preferences.value(QStringLiteral("configure/place/script/") + m_wantedProfile, QString())
          .toString();
  const bool edited =
      preferences
          .value(QStringLiteral("configure/place/edited/") + m_wantedProfile, !script.isEmpty())
          .toBool();
  m_edited.reset();
  if (edited) m_edited = script.toStdString();
}

/// What was typed is there again; a run begins on this machine unless it is chosen anew.
void PlaceBar::restore() {
  const Preferences& preferences = m_studio.preferences;
  m_hosts->setText(
      preferences.value(QStringLiteral("configure/place/hosts"), QString()).toString());
  m_folder->setText(
      preferences.value(QStringLiteral("configure/place/folder"), QString()).toString());
  m_copy->setChecked(preferences.value(QStringLiteral("configure/place/copy"), false).toBool());
}

}  // namespace tessera::ui
