// SPDX-License-Identifier: MIT
#include "ui/pages/settings/settings_page.h"

#include <QHBoxLayout>
#include <QTimer>
#include <QVBoxLayout>
#include <utility>

#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/alert_rules.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {
constexpr int kMostWidth = 820, kControlWidth = 300;
}

SettingsPage::SettingsPage(Studio& studio, QWidget* parent)
    : Page(studio, parent),
      m_search(new SearchField(tr("Search settings"), 0)),
      m_nothing(new EmptyState(tr("No setting is called that."), tr("Show all settings"),
                               QStringLiteral("search"))),
      m_reset(new QAction(tr("Reset all settings"), this)) {
  auto* body = new QWidget;
  m_body = new QVBoxLayout(body);
  m_body->setContentsMargins(2 * theme::kGrid, 2 * theme::kGrid, 2 * theme::kGrid,
                             2 * theme::kGrid);
  m_body->setSpacing(2 * theme::kGrid);
  auto* head = new QHBoxLayout;
  head->addWidget(new TextLabel(tr("Settings"), theme::TextSize::Title), 1);
  m_search->setFixedWidth(kControlWidth);
  head->addWidget(m_search);
  m_body->addLayout(head);
  m_parts = new QVBoxLayout;
  m_parts->setSpacing(m_body->spacing());
  m_body->addLayout(m_parts);
  build();
  m_nothing->hide();
  m_nothing->setMinimumHeight(200);
  m_body->addWidget(m_nothing);
  m_body->addStretch();
  setCentredBody(this, body, kMostWidth);
  connect(m_search, &SearchField::searched, this, &SettingsPage::filter);
  connect(m_nothing, &EmptyState::pressed, m_search, &SearchField::clear);
  connect(m_reset, &QAction::triggered, this, &SettingsPage::resetAll);
}

void SettingsPage::build() {
  addLook();
  addData();
  addNotices();
  QTimer::singleShot(0, this, &SettingsPage::buildRest);
}

void SettingsPage::buildRest() {
  if (std::exchange(m_whole, true)) return;
  addAlerts();
  addShortcuts();
}

void SettingsPage::section(const QString& title) {
  auto* part = new QWidget;
  auto* box = new QVBoxLayout(part);
  box->setContentsMargins(0, 0, 0, 0);
  box->addWidget(new TextLabel(title, theme::TextSize::Heading));
  auto* card = new Card;
  m_card = new QVBoxLayout(card);
  m_card->setContentsMargins(2 * theme::kGrid, theme::kGrid, 2 * theme::kGrid, theme::kGrid);
  m_card->setSpacing(theme::kGrid + theme::kHalf);
  box->addWidget(card);
  m_parts->addWidget(part);
  m_sections.push_back(part);
}

void SettingsPage::add(const QString& title, const QString& help, QWidget* control,
                       const QString& words) {
  auto* row = new QWidget;
  auto* line = new QHBoxLayout(row);
  line->setContentsMargins(0, 0, 0, 0);
  line->setSpacing(2 * theme::kGrid);
  auto* text = new QVBoxLayout;
  text->setSpacing(2);
  auto* name = new TextLabel(title);
  name->setBuddy(control);
  text->addWidget(name);
  if (!help.isEmpty()) {
    auto* what = new TextLabel(help, theme::TextSize::Caption);
    what->setTone(TextLabel::Tone::Secondary)->setWrapped();
    text->addWidget(what);
  }
  line->addLayout(text, 1);
  control->setMaximumWidth(kControlWidth + 60);
  line->addWidget(control, 0, Qt::AlignRight | Qt::AlignVCenter);
  if (control->accessibleName().isEmpty()) control->setAccessibleName(title);
  m_card->addWidget(row);
  m_settings.push_back(
      {title + u' ' + help + u' ' + words, row, static_cast<int>(m_sections.size()) - 1});
}

void SettingsPage::filter(const QString& text) {
  buildRest();
  std::vector<bool> any(m_sections.size(), false);
  for (const Setting& setting : m_settings) {
    bool has = true;
    for (const QString& word : text.split(u' ', Qt::SkipEmptyParts)) {
      has = has && setting.words.contains(word, Qt::CaseInsensitive);
    }
    setting.row->setVisible(has);
    if (has) any[static_cast<std::size_t>(setting.section)] = true;
  }
  bool found = false;
  for (std::size_t i = 0; i < any.size(); ++i) {
    m_sections[i]->setVisible(any[i]);
    found = found || any[i];
  }
  m_nothing->setVisible(!found);
  Q_EMIT locationChanged();
}

void SettingsPage::follow(QWidget* control, const QString& key, std::function<void()> show) {
  show();
  connect(&studio().preferences, &Preferences::changed, control,
          [key, show = std::move(show)](const QString& changed) {
            if (changed == key) show();
          });
}

void SettingsPage::resetAll() {
  Preferences& p = studio().preferences;
  const QString theme = p.theme(), folder = p.dataFolder();
  const int lines = p.logLines();
  const double disk = p.diskWarningBytes();
  const AlertRules rules = alertRules(p);
  p.setTheme(QStringLiteral("system"));
  p.setDataFolder({});
  p.setLogLines(100'000);
  p.setDiskWarningBytes(2e9);
  p.remove(QStringLiteral("alerts"));
  for (const auto& info : p.shortcuts()) p.setShortcut(info.command, QString());
  studio().navigator.toast(tr("The settings are as they were at first"),
                           [&p, theme, folder, lines, disk, rules] {
                             p.setTheme(theme);
                             p.setDataFolder(folder);
                             p.setLogLines(lines);
                             p.setDiskWarningBytes(disk);
                             for (std::size_t k = 0; k < kAlertKinds; ++k) {
                               setAlertRule(p, static_cast<AlertKind>(k), rules[k]);
                             }
                           });
}

void SettingsPage::open(const Location& location) {
  if (location.arguments.contains(QStringLiteral("find"))) {
    m_search->setText(location.arguments.value(QStringLiteral("find")));
    filter(m_search->text());
  }
}

Location SettingsPage::location() const {
  Location here{QStringLiteral("settings"), {}, {}};
  if (!m_search->text().isEmpty()) here.arguments[QStringLiteral("find")] = m_search->text();
  return here;
}

}  // namespace tessera::ui
