// SPDX-License-Identifier: MIT
#include "ui/pages/home/home_page.h"

#include <QPushButton>
#include <QThreadPool>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "core/config/paths.h"
#include "ui/bridge/desktop/host_monitor.h"
#include "ui/bridge/desktop/worker_thread.h"
#include "ui/bridge/draft/draft_shelf.h"
#include "ui/pages/home/run_card.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/demo_starter.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {

constexpr std::size_t kMostLive = 12, kMostRecent = 5, kMostKept = 5;
constexpr int kMostWidth = 1180;

struct Section {
  QWidget* widget;
  QVBoxLayout* box;
};
Section section(const QString& title) {
  auto* widget = new QWidget;
  auto* all = new QVBoxLayout(widget);
  all->setContentsMargins(0, 0, 0, 0);
  all->setSpacing(theme::kGrid);
  all->addWidget(new TextLabel(title, theme::TextSize::Heading));
  auto* box = new QVBoxLayout;
  box->setSpacing(theme::kGrid - 2);
  all->addLayout(box);
  return {widget, box};
}

}  // namespace

HomePage::HomePage(Studio& studio, QWidget* parent)
    : Page(studio, parent),
      m_mailbox(std::make_shared<Mailbox>(this)),
      m_demo(new DemoStarter(studio, this)),
      m_host(std::make_unique<HostMonitor>(QString::fromStdString(runs_folder().string()))),
      m_loading(new TextLabel(tr("Looking for runs..."))),
      m_hostText(new TextLabel),
      m_newRun(new QAction(tr("New run"), this)),
      m_refresh(new QAction(tr("Look for runs again"), this)) {
  m_loading->setTone(TextLabel::Tone::Secondary);
  auto* body = new QWidget;
  auto* box = new QVBoxLayout(body);
  box->setContentsMargins(2 * theme::kGrid, 2 * theme::kGrid, 2 * theme::kGrid, 2 * theme::kGrid);
  box->setSpacing(3 * theme::kGrid);
  box->addWidget(buildHeader());
  auto* nothing = new EmptyState(
      tr("No runs yet. The demo trains a small mixture of experts in a few minutes."),
      tr("Try the demo"), QStringLiteral("runs"));
  nothing->setMinimumHeight(180);
  connect(nothing, &EmptyState::pressed, m_demo, &DemoStarter::start);
  m_nothing = nothing;
  const Section live = section(tr("Going on now")), recent = section(tr("Lately"));
  m_liveSection = live.widget;
  m_live = live.box;
  m_recentSection = recent.widget;
  m_recent = recent.box;
  for (QWidget* part : {static_cast<QWidget*>(m_loading), m_nothing, m_liveSection, m_recentSection,
                        buildSpecs(), buildHost()}) {
    box->addWidget(part);
  }
  box->addStretch();
  setCentredBody(this, body, kMostWidth);

  connect(m_newRun, &QAction::triggered, this, [this] {
    this->studio().navigator.open({QStringLiteral("configure"), {}, {}});
  });
  connect(m_refresh, &QAction::triggered, this, [this] { this->studio().runs.refresh(); });
  connect(m_demo, &DemoStarter::started, this, [this](const QString& run) {
    this->studio().navigator.open({QStringLiteral("monitor"), run, {}});
  });
  connect(&studio.runs, &RunStore::runsChanged, this, &HomePage::showRuns);
  connect(m_host.get(), &HostMonitor::changed, this, [this] {
    showHost();
    if (m_visible) showRuns();  // ages go on while nothing else is new
  });
  showRuns();
}

HomePage::~HomePage() {
  m_mailbox->close();
}

QWidget* HomePage::buildHeader() {
  auto* header = new QWidget;
  auto* row = new QHBoxLayout(header);
  row->setContentsMargins(0, 0, 0, 0);
  row->addWidget(new TextLabel(tr("Home"), theme::TextSize::Title), 1);
  auto* demo = new QPushButton(tr("Try the demo"));
  auto* fresh = primaryButton(tr("New run"));
  row->addWidget(demo);
  row->addWidget(fresh);
  connect(fresh, &QPushButton::clicked, m_newRun, &QAction::trigger);
  connect(demo, &QPushButton::clicked, m_demo, &DemoStarter::start);
  connect(m_demo, &DemoStarter::busyChanged, demo, [demo](bool busy) {
    setEnabledBecause(demo, !busy, HomePage::tr("The demo is being started"));
  });
  return header;
}

