// SPDX-License-Identifier: MIT
#include "ui/pages/runs/sweep_view.h"

#include <QComboBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QSaveFile>
#include <QScrollArea>
#include <QSplitter>
#include <QStackedLayout>
#include <QTableView>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/pages/runs/compare_view.h"
#include "ui/pages/runs/new_sweep_dialog.h"
#include "ui/pages/runs/sweep_plots.h"
#include "ui/widgets/chart/background.h"
#include "ui/widgets/chart/chart_export.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

namespace {
constexpr int kSweepRefreshMs = 400, kPointsHeight = 150;
}

// ---- The table ----------------------------------------------------------------------------------

void SweepModel::setTable(std::shared_ptr<const SweepTable> table) {
  beginResetModel();
  m_table = std::move(table);
  endResetModel();
}

int SweepModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() || !m_table ? 0 : static_cast<int>(m_table->runs.size());
}

int SweepModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() || !m_table ? 0 : firstKey() + static_cast<int>(m_table->keys.size()) + 3;
}

QString SweepModel::text(const SweepRun& run, int column) const {
  const int keys = static_cast<int>(m_table->keys.size()), behind = column - firstKey() - keys;
  if (column == 0) return run.name;
  if (column == 1) return stateWord(run.state);
  if (column == 2) return numbers::progress(run.step + 1, run.total);
  if (behind < 0) return run.texts[column - firstKey()];
  if (behind == 0) return numbers::fixed(run.loss, 4);
  if (behind == 1) return numbers::fixed(run.validation, 4);
  return engineWord(run.stopped.toStdString());
}

QVariant SweepModel::sortValue(const SweepRun& run, int column) const {
  const int keys = static_cast<int>(m_table->keys.size()), behind = column - firstKey() - keys;
  if (column == 2) return static_cast<double>(run.step);
  if (column >= firstKey() && behind < 0) {
    return run.values[static_cast<std::size_t>(column - firstKey())];
  }
  if (behind == 0) return run.loss;
  if (behind == 1) return run.validation;
  return text(run, column);
}

QVariant SweepModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || !m_table) return {};
  const SweepRun& run = m_table->runs[static_cast<std::size_t>(index.row())];
  const int column = index.column();
  switch (role) {
    case Qt::DisplayRole:
      return text(run, column);
    case SortRole:
      return sortValue(run, column);
    case Qt::ToolTipRole:
      return column == 0 ? run.id : text(run, column);
    case Qt::ForegroundRole:
      return column == 1 && needsAttention(run.state) ? QVariant(stateColor(run.state))
                                                      : QVariant();
    case Qt::TextAlignmentRole: {
      const bool number = sortValue(run, column).typeId() == QMetaType::Double;
      return QVariant::fromValue(
          Qt::Alignment((number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter));
    }
    default:
      return {};
  }
}

QVariant SweepModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || !m_table) return {};
  const int keys = static_cast<int>(m_table->keys.size()), behind = section - firstKey() - keys;
  const bool isKey = section >= firstKey() && behind < 0;
  const QString title =
      isKey ? m_table->keys[static_cast<std::size_t>(section - firstKey())].title : QString();
  if (role == Qt::ToolTipRole) return title;
  if (role != Qt::DisplayRole) return {};
  if (section == 0) return tr("Run");
  if (section == 1) return tr("State");
  if (section == 2) return tr("Steps");
  if (isKey) return title.section('.', -1);
  if (behind == 0) return tr("Loss");
  if (behind == 1) return tr("Validation");
  return tr("Stopped because");
}

void SweepProxy::setShown(std::vector<bool> shown) {
  m_shown = std::move(shown);
  invalidateFilter();
}

bool SweepProxy::filterAcceptsRow(int row, const QModelIndex&) const {
  return static_cast<std::size_t>(row) >= m_shown.size() || m_shown[static_cast<std::size_t>(row)];
}

bool SweepProxy::lessThan(const QModelIndex& a, const QModelIndex& b) const {
  const QVariant one = a.data(SweepModel::SortRole), other = b.data(SweepModel::SortRole);
  if (one.typeId() != QMetaType::Double || other.typeId() != QMetaType::Double) {
    return QString::localeAwareCompare(one.toString(), other.toString()) < 0;
  }
  const double x = one.toDouble(), y = other.toDouble();
  const bool descending = sortOrder() == Qt::DescendingOrder;
  if (std::isnan(x) || std::isnan(y))
    return std::isnan(x) == descending && x != y && !std::isnan(descending ? y : x);
  return x < y;
}

// ---- The view -----------------------------------------------------------------------------------

