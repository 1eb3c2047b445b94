// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/ranks_tab.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QTableWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "core/base/communicator.h"
#include "ui/pages/monitor/rank_grid.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

namespace {
enum Column { Rank, State, Host, Process, Step, Work, Waits, Memory, LastWord, ColumnCount };
enum Colour { ByWork, ByMemory, ByLastWord };

/// A rank this much above the mean is named.
constexpr double kSlow = 0.05;

double secondsSince(std::int64_t then_ns) {
  return 1e-9 * static_cast<double>(monotonic_ns() - then_ns);
}
}  // namespace

/// What is known of one rank. NaN and -1: not known.
struct RanksTab::Row {
  QString state, tip, host;
  std::int64_t pid = -1, step = -1;
  double work = std::nan(""), seconds = std::nan(""), memory = std::nan(""), age = std::nan("");
  bool wrong = false;
};

RanksTab::RanksTab(QWidget* parent)
    : QWidget(parent),
      m_note(new TextLabel({}, theme::TextSize::Body, this)),
      m_colour(new QComboBox(this)),
      m_log(new QPushButton(tr("Show its log"), this)),
      m_bar(new QWidget(this)),
      m_grid(new RankGrid(this)),
      m_table(new QTableWidget(0, ColumnCount, this)) {
  build();
  connect(m_colour, &QComboBox::currentIndexChanged, this, [this] { refresh(); });
  connect(m_grid, &RankGrid::picked, this, &RanksTab::select);
  connect(m_log, &QPushButton::clicked, this, [this] { Q_EMIT logAsked(m_table->currentRow()); });
  connect(m_table, &QTableWidget::currentCellChanged, this, [this](int row) {
    m_grid->setSelected(row);
    setEnabledBecause(m_log, row >= 0, tr("Choose a rank first"));
  });
  connect(m_table, &QTableWidget::cellDoubleClicked, this, [this](int row) {
    if (m_table->rowCount() > 1) Q_EMIT logAsked(row);
  });
  m_clock.setInterval(1000);
  connect(&m_clock, &QTimer::timeout, this, [this] {
    if (!isVisible()) return;
    if (m_feed) m_feed->requestRanks();
    refresh();
  });
  m_clock.start();
}

void RanksTab::build() {
  m_note->setTone(TextLabel::Tone::Secondary);
  m_note->setWrapped();
  m_colour->addItems({tr("Own work"), tr("Memory"), tr("Last word")});
  m_colour->setAccessibleName(tr("What the colours show"));
  setEnabledBecause(m_log, false, tr("Choose a rank first"));
  m_table->setHorizontalHeaderLabels({tr("Rank"), tr("State"), tr("Host"), tr("Process"),
                                      tr("Step"), tr("Own work a step"), tr("In calls"),
                                      tr("Memory"), tr("Last word")});
  m_table->horizontalHeaderItem(Work)->setToolTip(
      tr("Seconds a step outside of calls to other ranks: the rank with most of it comes last to "
         "every call, and the others wait for it"));
  m_table->horizontalHeaderItem(Waits)->setToolTip(
      tr("The share of a step that the rank spends in calls to other ranks, waiting or sending"));
  m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->setShowGrid(false);
  m_table->setTabKeyNavigation(false);
  m_table->setAccessibleName(tr("Ranks"));
  enableCopy(m_table);
  m_table->setFont(theme::font(theme::TextSize::Body, true));
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setDefaultSectionSize(theme::kRowHeight);
  m_table->horizontalHeader()->setStretchLastSection(true);
  m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);

  auto* line = new QHBoxLayout(m_bar);
  line->setContentsMargins(0, 0, 0, 0);
  auto* name = new TextLabel(tr("Colours show"), theme::TextSize::Body, m_bar);
  name->setTone(TextLabel::Tone::Secondary);
  line->addWidget(name);
  line->addWidget(m_colour);
  line->addStretch(1);
  line->addWidget(m_log);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->setSpacing(theme::kGrid);
  column->addWidget(m_note);
  column->addWidget(m_bar);
  column->addWidget(m_grid);
  column->addWidget(m_table, 1);
}

void RanksTab::setFeed(std::shared_ptr<RunFeed> feed) {
  if (m_feed) disconnect(m_feed.get(), nullptr, this, nullptr);
  m_feed = std::move(feed);
  m_records = nullptr;
  m_table->setRowCount(0);
  if (m_feed) {
    connect(m_feed.get(), &RunFeed::changed, this, [this] { refresh(); });
    connect(m_feed.get(), &RunFeed::ranksReady, this, [this](const auto& records) {
      m_records = records;
      refresh();
    });
    if (isVisible()) m_feed->requestRanks();
  }
  refresh();
}