QWidget* HomePage::buildSpecs() {
  auto* all = new QWidget;
  auto* box = new QVBoxLayout(all);
  box->setContentsMargins(0, 0, 0, 0);
  box->setSpacing(3 * theme::kGrid);
  const Section kept = section(tr("Go on with")), specs = section(tr("Start from"));
  m_keptSection = kept.widget;
  m_kept = kept.box;
  m_keptSection->hide();
  m_specs = specs.box;
  box->addWidget(kept.widget);
  box->addWidget(specs.widget);
  QThreadPool::globalInstance()->start([mailbox = m_mailbox, this] {
    std::vector<PresetInfo> presets;
    QString error;
    try {
      presets = list_presets();
    } catch (const std::exception& e) {
      error = QString::fromUtf8(e.what());
    }
    mailbox->post([this, presets = std::move(presets), error] {
      addPresets(presets);
      if (!error.isEmpty()) studio().navigator.notify(QStringLiteral("error"), error);
    });
  });
  return all;
}

void HomePage::listKept() {
  QThreadPool::globalInstance()->start([mailbox = m_mailbox, this] {
    std::vector<KeptDraft> drafts = listDrafts();
    if (drafts.size() > kMostKept) drafts.resize(kMostKept);
    mailbox->post([this, drafts = std::move(drafts)] { showKept(drafts); });
  });
}

namespace {
/// A line of Start from and Go on with: a name, what there is to say, and room for buttons.
QHBoxLayout* addSpecCard(QVBoxLayout& box, const QString& name, const QString& summary) {
  auto* card = new Card;
  card->setMinimumHeight(theme::kRowHeight + theme::kGrid);
  auto* row = new QHBoxLayout(card);
  row->setContentsMargins(theme::kGrid + theme::kHalf, theme::kHalf, theme::kGrid, theme::kHalf);
  auto* title = new ElidedLabel(name);
  title->setFont(theme::font(theme::TextSize::Body, false, true));
  title->setFixedWidth(180);
  row->addWidget(title);
  row->addWidget(new ElidedLabel(summary), 1);
  box.addWidget(card);
  return row;
}

QString whereFrom(const KeptDraft& draft) {
  switch (draft.origin.kind) {
    case DraftOrigin::Kind::Preset:
      return HomePage::tr("from the preset %1").arg(draft.origin.name);
    case DraftOrigin::Kind::Clone:
      return HomePage::tr("clone of %1").arg(draft.origin.name);
    case DraftOrigin::Kind::Fork:
      return HomePage::tr("fork of %1").arg(draft.origin.name);
    default:
      return draft.origin.name;
  }
}
}  // namespace

/// Drafts that were left unfinished, and spec files that were used lately.
void HomePage::showKept(const std::vector<KeptDraft>& drafts) {
  while (QLayoutItem* item = m_kept->takeAt(0)) {
    delete item->widget();
    delete item;
  }
  m_keptSection->setVisible(!drafts.empty());
  for (const KeptDraft& draft : drafts) {
    QStringList words{whereFrom(draft)};
    if (draft.dirty()) {
      words << (draft.launched() ? tr("%n setting(s) changed, launched", nullptr, draft.changes)
                                 : tr("%n setting(s) changed, not saved", nullptr, draft.changes));
    }
    const QDateTime now = QDateTime::currentDateTime();
    words << numbers::age(static_cast<double>(draft.time.msecsTo(now)) / 1e3);
    QHBoxLayout* row = addSpecCard(*m_kept, draft.name, words.join(QStringLiteral(" · ")));
    auto* open = new QPushButton(draft.dirty() ? tr("Go on") : tr("Open"));
    open->setAccessibleName(tr("Go on with %1").arg(draft.name));
    auto* forget = iconButton(QStringLiteral("close"), tr("Take %1 off this list").arg(draft.name));
    row->addWidget(open);
    row->addWidget(forget);
    connect(open, &QPushButton::clicked, this, [this, id = draft.id] {
      studio().navigator.open({QStringLiteral("configure"), {}, {{QStringLiteral("draft"), id}}});
    });
    connect(forget, &QToolButton::clicked, this, [this, draft] { forgetKept(draft); });
  }
}

void HomePage::forgetKept(const KeptDraft& draft) {
  const auto change = [this](const std::function<void()>& work) {
    QThreadPool::globalInstance()->start([mailbox = m_mailbox, this, work] {
      QString error;
      try {
        work();
      } catch (const std::exception& e) {
        error = QString::fromUtf8(e.what());
      }
      mailbox->post([this, error] {
        if (!error.isEmpty()) studio().navigator.notify(QStringLiteral("error"), error);
        listKept();
      });
    });
  };
  change([id = draft.id] { removeDraft(id); });
  studio().navigator.toast(tr("%1 was taken off the list").arg(draft.name),
                           [change, draft] { change([draft] { keepDraft(draft); }); });
}

