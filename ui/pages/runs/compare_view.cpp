// SPDX-License-Identifier: MIT
#include "ui/pages/runs/compare_view.h"

#include <QApplication>
#include <QClipboard>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QSplitter>
#include <QStackedLayout>
#include <QTabWidget>
#include <QTableView>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/bridge/runs/run_titles.h"
#include "ui/pages/runs/comparison.h"
#include "ui/widgets/chart/board_area.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/chart/chart_toolbar.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

namespace {
constexpr int kRefreshMs = 120, kNameWidth = 220, kColumnWidth = 150, kWidest = 420;

/// As wide as what stands in it, so that a run is told from the next by its heading.
void fitColumns(QTableView& view) {
  view.resizeColumnsToContents();
  for (int i = 0; i < view.horizontalHeader()->count(); ++i) {
    const int least = i == 0 ? kNameWidth : kColumnWidth;
    view.setColumnWidth(i, std::clamp(view.columnWidth(i) + theme::kGrid, least, kWidest));
  }
}

/// A round mark in the colour of a run.
class Dot : public QWidget {
 public:
  Dot(const QString& id, QWidget* parent) : QWidget(parent), m_id(id) { setFixedSize(10, 10); }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme::lineColor(m_id));
    painter.drawEllipse(rect());
  }

 private:
  QString m_id;
};
}  // namespace