void RanksTab::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (m_feed) m_feed->requestRanks();
  refresh();
}

void RanksTab::setStep(std::int64_t step) {
  m_step = step;
  refresh();
}

void RanksTab::select(int rank) {
  m_table->selectRow(rank);
  m_table->setFocus();
}

/// The run as a whole: what every rank has in common, and all there is to say of a single one.
RanksTab::Row RanksTab::rowOfRun() const {
  Row row;
  const RunStatus& status = m_feed->status();
  const RunHistory& h = m_feed->history();
  const std::int64_t picked = m_step >= 0 ? h.row_of_step(m_step) : -1;
  row.state = stateWord(status.state);
  row.step = picked >= 0 ? h.step[std::size_t(picked)] : status.step;
  if (status.process) {
    row.host = QString::fromStdString(status.process->host);
    row.pid = status.process->pid;
  }
  if (status.last_word > 0) row.age = status.age_seconds();
  if (h.rows() == 0) return row;
  const std::size_t at = picked >= 0 ? std::size_t(picked) : h.rows() - 1;
  if (at > 0) {
    row.seconds = (h.time[at] - h.time[at - 1]) /
                  double(std::max<std::int64_t>(1, h.step[at] - h.step[at - 1]));
  }
  const Series& memory = h.metric(Metric::Memory);
  if (at < memory.size()) row.memory = double(memory.at(at));
  row.work = row.seconds;
  return row;
}

/// What the record of a rank says of it now.
void RanksTab::take(Row& row, const RankCalls& calls) const {
  row.host = QString::fromStdString(calls.host);
  row.pid = calls.pid;
  row.tip = QString::fromStdString(calls.name() + ": " + calls.whereabouts());
  const bool here = calls.is_here();
  row.age = here ? secondsSince(calls.beat_ns) : std::nan("");
  if (calls.ending == RankCalls::Ending::Failed) {
    row.state = tr("failed");
    row.tip = QString::fromStdString(calls.failure);
    row.wrong = true;
  } else if (calls.ending == RankCalls::Ending::Well) {
    row.state = tr("ended");
  } else if (!calls.is_there()) {
    row.state = tr("gone");
    row.tip = tr("Its process is not there any more, and left no word");
    row.wrong = !is_final(m_feed->status().state);
  } else if (calls.open) {
    row.state = here ? tr("in %1 for %2")
                           .arg(QString::fromStdString(calls.open->text()),
                                numbers::duration(secondsSince(calls.open->entered_ns)))
                     : tr("in %1").arg(QString::fromStdString(calls.open->text()));
  } else {
    row.state = tr("computes");
  }
}

std::vector<RanksTab::Row> RanksTab::rows() const {
  const RunHistory::Ranks* logged = m_feed->history().ranks_at(m_step);
  const std::size_t records = m_records ? m_records->size() : 0;
  const std::size_t count = std::max<std::size_t>(
      {1, records > 1 ? records : 0, logged ? logged->memory_bytes.size() : 0});
  std::vector<Row> rows(count, rowOfRun());
  if (count == 1) return rows;
  for (std::size_t rank = 0; rank < count; ++rank) {
    Row& row = rows[rank];
    row.host.clear();
    row.pid = -1;
    row.work = row.memory = row.age = std::nan("");
    if (rank > 0 || !logged) row.state = numbers::notMeasured();
    if (logged) {
      row.seconds = logged->seconds;
      if (rank < logged->work.size()) row.work = double(logged->work[rank]);
      if (rank < logged->memory_bytes.size()) row.memory = double(logged->memory_bytes[rank]);
    }
  }
  for (std::size_t i = 0; i < records; ++i) {
    const auto rank = static_cast<std::size_t>((*m_records)[i].rank);
    if (rank < count) take(rows[rank], (*m_records)[i]);
  }
  return rows;
}