void HomePage::addPresets(const std::vector<PresetInfo>& presets) {
  for (const PresetInfo& preset : presets) {
    const QString name = QString::fromStdString(preset.name);
    QHBoxLayout* row = addSpecCard(*m_specs, name, QString::fromStdString(preset.summary));
    auto* open = new QPushButton(tr("Configure"));
    open->setAccessibleName(tr("Configure from %1").arg(name));
    row->addWidget(open);
    connect(open, &QPushButton::clicked, this, [this, name] {
      studio().navigator.open(
          {QStringLiteral("configure"), {}, {{QStringLiteral("preset"), name}}});
    });
  }
}

QWidget* HomePage::buildHost() {
  const Section host = section(tr("Hosts"));
  auto* card = new Card;
  auto* row = new QHBoxLayout(card);
  row->setContentsMargins(theme::kGrid + theme::kHalf, theme::kHalf, theme::kGrid, theme::kHalf);
  auto* title = new TextLabel(tr("This machine"));
  title->setStrong();
  title->setFixedWidth(180);
  auto* open = new QPushButton(tr("Details"));
  m_hostText->setText(tr("Looking..."));
  row->addWidget(title);
  row->addWidget(m_hostText, 1);
  row->addWidget(open);
  connect(open, &QPushButton::clicked, this, [this] {
    studio().navigator.open({QStringLiteral("hosts"), {}, {}});
  });
  host.box->addWidget(card);
  return host.widget;
}

void HomePage::showHost() {
  const HostFacts& f = m_host->facts();
  if (!f.known) return;
  const QString gpus =
      f.gpus.empty() ? tr("no GPU") : tr("%n GPU(s)", nullptr, static_cast<int>(f.gpus.size()));
  m_hostText->setText(
      tr("%n thread(s), %1 memory, %2, %3 free on disk", nullptr, f.threads)
          .arg(numbers::bytes(f.memoryBytes), gpus, numbers::bytes(f.diskFreeBytes)));
}

// ---- Runs ---------------------------------------------------------------------------------------

void HomePage::showRuns() {
  if (!m_visible && !m_cards.isEmpty()) {
    m_stale = true;
    return;
  }
  m_stale = false;
  const RunRows rows = studio().runs.runs();
  std::vector<const RunRow*> live, recent;
  for (const RunRow& row : *rows) {
    if (row.archived || row.missing) continue;
    if (isLive(row.state)) live.push_back(&row);
    if (is_final(row.state)) recent.push_back(&row);
  }
  const auto later = [](const RunRow* a, const RunRow* b) { return a->last_word > b->last_word; };
  const auto keep = [&](std::vector<const RunRow*>& list, std::size_t most) {
    const std::size_t n = std::min(most, list.size());
    std::partial_sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(n), list.end(),
                      later);
    list.resize(n);
  };
  keep(recent, kMostRecent);
  std::stable_sort(live.begin(), live.end(),
                   [](const RunRow* a, const RunRow* b) { return a->created > b->created; });
  if (live.size() > kMostLive) live.resize(kMostLive);

  QHash<QString, RunCard*> before = std::exchange(m_cards, {});
  for (const auto* list : {&live, &recent}) {
    for (const RunRow* row : *list) {
      const QString id = QString::fromStdString(row->id);
      RunCard* card = before.take(id);
      if (!card) card = new RunCard(studio(), id, this);
      m_cards.insert(id, card);
    }
  }
  for (RunCard* gone : before) gone->deleteLater();
  for (RunCard* gone : before) gone->hide();
  showCards(*m_live, live);
  showCards(*m_recent, recent);
  const bool loaded = studio().runs.loaded();
  m_loading->setVisible(!loaded);
  m_nothing->setVisible(loaded && m_cards.isEmpty());
  m_liveSection->setVisible(!live.empty());
  m_recentSection->setVisible(!recent.empty());
}

void HomePage::showCards(QVBoxLayout& box, const std::vector<const RunRow*>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RunCard* card = m_cards.value(QString::fromStdString(rows[i]->id));
    card->showRow(*rows[i]);
    // Only what is in the wrong place is moved: moving repaints.
    const QLayoutItem* there = box.itemAt(static_cast<int>(i));
    if (!there || there->widget() != card) box.insertWidget(static_cast<int>(i), card);
    card->setVisible(true);
  }
}

void HomePage::open(const Location&) {
  studio().runs.refresh();
}

Location HomePage::location() const {
  return {QStringLiteral("home"), {}, {}};
}

std::vector<QAction*> HomePage::commands() {
  return {m_newRun, m_refresh};
}

QString HomePage::command() const {
  return QStringLiteral("tessera runs");
}

void HomePage::setActivity(bool visible, bool focused) {
  m_visible = visible;
  m_host->setInterval(visible ? (focused ? 5'000 : 15'000) : 0);
  if (visible && m_stale) showRuns();
}

void HomePage::showEvent(QShowEvent* event) {
  Page::showEvent(event);
  m_visible = true;
  if (m_stale) showRuns();
  listKept();
}

}  // namespace tessera::ui