SweepView::SweepView(Studio& studio, QWidget* parent)
    : QWidget(parent),
      m_studio(studio),
      m_known(std::make_shared<SweepValues>()),
      m_view(new QTableView(this)),
      m_lines(new SweepLines(this)),
      m_refresh(new QTimer(this)) {
  auto* content = new QWidget(this);
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, theme::kGrid, 0, 0);
  column->setSpacing(theme::kGrid);
  column->addWidget(buildHead());
  buildTable();
  m_noRuns = new EmptyState(tr("No run of this sweep has begun. They wait in the queue."), {},
                            QStringLiteral("queue"), this);
  auto* body = new QWidget(content);
  m_stack = new QStackedLayout(body);
  auto* splitter = new QSplitter(Qt::Vertical, body);
  splitter->setChildrenCollapsible(false);
  splitter->addWidget(buildPlots());
  splitter->addWidget(m_view);
  splitter->setStretchFactor(0, 3);
  splitter->setStretchFactor(1, 2);
  m_none = new EmptyState(tr("A sweep makes many runs of one spec that differ in a few keys, and "
                             "compares what came of them."),
                          tr("New sweep"), QStringLiteral("compare"), this);
  connect(m_none, &EmptyState::pressed, this, &SweepView::newRequested);
  m_stack->addWidget(splitter);
  m_stack->addWidget(m_none);
  m_stack->addWidget(m_noRuns);
  m_stack->setCurrentWidget(m_none);
  column->addWidget(body, 1);
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(0, 0, 0, 0);
  all->addWidget(content);
  m_refresh->setSingleShot(true);
  m_refresh->setInterval(kSweepRefreshMs);
  connect(m_refresh, &QTimer::timeout, this, [this] { read(); });
  const auto again = [this] {
    if (!m_refresh->isActive()) m_refresh->start();
  };
  connect(&studio.runs, &RunStore::runsChanged, this, again);
  connect(&studio.launcher, &Launcher::queueChanged, this, again);
  read();
}

SweepView::~SweepView() = default;

QWidget* SweepView::buildHead() {
  auto* bar = new QWidget(this);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kGrid);
  m_box = new QComboBox(bar);
  m_box->setAccessibleName(tr("Sweep"));
  m_box->setMinimumContentsLength(12);
  m_box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  m_about = new ElidedLabel({}, bar);
  m_about->setForegroundRole(QPalette::PlaceholderText);
  auto* fresh = new QPushButton(theme::icon(QStringLiteral("plus")), tr("New sweep"), bar);
  m_compare = new QPushButton(theme::icon(QStringLiteral("compare")), tr("Compare curves"), bar);
  m_clear = new QPushButton(tr("Show all"), bar);
  m_clear->setToolTip(tr("Takes away what was chosen along the axes (Escape)"));
  auto* save = new QToolButton(bar);
  save->setText(tr("Save"));
  save->setPopupMode(QToolButton::InstantPopup);
  auto* menu = new QMenu(save);
  menu->addAction(tr("Table as CSV"), this, [this] { chooseFile(false); });
  menu->addAction(tr("Charts as a picture"), this, [this] { chooseFile(true); });
  save->setMenu(menu);
  row->addWidget(m_box);
  row->addWidget(m_about, 1);
  for (QWidget* one : std::initializer_list<QWidget*>{m_clear, m_compare, save, fresh}) {
    row->addWidget(one);
  }
  connect(m_box, &QComboBox::activated, this, [this] { setTag(m_box->currentText()); });
  connect(fresh, &QPushButton::clicked, this, &SweepView::newRequested);
  connect(m_compare, &QPushButton::clicked, this, [this] { compare(); });
  connect(m_clear, &QPushButton::clicked, m_lines, [this] { m_lines->clearBrushes(); });
  return bar;
}

QWidget* SweepView::buildPlots() {
  auto* plots = new QSplitter(Qt::Horizontal, this);
  m_plots = plots;
  plots->setChildrenCollapsible(false);
  auto* area = new ColumnArea(plots);
  m_pointsBox = new QWidget(area);
  m_pointsColumn = new QVBoxLayout(m_pointsBox);
  m_pointsColumn->setContentsMargins(0, 0, 0, 0);
  m_pointsColumn->setSpacing(theme::kHalf);
  area->setWidget(m_pointsBox);
  area->setWidgetResizable(true);
  plots->addWidget(m_lines);
  plots->addWidget(area);
  plots->setStretchFactor(0, 2);
  plots->setStretchFactor(1, 1);
  connectPlot(m_lines);
  connect(m_lines, &SweepLines::brushesChanged, this, [this] {
    const std::vector<bool> shown = m_lines->withinBrushes();
    m_proxy.setShown(shown);
    for (SweepPoints* one : m_points) one->setShown(shown);
    showAbout();
  });
  return plots;
}