/// Who is slow, in a sentence.
QString RanksTab::summary(const std::vector<Row>& rows) const {
  if (rows.size() == 1) {
    return tr(
        "This run has a single rank: one process trains all of the model. "
        "Nothing waits for another rank.");
  }
  const int wrong =
      int(std::count_if(rows.begin(), rows.end(), [](const Row& r) { return r.wrong; }));
  if (wrong > 0) return tr("%n rank(s) failed or gone.", nullptr, wrong);
  double sum = 0;
  std::size_t measured = 0, slowest = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!std::isfinite(rows[i].work)) continue;
    if (measured == 0 || rows[i].work > rows[slowest].work) slowest = i;
    sum += rows[i].work;
    ++measured;
  }
  if (measured < rows.size()) {
    return m_feed->history().ranks.empty()
               ? tr("%n ranks. What each of them does is told about once a second while it trains.",
                    nullptr, int(rows.size()))
               : tr("%n ranks. On GPUs a call to other ranks returns before it is done, so that "
                    "own "
                    "work is not known here; a timeline shows it (tessera train --timeline FILE).",
                    nullptr, int(rows.size()));
  }
  const double mean = sum / double(measured), most = rows[slowest].work;
  if (!(most > mean * (1 + kSlow))) {
    return tr("%n ranks work about as long as each other: %1 of a step of %2.", nullptr,
              int(rows.size()))
        .arg(numbers::duration(mean), numbers::duration(rows[slowest].seconds));
  }
  const Row& slow = rows[slowest];
  return tr("Rank %1 on %2 is the slowest of %3: its own work lasts %4 a step, %5 longer than the "
            "mean. The others wait for it.")
      .arg(slowest)
      .arg(slow.host.isEmpty() ? numbers::notMeasured() : slow.host)
      .arg(rows.size())
      .arg(numbers::duration(most), numbers::percent(most / mean - 1));
}

void RanksTab::showTable(const std::vector<Row>& rows) {
  const int count = int(rows.size());
  if (m_table->rowCount() != count) {
    m_table->setRowCount(count);
    for (int rank = 0; rank < count; ++rank) {
      for (int c = 0; c < ColumnCount; ++c) m_table->setItem(rank, c, new QTableWidgetItem);
    }
  }
  m_table->setColumnHidden(Waits, count == 1);
  const QString none = numbers::notMeasured();
  const auto known = [&](double value, auto&& text) {
    return std::isfinite(value) ? text(value) : none;
  };
  for (int rank = 0; rank < count; ++rank) {
    const Row& row = rows[std::size_t(rank)];
    const QString values[] = {QString::number(rank),
                              row.state,
                              row.host.isEmpty() ? none : row.host,
                              row.pid > 0 ? QString::number(row.pid) : none,
                              row.step >= 0 ? numbers::whole(row.step) : none,
                              known(row.work, numbers::duration),
                              known(1 - row.work / row.seconds,
                                    [](double s) { return numbers::percent(std::max(0.0, s)); }),
                              known(row.memory, numbers::bytes),
                              known(row.age, numbers::age)};
    for (int c = 0; c < ColumnCount; ++c) {
      QTableWidgetItem* item = m_table->item(rank, c);
      if (item->text() != values[c]) item->setText(values[c]);
      if (item->toolTip() != row.tip) item->setToolTip(row.tip);
    }
  }
}

void RanksTab::showGrid(const std::vector<Row>& rows) {
  const auto by = static_cast<Colour>(m_colour->currentIndex());
  std::vector<RankGrid::Cell> cells;
  double least = std::nan(""), most = least;
  const auto text = [by](double value) {
    return by == ByMemory ? numbers::bytes(value)
           : by == ByWork ? numbers::duration(value)
                          : numbers::age(value);
  };
  for (const Row& row : rows) {
    RankGrid::Cell& cell = cells.emplace_back();
    cell.value = by == ByWork ? row.work : by == ByMemory ? row.memory : row.age;
    cell.wrong = row.wrong;
    QStringList lines{tr("Rank %1").arg(cells.size() - 1) +
                      (row.host.isEmpty() ? QString() : QStringLiteral(" · ") + row.host)};
    if (std::isfinite(cell.value))
      lines << m_colour->currentText() + QStringLiteral(": ") + text(cell.value);
    lines << (row.tip.isEmpty() ? row.state : row.tip);
    cell.tip = lines.join(QLatin1Char('\n'));
    least = std::fmin(least, cell.value);
    most = std::fmax(most, cell.value);
  }
  m_grid->show(std::move(cells), text(least), text(most));
  m_grid->setSelected(m_table->currentRow());
}

void RanksTab::refresh() {
  if (!isVisible()) return;
  const std::vector<Row> all = m_feed ? rows() : std::vector<Row>{};
  const bool several = all.size() > 1;
  m_bar->setVisible(several);
  m_grid->setVisible(several);
  if (!m_feed) {
    m_table->setRowCount(0);
    return m_note->clear();
  }
  const RunHistory& h = m_feed->history();
  const std::int64_t picked = m_step >= 0 ? h.row_of_step(m_step) : -1;
  m_note->setText(
      picked < 0
          ? summary(all)
          : tr("At step %1. %2").arg(numbers::whole(h.step[std::size_t(picked)]), summary(all)));
  showTable(all);
  if (several) showGrid(all);
}

}  // namespace tessera::ui
