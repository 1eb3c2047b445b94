// SPDX-License-Identifier: MIT
// The rows of the settings page, by section.
#include <QCheckBox>
#include <QComboBox>
#include <QCoreApplication>
#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QKeySequenceEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QToolButton>
#include <cmath>

#include "core/config/paths.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/alert_rules.h"
#include "ui/pages/settings/settings_page.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/file_dialog.h"

namespace tessera::ui {

namespace {
QHBoxLayout* inside(QWidget* widget) {
  auto* row = new QHBoxLayout(widget);
  row->setContentsMargins(0, 0, 0, 0);
  return row;
}
}  // namespace

// ---- Look ---------------------------------------------------------------------------------------

void SettingsPage::addLook() {
  section(tr("Look"));
  add(tr("Theme"), tr("Light, dark, or as the desktop has it"), themeChoice(),
      QStringLiteral("dark light colour scheme"));
  add(tr("Language"),
      tr("The window, its help and its numbers; names of settings, logs, the manual and rare "
         "messages of the engine are English"),
      languageChoice(), QStringLiteral("english deutsch german translation"));
}

QWidget* SettingsPage::themeChoice() {
  Preferences& p = studio().preferences;
  auto* box = new QComboBox;
  box->addItem(tr("As the system"), QStringLiteral("system"));
  box->addItem(tr("Light"), QStringLiteral("light"));
  box->addItem(tr("Dark"), QStringLiteral("dark"));
  follow(box, QStringLiteral("look/theme"),
         [box, &p] { box->setCurrentIndex(box->findData(p.theme())); });
  connect(box, &QComboBox::activated, this,
          [box, &p] { p.setTheme(box->currentData().toString()); });
  return box;
}

QWidget* SettingsPage::languageChoice() {
  Preferences& p = studio().preferences;
  auto* box = new QComboBox;
  box->addItem(tr("As the system"), QString());
  box->addItem(QStringLiteral("English"), QStringLiteral("en"));
  box->addItem(QStringLiteral("Deutsch"), QStringLiteral("de"));
  follow(box, QStringLiteral("look/language"),
         [box, &p] { box->setCurrentIndex(std::max(0, box->findData(p.language()))); });
  connect(box, &QComboBox::activated, this,
          [box, &p] { p.setLanguage(box->currentData().toString()); });
  return box;
}

// ---- Data ---------------------------------------------------------------------------------------

void SettingsPage::addData() {
  section(tr("Data"));
  add(tr("Data folder"),
      tr("Runs, models, conversations and the library; used from the next start"), folderField(),
      QStringLiteral("home path directory TESSERA_HOME"));
  add(tr("Warn when the disk fills"), tr("Less free space than this is listed under Problems"),
      diskField(), QStringLiteral("space cap checkpoint"));
  add(tr("Lines kept of a log"), tr("Older lines leave the view; the file keeps all"), logField(),
      QStringLiteral("cap memory"));
}

QWidget* SettingsPage::folderField() {
  Preferences& p = studio().preferences;
  auto* field = new QWidget;
  auto* row = inside(field);
  auto* path = new ElidedLabel;
  path->setMode(Qt::ElideMiddle);
  path->setMinimumWidth(160);
  auto* change = new QPushButton(tr("Change..."));
  auto* usual = iconButton(QStringLiteral("undo"), tr("Back to the usual folder"));
  row->addWidget(path, 1);
  row->addWidget(usual);
  row->addWidget(change);
  const bool fixed = qEnvironmentVariableIsSet("TESSERA_HOME") && p.dataFolder().isEmpty();
  setEnabledBecause(change, !fixed, tr("TESSERA_HOME is set where the studio was started"));
  const QString now = QString::fromStdString(home_folder().string());
  follow(field, QStringLiteral("data/folder"), [this, path, usual, now, &p] {
    path->setFullText(p.dataFolder().isEmpty() ? now : p.dataFolder());
    setEnabledBecause(usual, !p.dataFolder().isEmpty(), tr("This is the usual folder"));
  });
  connect(usual, &QToolButton::clicked, this, [&p] { p.setDataFolder({}); });
  connect(change, &QPushButton::clicked, this, [this, path, &p] {
    const auto chosen = [this, &p](const QString& folder) {
      const QString before = p.dataFolder();
      p.setDataFolder(folder);
      studio().navigator.toast(tr("The folder is used when the studio is started again"),
                               [&p, before] { p.setDataFolder(before); });
    };
    auto* dialog =
        fileDialog(this, this, tr("Folder for runs and models"), chosen, path->fullText());
    dialog->setFileMode(QFileDialog::Directory);
    dialog->open();
  });
  return field;
}

QWidget* SettingsPage::diskField() {
  Preferences& p = studio().preferences;
  auto* box = new QSpinBox;
  box->setRange(0, 10'000);
  box->setSuffix(tr(" GB"));
  box->setSpecialValueText(tr("Never"));
  follow(box, QStringLiteral("data/disk_warning_bytes"),
         [box, &p] { box->setValue(static_cast<int>(p.diskWarningBytes() / 1e9)); });
  connect(box, &QSpinBox::valueChanged, this, [&p](int gigabytes) {
    if (gigabytes != static_cast<int>(p.diskWarningBytes() / 1e9)) {
      p.setDiskWarningBytes(1e9 * gigabytes);
    }
  });
  return box;
}

QWidget* SettingsPage::logField() {
  Preferences& p = studio().preferences;
  auto* box = new QSpinBox;
  box->setRange(1'000, 1'000'000);
  box->setSingleStep(10'000);
  box->setGroupSeparatorShown(true);
  box->setSuffix(tr(" lines"));
  follow(box, QStringLiteral("data/log_lines"), [box, &p] { box->setValue(p.logLines()); });
  connect(box, &QSpinBox::valueChanged, this, [&p](int lines) { p.setLogLines(lines); });
  return box;
}

// ---- Notifications ------------------------------------------------------------------------------

void SettingsPage::addNotices() {
  using Notice = Preferences::Notice;
  Preferences& p = studio().preferences;
  section(tr("Notifications"));
  const auto check = [this](auto get, auto set) {
    auto* box = new QCheckBox;
    box->setChecked(get());
    connect(box, &QCheckBox::toggled, this, set);
    connect(&studio().preferences, &Preferences::changed, box,
            [box, get] { box->setChecked(get()); });
    return box;
  };
  const std::tuple<Notice, QString, QString> notices[] = {
      {Notice::Finished, tr("When a run finishes"), tr("With its last validation loss")},
      {Notice::Failed, tr("When a run fails"), tr("With the reason, as far as it is known")},
      {Notice::Attention, tr("When a run needs attention"),
       tr("Its machine has said nothing for a minute")}};
  for (const auto& [notice, title, help] : notices) {
    add(title, help,
        check([&p, n = notice] { return p.notifies(n); },
              [&p, n = notice](bool on) { p.setNotifies(n, on); }),
        tr("Notifications"));
  }
  add(tr("Also on the desktop"), tr("While the window is not in front"),
      check([&p] { return p.desktopNotifications(); },
            [&p](bool on) { p.setDesktopNotifications(on); }),
      tr("Notifications"));
}

// ---- Alerts -------------------------------------------------------------------------------------

void SettingsPage::addAlerts() {
  section(tr("Alerts of running runs"));
  for (std::size_t k = 0; k < kAlertKinds; ++k) {
    const auto kind = static_cast<AlertKind>(k);
    const AlertInfo& info = alert_info(kind);
    const QString title = QCoreApplication::translate("Alert", info.title);
    add(title, QCoreApplication::translate("Alert", info.help), alertField(kind, title),
        tr("Alerts diverged stop"));
  }
}

QWidget* SettingsPage::alertField(AlertKind kind, const QString& title) {
  Preferences& p = studio().preferences;
  const AlertInfo& info = alert_info(kind);
  const auto ruleOf = [&p, kind] { return alertRules(p)[static_cast<std::size_t>(kind)]; };
  auto* field = new QWidget;
  auto* row = inside(field);
  auto* limit = new QDoubleSpinBox;
  limit->setRange(info.least, info.most);
  limit->setDecimals(info.least == std::floor(info.least) ? 0 : 2);
  limit->setSingleStep(limit->decimals() == 0 ? 1 : 0.1);
  limit->setSuffix(u' ' + QCoreApplication::translate("Alert", info.unit));
  limit->setAccessibleName(tr("Limit: %1").arg(title));
  limit->setVisible(*info.unit != 0);
  auto* action = new QComboBox;
  action->addItems({tr("Say nothing"), tr("Tell me"), tr("Tell me, save and stop")});
  action->setAccessibleName(title);
  row->addWidget(limit);
  row->addWidget(action);
  const auto show = [limit, action, ruleOf] {
    const AlertRule rule = ruleOf();
    limit->setValue(rule.limit);
    action->setCurrentIndex(static_cast<int>(rule.action));
    limit->setEnabled(rule.action != AlertRule::Action::Nothing);
  };
  show();
  connect(&p, &Preferences::changed, field, [show](const QString& key) {
    if (isAlertKey(key)) show();
  });
  connect(action, &QComboBox::activated, this, [&p, kind, ruleOf](int chosen) {
    AlertRule rule = ruleOf();
    rule.action = static_cast<AlertRule::Action>(chosen);
    setAlertRule(p, kind, rule);
  });
  connect(limit, &QDoubleSpinBox::valueChanged, this, [&p, kind, ruleOf](double value) {
    AlertRule rule = ruleOf();
    if (rule.limit == value) return;
    rule.limit = value;
    setAlertRule(p, kind, rule);
  });
  return field;
}

// ---- Shortcuts ----------------------------------------------------------------------------------

void SettingsPage::addShortcuts() {
  if (studio().preferences.shortcuts().empty()) return;
  section(tr("Shortcuts"));
  for (const auto& info : studio().preferences.shortcuts()) {
    add(info.title, {}, shortcutField(info.command, info.title, info.usual),
        tr("Shortcuts of commands keys") + u' ' + info.usual);
  }
}

QWidget* SettingsPage::shortcutField(const QString& command, const QString& title,
                                     const QString& usual) {
  Preferences& p = studio().preferences;
  auto* field = new QWidget;
  auto* row = inside(field);
  auto* keys = new QKeySequenceEdit;
  keys->setFixedWidth(180);
  keys->setAccessibleName(tr("Shortcut of %1").arg(title));
  auto* reset = iconButton(QStringLiteral("undo"), tr("Back to the usual keys"));
  row->addWidget(keys);
  row->addWidget(reset);
  const auto now = [&p, command, usual] {
    return QKeySequence::fromString(p.shortcut(command, usual), QKeySequence::PortableText);
  };
  follow(field, QStringLiteral("shortcuts/") + command, [this, keys, reset, now, usual] {
    if (keys->keySequence() != now()) keys->setKeySequence(now());
    setEnabledBecause(reset, now() != QKeySequence::fromString(usual, QKeySequence::PortableText),
                      tr("These are the usual keys"));
  });
  connect(reset, &QToolButton::clicked, this, [&p, command] { p.setShortcut(command, QString()); });
  connect(keys, &QKeySequenceEdit::editingFinished, this, [this, &p, keys, command, now] {
    const QKeySequence wanted = keys->keySequence();
    if (wanted == now()) return;
    for (const auto& other : p.shortcuts()) {
      const QString taken = p.shortcut(other.command, other.usual);
      if (other.command == command || wanted.isEmpty() ||
          QKeySequence::fromString(taken, QKeySequence::PortableText) != wanted) {
        continue;
      }
      studio().navigator.toast(tr("%1 already belongs to \"%2\"")
                                   .arg(wanted.toString(QKeySequence::NativeText), other.title));
      keys->setKeySequence(now());
      return;
    }
    p.setShortcut(command, wanted.isEmpty() ? QStringLiteral("")
                                            : wanted.toString(QKeySequence::PortableText));
  });
  return field;
}

}  // namespace tessera::ui