void SweepView::buildTable() {
  m_proxy.setSourceModel(&m_model);
  m_view->setModel(&m_proxy);
  m_view->setAccessibleName(tr("Runs of the sweep"));
  m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_view->setShowGrid(false);
  m_view->setWordWrap(false);
  m_view->setTabKeyNavigation(false);
  m_view->verticalHeader()->hide();
  m_view->verticalHeader()->setDefaultSectionSize(theme::kRowHeight);
  QHeaderView* header = m_view->horizontalHeader();
  header->setHighlightSections(false);
  header->setStretchLastSection(true);
  header->setSortIndicator(-1, Qt::AscendingOrder);  // as the table comes: the best first
  header->setSortIndicatorClearable(true);
  m_view->setSortingEnabled(true);
  m_proxy.sort(-1);
  enableCopy(m_view);
  connect(m_view, &QTableView::activated, this,
          [this](const QModelIndex& at) { openRun(m_proxy.mapToSource(at).row()); });
  connect(m_view->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
          [this](const QModelIndex& at) { light(m_proxy.mapToSource(at).row(), m_view); });
}

void SweepView::connectPlot(SweepPlot* plot) {
  connect(plot, &SweepPlot::currentChanged, this, [this, plot](int run) { light(run, plot); });
  connect(plot, &SweepPlot::openRequested, this, [this](int run) { openRun(run); });
}

/// The same run is lit wherever it is shown.
void SweepView::light(int run, const QObject* by) {
  m_lines->setCurrent(run);
  for (SweepPoints* one : m_points) one->setCurrent(run);
  if (by == m_view || run < 0) return;
  const QModelIndex at = m_proxy.mapFromSource(m_model.index(run, 0));
  if (at.isValid()) m_view->scrollTo(at);
}

void SweepView::openRun(int run) {
  if (!m_table || run < 0 || run >= std::ssize(m_table->runs)) return;
  Q_EMIT openRequested(m_table->runs[static_cast<std::size_t>(run)].id);
}

void SweepView::compare() {
  QStringList ids;
  for (int row = 0; row < m_proxy.rowCount() && ids.size() < CompareView::kMostRuns; ++row) {
    const int run = m_proxy.mapToSource(m_proxy.index(row, 0)).row();
    ids << m_table->runs[static_cast<std::size_t>(run)].id;
  }
  Q_EMIT compareRequested(ids);
}

void SweepView::setTag(const QString& tag) {
  if (tag == m_tag) return;
  m_tag = tag;
  read();
  Q_EMIT tagChanged();
}

void SweepView::setActive(bool active) {
  const bool woke = active && !m_active;
  m_active = active;
  if (woke) read();
}

/// In the background; once more where something has changed meanwhile. Hidden, only the list of
/// sweeps is read, which other parts of the page ask for.
void SweepView::read() {
  if (m_reading) {
    m_again = true;
    return;
  }
  m_reading = true;
  struct Answer {
    QStringList tags;
    std::shared_ptr<const SweepTable> table;
    QString problem;
  };
  const RunRows rows = m_studio.runs.runs();
  inBackground(
      this,
      [rows, tag = m_tag, known = m_known, whole = m_active]() -> Answer {
        Answer answer;
        try {
          answer.tags = sweepTags();
          const QString shown = tag.isEmpty() ? answer.tags.value(0) : tag;
          if (!rows || shown.isEmpty() || !whole || !answer.tags.contains(shown)) return answer;
          answer.table = std::make_shared<const SweepTable>(readSweep(shown, rows, *known));
        } catch (const std::exception& problem) {
          answer.problem = QString::fromUtf8(problem.what());
        }
        return answer;
      },
      [this](const Answer& answer) {
        m_reading = false;
        take(answer.tags, answer.table, answer.problem);
        if (std::exchange(m_again, false)) m_refresh->start();
      });
}

void SweepView::take(const QStringList& tags, std::shared_ptr<const SweepTable> table,
                     const QString& problem) {
  if (tags != m_tags || !std::exchange(m_hasTags, true)) {
    m_tags = tags;
    m_box->clear();
    m_box->addItems(m_tags);
    Q_EMIT tagsChanged();
  }
  m_box->setVisible(!m_tags.isEmpty());
  if (!problem.isEmpty()) {
    m_studio.navigator.setProblem(QStringLiteral("sweep/") + m_tag, QStringLiteral("error"),
                                  engineWord(problem.toStdString()),
                                  {QStringLiteral("runs"), {}, {{"view", "sweeps"}}});
  }
  if (!table) {
    if (m_tags.isEmpty()) m_stack->setCurrentWidget(m_none);
    showAbout();
    return;
  }
  if (m_tag.isEmpty()) {
    m_tag = table->tag;
    Q_EMIT tagChanged();
  }
  if (table->tag != m_tag) return;  // another one was chosen meanwhile
  m_box->setCurrentText(m_tag);
  const QString lit =
      m_table && m_lines->current() >= 0 && m_lines->current() < std::ssize(m_table->runs)
          ? m_table->runs[static_cast<std::size_t>(m_lines->current())].id
          : QString();
  m_table = std::move(table);
  m_lines->setTable(m_table);
  m_model.setTable(m_table);
  buildPoints();
  const std::vector<bool> shown = m_lines->withinBrushes();
  m_lines->setShown(shown);
  m_proxy.setShown(shown);
  for (SweepPoints* one : m_points) one->setShown(shown);
  for (std::size_t r = 0; r < m_table->runs.size(); ++r) {
    if (m_table->runs[r].id == lit) light(static_cast<int>(r), nullptr);
  }
  m_stack->setCurrentWidget(m_table->runs.empty() ? static_cast<QWidget*>(m_noRuns)
                                                  : m_stack->widget(0));
  showAbout();
}

