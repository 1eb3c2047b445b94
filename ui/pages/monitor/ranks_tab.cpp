// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/ranks_tab.h"

#include <QHeaderView>
#include <QTableWidget>
#include <QVBoxLayout>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

RanksTab::RanksTab(QWidget* parent)
    : QWidget(parent),
      m_note(new TextLabel({}, theme::TextSize::Body, this)),
      m_table(new QTableWidget(1, 8, this)) {
  m_note->setTone(TextLabel::Tone::Secondary);
  m_note->setWrapped();
  m_table->setHorizontalHeaderLabels({tr("Rank"), tr("State"), tr("Host"), tr("Process"),
                                      tr("Step"), tr("Seconds a step"), tr("Memory"),
                                      tr("Last word")});
  m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setShowGrid(false);
  m_table->setTabKeyNavigation(false);
  m_table->setAccessibleName(tr("Ranks"));
  enableCopy(m_table);
  m_table->setFont(theme::font(theme::TextSize::Body, true));
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setDefaultSectionSize(theme::kRowHeight);
  m_table->horizontalHeader()->setStretchLastSection(true);
  m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  for (int i = 0; i < 8; ++i) m_table->setItem(0, i, new QTableWidgetItem);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->setSpacing(theme::kGrid);
  column->addWidget(m_note);
  column->addWidget(m_table, 1);
  m_clock.setInterval(1000);
  connect(&m_clock, &QTimer::timeout, this, [this] {
    if (isVisible()) refresh();
  });
  m_clock.start();
}

void RanksTab::setFeed(std::shared_ptr<RunFeed> feed) {
  if (m_feed) disconnect(m_feed.get(), nullptr, this, nullptr);
  m_feed = std::move(feed);
  if (m_feed) connect(m_feed.get(), &RunFeed::changed, this, [this] { refresh(); });
  refresh();
}

void RanksTab::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  refresh();
}

void RanksTab::setStep(std::int64_t step) {
  m_step = step;
  refresh();
}

void RanksTab::refresh() {
  if (!isVisible()) return;
  m_table->setRowHidden(0, !m_feed);
  if (!m_feed) return;
  const RunStatus& s = m_feed->status();
  const RunHistory& h = m_feed->history();
  const std::int64_t picked = m_step >= 0 ? h.row_of_step(m_step) : -1;
  const std::size_t row = picked >= 0 ? std::size_t(picked) : h.rows() - 1;
  const Series& memory = h.metric(Metric::Memory);
  double seconds = std::nan(""), used = std::nan("");
  if (h.rows() > 0) {
    if (row > 0) {
      seconds = (h.time[row] - h.time[row - 1]) /
                double(std::max<std::int64_t>(1, h.step[row] - h.step[row - 1]));
    }
    if (row < memory.size()) used = double(memory.at(row));
  }
  const QString alone =
      tr("This run has a single rank: one process trains all of the model. "
         "Nothing waits for another rank.");
  m_note->setText(picked < 0 ? alone
                             : tr("At step %1. %2").arg(numbers::whole(h.step[row]), alone));
  const std::int64_t step = picked >= 0 ? h.step[row] : s.step;
  const QString none = numbers::notMeasured();
  const QString values[] = {QStringLiteral("0"),
                            stateWord(s.state),
                            s.process ? QString::fromStdString(s.process->host) : none,
                            s.process ? QString::number(s.process->pid) : none,
                            step >= 0 ? numbers::whole(step) : none,
                            std::isfinite(seconds) ? numbers::duration(seconds) : none,
                            std::isfinite(used) ? numbers::bytes(used) : none,
                            s.last_word > 0 ? numbers::age(s.age_seconds()) : none};
  for (int i = 0; i < 8; ++i) {
    if (m_table->item(0, i)->text() != values[i]) m_table->item(0, i)->setText(values[i]);
  }
}

}  // namespace tessera::ui
