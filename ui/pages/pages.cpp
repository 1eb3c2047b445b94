// SPDX-License-Identifier: MIT
// Every page of the studio: a row here is all that a new one needs.
#include <QCoreApplication>

#include "ui/pages/chat/chat_page.h"
#include "ui/pages/configure/configure_page.h"
#include "ui/pages/curriculum/curriculum_page.h"
#include "ui/pages/experts/experts_page.h"
#include "ui/pages/home/home_page.h"
#include "ui/pages/hosts/hosts_page.h"
#include "ui/pages/manual/manual_page.h"
#include "ui/pages/monitor/monitor_page.h"
#include "ui/pages/page.h"
#include "ui/pages/runs/runs_page.h"
#include "ui/pages/server/server_page.h"
#include "ui/pages/settings/settings_page.h"

namespace tessera::ui {

namespace {
template <class P>
Page* make(Studio& studio, QWidget* parent) {
  return new P(studio, parent);
}
}  // namespace

const std::vector<PageInfo>& pages() {
  static const std::vector<PageInfo> all = {
      {"home", QT_TRANSLATE_NOOP("Pages", "Home"), "home", "Ctrl+1", true, make<HomePage>},
      {"configure", QT_TRANSLATE_NOOP("Pages", "Configure"), "configure", "Ctrl+2", true,
       make<ConfigurePage>},
      {"curriculum", QT_TRANSLATE_NOOP("Pages", "Curriculum"), "curriculum", "Ctrl+3", true,
       make<CurriculumPage>},
      {"runs", QT_TRANSLATE_NOOP("Pages", "Runs"), "runs", "Ctrl+4", true, make<RunsPage>},
      {"monitor", QT_TRANSLATE_NOOP("Pages", "Monitor"), "monitor", "Ctrl+5", true,
       make<MonitorPage>},
      {"experts", QT_TRANSLATE_NOOP("Pages", "Experts"), "experts", "Ctrl+6", true,
       make<ExpertsPage>},
      {"chat", QT_TRANSLATE_NOOP("Pages", "Chat"), "chat", "Ctrl+7", true, make<ChatPage>},
      {"hosts", QT_TRANSLATE_NOOP("Pages", "Hosts"), "hosts", "Ctrl+8", true, make<HostsPage>},
      {"server", QT_TRANSLATE_NOOP("Pages", "Server"), "server", "Ctrl+9", true, make<ServerPage>},
      {"settings", QT_TRANSLATE_NOOP("Pages", "Settings"), "settings", "Ctrl+,", true,
       make<SettingsPage>},
      {"manual", QT_TRANSLATE_NOOP("Pages", "Manual"), "book", "F1", false, make<ManualPage>},
  };
  return all;
}

QString pageTitle(const PageInfo& info) {
  return QCoreApplication::translate("Pages", info.title);
}

}  // namespace tessera::ui