void SweepView::buildPoints() {
  if (m_points.size() != m_table->keys.size()) {
    for (SweepPoints* old : m_points) delete old;
    m_points.clear();
    for (std::size_t k = 0; k < m_table->keys.size(); ++k) {
      auto* one = new SweepPoints(static_cast<int>(k), m_pointsBox);
      one->setFixedHeight(kPointsHeight);
      m_pointsColumn->addWidget(one);
      connectPlot(one);
      m_points.push_back(one);
    }
    for (int c = 0; c < m_model.columnCount(); ++c) m_view->setColumnWidth(c, c == 0 ? 170 : 96);
  }
  for (SweepPoints* one : m_points) one->setTable(m_table);
}

void SweepView::showAbout() {
  const bool any = m_table && !m_table->runs.empty();
  m_clear->setVisible(any && m_lines->hasBrush());
  setEnabledBecause(m_compare, any, tr("No run of it has begun"));
  if (!m_table) return m_about->setFullText({});
  QStringList words;
  const int shown = m_proxy.rowCount(), begun = static_cast<int>(m_table->runs.size());
  words << (m_lines->hasBrush() ? tr("%1 of %2 runs are shown").arg(shown).arg(begun)
                                : tr("%1 of %2 runs have begun").arg(begun).arg(m_table->planned));
  if (m_table->waiting > 0) words << tr("%1 wait").arg(m_table->waiting);
  const QString after = numbers::whole(m_table->after);
  words << (m_table->rule == StopRule::Median
                ? tr("after %1 steps a run above the median of the others is stopped").arg(after)
            : m_table->rule == StopRule::Halving
                ? tr("from %1 steps on the worse half is stopped at each rung").arg(after)
                : tr("none is stopped for falling behind"));
  m_about->setFullText(words.join(QStringLiteral(" · ")));
}

NewSweepDialog* SweepView::askForSweep(const QString& run) {
  auto* dialog = new NewSweepDialog(m_studio, run, this);
  connect(dialog, &NewSweepDialog::queued, this, [this](const QString& tag, int runs) {
    m_studio.navigator.toast(
        tr("%n run(s) of the sweep %1 wait in the queue", nullptr, runs).arg(tag));
    m_tag = tag;
    read();
    Q_EMIT tagChanged();
  });
  dialog->open();
  return dialog;
}

// ---- To files -----------------------------------------------------------------------------------

void SweepView::chooseFile(bool picture) {
  const QString name = m_tag + (picture ? QStringLiteral(".png") : QStringLiteral(".csv"));
  auto* dialog = fileDialog(
      this, this, picture ? tr("Save the charts") : tr("Save the sweep's table"),
      [this, picture](const QString& file) { picture ? savePicture(file) : saveCsv(file); }, name);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilter(picture ? tr("Picture (*.png)") : tr("CSV (*.csv)"));
  dialog->setDefaultSuffix(picture ? QStringLiteral("png") : QStringLiteral("csv"));
  dialog->open();
}

void SweepView::saveCsv(const QString& file) {
  if (!m_table) return;
  inBackground(
      this,
      [file, table = m_table]() -> QString {
        const QByteArray text = table->asCsv().toUtf8();
        QSaveFile out(file);
        const bool ok =
            out.open(QIODevice::WriteOnly) && out.write(text) == text.size() && out.commit();
        return ok ? QString() : tr("%1 cannot be written: %2").arg(file, out.errorString());
      },
      [this, file](const QString& error) {
        if (error.isEmpty()) return m_studio.navigator.toast(tr("Saved %1").arg(file));
        m_studio.navigator.notify(QStringLiteral("error"), error);
      });
}

void SweepView::savePicture(const QString& file) {
  const QImage image = m_plots->grab().toImage();
  inBackground(
      this, [file, image] { return chart::writePicture(image, file); },
      [this, file](const QString& error) {
        if (error.isEmpty()) return m_studio.navigator.toast(tr("Saved %1").arg(file));
        m_studio.navigator.notify(QStringLiteral("error"), error);
      });
}

}  // namespace tessera::ui