CompareView::CompareView(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_area(new BoardArea(studio.preferences, m_group, this)),
      m_grid(&m_area->grid()),
      m_differences(new ComparisonModel(tr("Key"), tr("differs from the first run"), this)),
      m_numbers(new ComparisonModel(tr("Quantity"), tr("the best"), this)),
      m_refresh(new QTimer(this)) {
  m_empty =
      new EmptyState(tr("Choose two runs or more, and see their curves, what differs in their "
                        "configuration and how they ended."),
                     tr("Choose runs"), QStringLiteral("compare"), this);
  connect(m_empty, &EmptyState::pressed, this, &CompareView::chooseRequested);
  m_content = new QWidget(this);
  auto* column = new QVBoxLayout(m_content);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->setSpacing(theme::kGrid);
  buildChips();
  column->addWidget(m_chips);
  auto* splitter = new QSplitter(Qt::Vertical, m_content);
  splitter->setChildrenCollapsible(false);
  splitter->addWidget(buildCharts());
  splitter->addWidget(buildTables());
  splitter->setStretchFactor(0, 3);
  splitter->setStretchFactor(1, 2);
  column->addWidget(splitter, 1);

  auto* stack = new QStackedLayout(this);
  stack->addWidget(m_empty);
  stack->addWidget(m_content);
  connect(this, &CompareView::runsChanged, stack, [this, stack] {
    stack->setCurrentWidget(m_ids.isEmpty() ? static_cast<QWidget*>(m_empty) : m_content);
  });
  m_refresh->setSingleShot(true);
  m_refresh->setInterval(kRefreshMs);
  connect(m_refresh, &QTimer::timeout, this, [this] { update(); });
  connect(&studio.runs, &RunStore::runsChanged, this, [this] { addMissingFeeds(); });
}

CompareView::~CompareView() = default;

QWidget* CompareView::buildCharts() {
  auto* charts = new QWidget(m_content);
  auto* column = new QVBoxLayout(charts);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(theme::kGrid);
  column->addWidget(new ChartToolbar(m_group, *m_grid, charts));
  column->addWidget(m_area, 1);
  connect(m_area, &BoardArea::done, this,
          [this](const QString& text, const std::function<void()>& undo) {
            m_studio.navigator.toast(text, undo);
          });
  connect(m_grid, &ChartGrid::saved, this, [this](const QString& file, const QString& error) {
    if (error.isEmpty()) {
      m_studio.navigator.toast(tr("Saved %1").arg(file));
    } else {
      m_studio.navigator.notify(QStringLiteral("error"), error);
    }
  });
  connect(&m_group, &ChartGroup::stepPicked, this,
          [this](const QString&, qint64 step) { m_studio.selection.setStep(step); });
  connect(&m_studio.selection, &Selection::stepChanged, this,
          [this](std::int64_t step) { m_group.showPicked({}, step); });
  return charts;
}

QWidget* CompareView::buildTables() {
  auto* tabs = new QTabWidget(m_content);
  tabs->setDocumentMode(true);
  tabs->setAccessibleName(tr("Tables of the comparison"));
  tabs->addTab(tableTab(m_differences, tr("The runs are configured alike.")), tr("What differs"));
  tabs->addTab(tableTab(m_numbers, {}), tr("Final numbers"));
  auto* copy = iconButton(QStringLiteral("copy"), tr("Copy this table"), tabs);
  connect(copy, &QToolButton::clicked, this, [this, tabs] {
    const ComparisonModel* model = tabs->currentIndex() == 0 ? m_differences : m_numbers;
    QApplication::clipboard()->setText(model->asText());
    m_studio.navigator.toast(tr("The table is copied"));
  });
  tabs->setCornerWidget(copy);
  return tabs;
}

QWidget* CompareView::tableTab(ComparisonModel* model, const QString& empty) {
  auto* page = new QWidget(m_content);
  auto* stack = new QStackedLayout(page);
  auto* view = new QTableView(page);
  view->setModel(model);
  view->setAccessibleName(model == m_differences ? tr("What differs") : tr("Final numbers"));
  view->setSelectionBehavior(QAbstractItemView::SelectRows);
  enableCopy(view);
  view->setShowGrid(false);
  view->setWordWrap(false);
  view->setTabKeyNavigation(false);
  view->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  view->verticalHeader()->hide();
  view->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  view->verticalHeader()->setDefaultSectionSize(theme::kRowHeight);
  view->horizontalHeader()->setHighlightSections(false);
  view->horizontalHeader()->setDefaultSectionSize(kColumnWidth);
  connect(model, &QAbstractItemModel::modelReset, view, [view] { fitColumns(*view); });
  auto* alike = new TextLabel(empty, theme::TextSize::Body, page);
  alike->setTone(TextLabel::Tone::Secondary);
  alike->setAlignment(Qt::AlignCenter);
  stack->addWidget(view);
  stack->addWidget(alike);
  connect(model, &QAbstractItemModel::modelReset, stack, [stack, view, alike, model] {
    stack->setCurrentWidget(model->rowCount() > 0 ? static_cast<QWidget*>(view) : alike);
  });
  return page;
}

void CompareView::buildChips() {
  auto* area = new QScrollArea(m_content);
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  area->setFixedHeight(theme::kRowHeight + 2 * theme::kGrid);
  auto* row = new QWidget(area);
  m_chipRow = new QHBoxLayout(row);
  m_chipRow->setContentsMargins(0, 0, 0, 0);
  m_chipRow->setSpacing(theme::kGrid);
  area->setWidget(row);
  m_chips = area;
  connect(this, &CompareView::runsChanged, row, [this, row] {
    while (QLayoutItem* item = m_chipRow->takeAt(0)) {
      if (QWidget* old = item->widget()) old->deleteLater();
      delete item;
    }
    for (const Member& member : m_members) {
      auto* chip = new Card(row);
      chip->setFixedHeight(theme::kRowHeight + theme::kHalf);
      auto* inside = new QHBoxLayout(chip);
      inside->setContentsMargins(theme::kGrid, 0, 0, 0);
      inside->setSpacing(theme::kHalf);
      auto* name = new TextLabel(titleOf(member.id), theme::TextSize::Body, chip);
      name->setToolTip(member.id);
      auto* drop = iconButton(QStringLiteral("close"), tr("Take %1 out").arg(member.name), chip);
      inside->addWidget(new Dot(member.id, chip));
      inside->addWidget(name);
      inside->addWidget(drop);
      connect(drop, &QToolButton::clicked, this, [this, id = member.id] {
        QStringList rest = m_ids;
        rest.removeAll(id);
        setRuns(rest);
      });
      m_chipRow->addWidget(chip);
    }
    auto* more = new QPushButton(tr("Add runs"), row);
    more->setIcon(theme::icon(QStringLiteral("plus")));
    connect(more, &QPushButton::clicked, this, &CompareView::chooseRequested);
    m_chipRow->addWidget(more);
    m_chipRow->addStretch();
  });
}

QString CompareView::nameOf(const QString& id) const {
  const RunRow* row = m_studio.runs.run(id);
  return row ? QString::fromStdString(row->name) : id;
}

QString CompareView::titleOf(const QString& id) const {
  const qsizetype at = m_ids.indexOf(id);
  return at < 0 ? nameOf(id) : m_titles[at];
}

void CompareView::setRuns(const QStringList& wanted) {
  QStringList ids = wanted;
  ids.removeDuplicates();
  if (ids.size() > kMostRuns) {
    m_studio.navigator.toast(
        tr("The first %1 of %2 runs are compared").arg(kMostRuns).arg(ids.size()));
    ids = ids.first(kMostRuns);
  }
  if (ids == m_ids) return;
  m_ids = ids;
  m_titles = runTitles(m_studio.runs, ids);
  std::vector<Member> members;
  for (const QString& id : ids) {
    const auto known = std::find_if(m_members.begin(), m_members.end(),
                                    [&](const Member& m) { return m.id == id; });
    if (known != m_members.end()) {
      members.push_back(std::move(*known));
      members.back().curves->setTitle(titleOf(id));
    } else {
      members.push_back(
          {id, nameOf(id), {}, std::make_shared<RunCurves>(id, titleOf(id)), true, {}});
      addFeed(members.back());
    }
  }
  m_members = std::move(members);
  ChartGroup::Runs runs;
  for (const Member& member : m_members) runs.push_back(member.curves);
  m_group.setView({});
  m_group.setRuns(std::move(runs));
  Q_EMIT runsChanged();
  update();
}

void CompareView::addFeed(Member& member) {
  member.feed = m_studio.runs.feed(member.id);
  if (!member.feed) return;
  member.feed->setCadence(m_visible ? 10 : 0, this);
  const auto find = [this, id = member.id]() -> Member* {
    const auto at = std::find_if(m_members.begin(), m_members.end(),
                                 [&](const Member& m) { return m.id == id; });
    return at == m_members.end() ? nullptr : &*at;
  };
  connect(member.feed.get(), &RunFeed::rewritten, this, [find] {
    if (Member* m = find()) {
      m->curves->restart();
      m->time = {};
    }
  });
  connect(member.feed.get(), &RunFeed::changed, this, [this, find] {
    Member* m = find();
    if (!m) return;
    m->behind = true;
    if (m_visible && !m_refresh->isActive()) m_refresh->start();
  });
}

/// A link may name runs that the store has not found yet.
void CompareView::addMissingFeeds() {
  bool found = false;
  m_titles = runTitles(m_studio.runs, m_ids);
  for (Member& member : m_members) {
    if (member.feed || !m_studio.runs.run(member.id)) continue;
    member.name = nameOf(member.id);
    member.curves->setTitle(titleOf(member.id));
    addFeed(member);
    found = true;
  }
  if (!found) return;
  for (Member& member : m_members) member.curves->setTitle(titleOf(member.id));
  Q_EMIT runsChanged();
  update();
}

/// Some runs at a time, so that fifty that have just been loaded hold nobody up.
void CompareView::update() {
  constexpr int kAtOnce = 8;
  int read = 0;
  for (Member& member : m_members) {
    if (!member.behind || !member.feed || !member.feed->loaded()) continue;
    if (++read > kAtOnce) {
      m_refresh->start();
      break;
    }
    member.curves->update(member.feed->history(), member.feed);
    member.behind = false;
  }
  if (read > 0) m_group.dataChanged();
  updateTables();
}

void CompareView::updateTables() {
  std::vector<ComparedRun> runs;
  QStringList names;
  std::vector<const RunSpec*> specs;
  for (Member& member : m_members) {
    const RunRow* row = m_studio.runs.run(member.id);
    const bool loaded = member.feed && member.feed->loaded();
    if (loaded) member.time.follow(member.feed->history());
    specs.push_back(member.feed ? member.feed->spec() : nullptr);
    runs.push_back({member.id, member.name, specs.back(),
                    loaded ? &member.feed->history() : nullptr, row ? row->state : RunState::Draft,
                    loaded ? member.time.seconds : kNotMeasured});
    names << titleOf(member.id);
  }
  if (specs != m_comparedSpecs || m_differences->columnCount() != names.size() + 1) {
    m_differences->setContent(m_ids, names, configurationDifferences(runs));
    m_comparedSpecs = specs;
  }
  m_numbers->setContent(m_ids, names, finalNumbers(runs));
}

BoardPicker& CompareView::boards() {
  return m_area->boards();
}

void CompareView::setActive(bool visible, bool focused) {
  const bool woke = visible && !m_visible;
  m_visible = visible;
  for (const Member& member : m_members) {
    if (member.feed) member.feed->setCadence(!visible ? 0 : focused ? 10 : 2, this);
  }
  if (woke) update();
}

}  // namespace tessera::ui
