// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/logs_tab.h"

#include <QComboBox>
#include <QDateTime>
#include <QListView>
#include <QTimeZone>
#include <QVBoxLayout>
#include <algorithm>

#include "core/spec/batch_unit.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/log_tail.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/log_view.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

QString logTime(double seconds) {
  return QDateTime::fromMSecsSinceEpoch(qint64(seconds * 1000), Qt::UTC)
      .toString(QStringLiteral("yyyy-MM-ddTHH:mm:ssZ"));
}

LogsTab::LogsTab(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_view(new LogView(studio.preferences.logLines(), this)),
      m_tail(new LogTail(this)),
      m_ranks(new QComboBox(this)),
      m_note(new TextLabel({}, theme::TextSize::Caption, this)),
      m_mostLines(studio.preferences.logLines()) {
  m_note->setTone(TextLabel::Tone::Secondary);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->setSpacing(theme::kHalf);
  m_ranks->setAccessibleName(tr("Rank whose log is shown"));
  m_ranks->addItem(tr("Rank %1").arg(0));
  m_ranks->hide();
  connect(m_ranks, &QComboBox::currentIndexChanged, this, [this] { follow(); });
  column->addWidget(m_ranks, 0, Qt::AlignLeft);
  column->addWidget(m_view, 1);
  column->addWidget(m_note);
  connect(m_tail, &LogTail::restarted, m_view, &LogView::clear);
  connect(m_tail, &LogTail::lines, this, [this](const QStringList& batch) {
    m_view->append(batch);
    if (m_wanted >= 0) showStep(m_wanted);
  });
  connect(&studio.preferences, &Preferences::changed, this, [this, &studio](const QString& key) {
    if (!key.contains(QLatin1String("log"))) return;
    m_mostLines = studio.preferences.logLines();
    m_view->model().setMostLines(m_mostLines);
  });
}

void LogsTab::setFeed(std::shared_ptr<RunFeed> feed) {
  if (m_feed) disconnect(m_feed.get(), nullptr, this, nullptr);
  m_feed = std::move(feed);
  m_wanted = -1;
  m_view->clear();
  m_tail->follow({}, m_mostLines);
  m_ranks->setCurrentIndex(0);
  if (!m_feed) return;
  connect(m_feed.get(), &RunFeed::changed, this, [this] { follow(); });
  follow();
}

/// As many as the spec asks for, or as have told of themselves.
void LogsTab::offerRanks() {
  std::int64_t ranks = 1;
  if (const RunSpec* spec = m_feed->spec()) ranks = mesh_of(spec->parallel).ranks();
  if (const auto* told = m_feed->history().ranks_at(-1)) {
    ranks = std::max(ranks, std::ssize(told->memory_bytes));
  }
  while (m_ranks->count() > ranks) m_ranks->removeItem(m_ranks->count() - 1);
  while (m_ranks->count() < ranks) m_ranks->addItem(tr("Rank %1").arg(m_ranks->count()));
  m_ranks->setVisible(ranks > 1);
}

void LogsTab::showRank(int rank) {
  if (m_feed) offerRanks();
  if (rank >= 0 && rank < m_ranks->count()) m_ranks->setCurrentIndex(rank);
}

/// Begins once the folder is known, and while somebody looks.
void LogsTab::follow() {
  if (!m_feed || !m_feed->folder() || !isVisible()) return;
  offerRanks();
  const int rank = std::max(0, m_ranks->currentIndex());
  const QString path = QString::fromStdString(m_feed->folder()->log_path(rank).string());
  if (m_tail->path() == path) return;
  m_note->setText(m_ranks->count() == 1
                      ? tr("log/rank-0.log, this run's only rank")
                      : tr("log/rank-%1.log, one of %2 ranks").arg(rank).arg(m_ranks->count()));
  m_tail->follow(path, m_mostLines);
}

void LogsTab::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  m_tail->setPaused(false);
  follow();
}

void LogsTab::hideEvent(QHideEvent* event) {
  m_tail->setPaused(true);
  QWidget::hideEvent(event);
}

bool LogsTab::showStep(std::int64_t step) {
  m_wanted = -1;
  if (!m_feed) return false;
  const RunHistory& history = m_feed->history();
  const std::int64_t row = history.row_of_step(step);
  auto* list = m_view->findChild<QListView*>();
  if (row < 0 || !list) return false;
  if (m_view->model().rowCount() == 0) {
    m_wanted = step;  // its lines are on the way
    return false;
  }
  m_view->searchField()->clear();
  const QString time = logTime(history.time[std::size_t(row)]);
  const LogModel& model = m_view->model();
  // Lines begin with their time in a form that sorts as text; those that go on from the line
  // before have none.
  int found = -1;
  for (int i = 0; i < model.rowCount(); ++i) {
    const QString line = model.data(model.index(i), Qt::DisplayRole).toString();
    if (line.size() < time.size() || line[4] != QLatin1Char('-')) continue;
    if (QStringView(line).left(time.size()) > QStringView(time)) break;
    found = i;
  }
  if (found < 0) {
    m_note->setText(tr("The log holds no line from before step %1.").arg(numbers::whole(step)));
    return false;
  }
  const QModelIndex index = model.index(found);
  list->setCurrentIndex(index);
  list->scrollTo(index, QAbstractItemView::PositionAtCenter);
  m_note->setText(tr("At step %1 (%2): the last line written before it ended.")
                      .arg(numbers::whole(step), time));
  return true;
}

}  // namespace tessera::ui
