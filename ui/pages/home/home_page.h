// SPDX-License-Identifier: MIT
// Home: what goes on now, what went on lately, what to start from, and where it would run.
#pragma once

#include <QHash>
#include <memory>

#include "core/spec/spec.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/page.h"

class QVBoxLayout;

namespace tessera::ui {

class DemoStarter;
class HostMonitor;
class Mailbox;
class RunCard;
class TextLabel;
struct KeptDraft;

class HomePage : public Page {
  Q_OBJECT
 public:
  explicit HomePage(Studio& studio, QWidget* parent = nullptr);
  ~HomePage() override;

  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override;
  QString command() const override;
  void setActivity(bool visible, bool focused) override;

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  QWidget* buildHeader();
  QWidget* buildSpecs();
  QWidget* buildHost();
  void showRuns();
  void showCards(QVBoxLayout& box, const std::vector<const RunRow*>& rows);
  void showHost();
  void listKept();
  void showKept(const std::vector<KeptDraft>& drafts);
  void forgetKept(const KeptDraft& draft);
  void addPresets(const std::vector<PresetInfo>& presets);
  std::shared_ptr<Mailbox> m_mailbox;
  DemoStarter* m_demo;
  std::unique_ptr<HostMonitor> m_host;
  QHash<QString, RunCard*> m_cards;
  QWidget* m_liveSection;
  QWidget* m_recentSection;
  QVBoxLayout* m_live;
  QVBoxLayout* m_recent;
  QWidget* m_keptSection = nullptr;
  QVBoxLayout *m_specs = nullptr, *m_kept = nullptr;
  QWidget* m_nothing;
  TextLabel* m_loading;
  TextLabel* m_hostText;
  QAction* m_newRun;
  QAction* m_refresh;
  bool m_visible = false, m_stale = true;
};

}  // namespace tessera::ui
