// SPDX-License-Identifier: MIT
#include "ui/pages/runs/run_table.h"

#include <QComboBox>
#include <QCoreApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QItemSelectionModel>
#include <QLocale>
#include <QMenu>
#include <QProxyStyle>
#include <QPushButton>
#include <QStackedWidget>
#include <QTableView>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/bridge/desktop/preferences.h"
#include "ui/pages/runs/runs_delegate.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/search_field.h"
#include "ui/widgets/state_badge.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

namespace {
constexpr int kWidths[RunsModel::ColumnCount] = {190, 112, 118, 74,  84,  76,
                                                 112, 122, 96,  130, 160, 150};
constexpr int kExtraWidth = 110, kSearchWidth = 160, kChoiceLetters = 11;
constexpr const char *kHeaderKey = "runs/columns", *kCountKey = "runs/columns_count";

/// What the longest word for a state takes, in the language at hand.
int widestState() {
  int widest = 0;
  for (int state = 0; state <= static_cast<int>(RunState::LostContact); ++state) {
    widest = std::max(widest, StateBadge(static_cast<RunState>(state)).sizeHint().width());
  }
  return widest + 2 * theme::kGrid;
}

/// What can be chosen as a state: a word and the states that it stands for.
struct StateChoice {
  const char* title;
  QSet<int> states;
  bool archived = false;
};
const std::vector<StateChoice>& stateChoices() {
  const auto n = [](RunState s) { return static_cast<int>(s); };
  using S = RunState;
  static const std::vector<StateChoice> choices = {
      {QT_TRANSLATE_NOOP("RunTable", "Every state"), {}},
      {QT_TRANSLATE_NOOP("RunTable", "Live"),
       {n(S::Checking), n(S::Queued), n(S::Starting), n(S::Running), n(S::Saving), n(S::Paused),
        n(S::Stopping)}},
      {QT_TRANSLATE_NOOP("RunTable", "Finished"), {n(S::Finished)}},
      {QT_TRANSLATE_NOOP("RunTable", "Stopped"), {n(S::Stopped)}},
      {QT_TRANSLATE_NOOP("RunTable", "Failed"), {n(S::Failed)}},
      {QT_TRANSLATE_NOOP("RunTable", "Lost contact"), {n(S::LostContact)}},
      {QT_TRANSLATE_NOOP("RunTable", "Draft"), {n(S::Draft)}},
      {QT_TRANSLATE_NOOP("RunTable", "Archived"), {}, true},
  };
  return choices;
}

class PaddedHeader : public QProxyStyle {
 public:
  PaddedHeader() : QProxyStyle(QStringLiteral("Fusion")) {}
  int pixelMetric(PixelMetric metric, const QStyleOption* option,
                  const QWidget* widget) const override {
    return metric == PM_HeaderMargin ? theme::kGrid
                                     : QProxyStyle::pixelMetric(metric, option, widget);
  }
};

QString csvField(QString text) {
  if (!text.contains(',') && !text.contains('"') && !text.contains('\n')) return text;
  return '"' + text.replace("\"", "\"\"") + '"';
}
}  // namespace

RunTable::RunTable(Studio& studio, QWidget* parent)
    : QWidget(parent), m_studio(studio), m_proxy(m_model), m_clock(new QTimer(this)) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(theme::kGrid);
  column->addWidget(buildFilters());
  m_stack = new QStackedWidget(this);
  column->addWidget(m_stack, 1);
  buildView();
  buildEmptyStates();

  m_clock->setInterval(1000);
  connect(m_clock, &QTimer::timeout, this, [this] { m_model.tick(); });
  connect(&m_proxy, &QAbstractItemModel::modelAboutToBeReset, this, [this] { m_restoring = true; });
  connect(&m_proxy, &QAbstractItemModel::modelReset, this, [this] { restoreSelection(); });
  connect(&m_model, &RunsModel::edited, this,
          [this](const QString& id, int what, const QVariant& value) {
            RunStore& runs = m_studio.runs;
            if (what == RunsModel::Name) runs.setName(id, value.toString());
            if (what == RunsModel::Tags) runs.setTags(id, value.toStringList());
            if (what == RunsModel::Notes) runs.setNotes(id, value.toString());
          });
  connect(&studio.runs, &RunStore::runsChanged, this, [this] { takeRows(); });
  takeRows();
  studio.runs.setColumns(m_model.extraColumns());
  fillGroups();
  setGroup(studio.preferences.value(kGroupKey).toString());
}

RunTable::~RunTable() {
  m_view->removeEventFilter(this);
  keepHeader();
}

void RunTable::keepHeader() {
  m_studio.preferences.setValue(kHeaderKey, m_view->horizontalHeader()->saveState());
  m_studio.preferences.setValue(kCountKey, m_model.columnCount());
}

QWidget* RunTable::buildFilters() {
  auto* bar = new QWidget(this);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kGrid);
  m_search = new SearchField(tr("Search name, tags, notes, state"), 120, bar);
  m_search->setAccessibleName(tr("Search runs"));
  m_search->setToolTip(
      tr("Words, or conditions on columns that the table has: loss<3, hidden_size>=256, "
         "state=failed"));
  m_state = new QComboBox(bar);
  m_state->setAccessibleName(tr("State"));
  for (const StateChoice& choice : stateChoices()) {
    m_state->addItem(QCoreApplication::translate("RunTable", choice.title),
                     QLatin1String(choice.title));
  }
  m_tag = new QComboBox(bar);
  m_tag->setAccessibleName(tr("Tag"));
  m_group = new QComboBox(bar);
  m_group->setAccessibleName(tr("Group by"));
  m_group->setToolTip(tr("Runs with the same value of a column stand together"));
  // Long words are read whole in the list; the search keeps room to type.
  for (QComboBox* box : {m_tag, m_group}) {
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(kChoiceLetters);
  }
  m_filters = iconButton(QStringLiteral("star"), tr("Saved filters"), bar);
  m_filters->setPopupMode(QToolButton::InstantPopup);
  auto* saved = new QMenu(m_filters);
  m_filters->setMenu(saved);
  connect(saved, &QMenu::aboutToShow, this, [this, saved] { fillFilters(*saved); });
  m_columns = iconButton(QStringLiteral("table"), tr("Columns of the table"), bar);
  connect(m_columns, &QToolButton::clicked, this, [this] { chooseColumns(); });
  m_count = new TextLabel({}, theme::TextSize::Caption, bar);
  m_count->setTone(TextLabel::Tone::Secondary)->setTabular();
  row->addWidget(m_search, 1);
  row->addWidget(m_state);
  row->addWidget(m_tag);
  row->addWidget(m_group);
  row->addStretch();
  row->addWidget(m_filters);
  row->addWidget(m_columns);
  row->addWidget(m_count);
  m_search->setMinimumWidth(kSearchWidth);
  m_search->setMaximumWidth(420);
  connect(m_search, &SearchField::searched, this, [this] { applyFilter(); });
  connect(m_state, &QComboBox::currentIndexChanged, this, [this] { applyFilter(); });
  connect(m_tag, &QComboBox::currentIndexChanged, this, [this] { applyFilter(); });
  connect(m_group, &QComboBox::currentIndexChanged, this,
          [this] { setGroup(m_group->currentData().toString()); });
  return bar;
}

void RunTable::buildView() {
  m_model.setExtraColumns(m_studio.preferences.value(kExtraKey).toStringList());
  m_view = new QTableView(this);
  m_view->setModel(&m_proxy);
  m_view->setItemDelegate(new RunsDelegate(m_view));
  m_view->setAccessibleName(tr("Runs"));
  enableCopy(m_view);
  m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_view->setSelectionMode(QAbstractItemView::ExtendedSelection);
  m_view->setEditTriggers(QAbstractItemView::EditKeyPressed);
  m_view->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  m_view->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
  m_view->setShowGrid(false);
  m_view->setWordWrap(false);
  m_view->setTabKeyNavigation(false);
  m_view->setContextMenuPolicy(Qt::CustomContextMenu);
  m_view->verticalHeader()->hide();
  m_view->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  m_view->verticalHeader()->setDefaultSectionSize(theme::kRowHeight + theme::kHalf);
  QHeaderView* header = m_view->horizontalHeader();
  header->setHighlightSections(false);
  header->setStretchLastSection(true);
  // Titles begin where cells do.
  auto* style = new PaddedHeader;
  style->setParent(header);
  header->setStyle(style);
  header->setSectionsMovable(true);
  header->setFirstSectionMovable(false);
  header->setContextMenuPolicy(Qt::CustomContextMenu);
  for (int c = 0; c < m_model.columnCount(); ++c) {
    m_view->setColumnWidth(c, c < RunsModel::ColumnCount ? kWidths[c] : kExtraWidth);
  }
  const int state = widestState();
  m_view->setColumnWidth(RunsModel::State, std::max(kWidths[RunsModel::State], state));
  header->setSortIndicator(RunsModel::Created, Qt::DescendingOrder);
  m_view->setSortingEnabled(true);
  const QByteArray kept = m_studio.preferences.value(kHeaderKey).toByteArray();
  // NOTE: a header takes the state of one with another number of columns, and is broken then.
  const int columns = m_studio.preferences.value(kCountKey, int(RunsModel::ColumnCount)).toInt();
  if (!kept.isEmpty() && columns == m_model.columnCount() && header->restoreState(kept)) {
    m_proxy.sort(header->sortIndicatorSection(), header->sortIndicatorOrder());
    // The widths may have been kept in another language.
    if (m_view->columnWidth(RunsModel::State) < state &&
        !m_view->isColumnHidden(RunsModel::State)) {
      m_view->setColumnWidth(RunsModel::State, state);
    }
  }
  connect(header, &QWidget::customContextMenuRequested, this,
          [this](const QPoint& at) { headerMenu(at); });
  m_view->installEventFilter(this);
  connect(m_view, &QAbstractItemView::clicked, this, [this](const QModelIndex& index) {
    if (m_proxy.isGroup(index.row())) m_proxy.setOpen(index.row(), !m_proxy.isOpen(index.row()));
  });
  connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this,
          [this] { rememberSelection(); });
  connect(m_view->selectionModel(), &QItemSelectionModel::currentChanged, this,
          [this] { rememberSelection(); });
  connect(m_view, &QAbstractItemView::activated, this, [this](const QModelIndex& index) {
    if (m_proxy.isGroup(index.row())) return;
    const bool words = index.column() == RunsModel::Tags || index.column() == RunsModel::Notes;
    if (words && index.flags() & Qt::ItemIsEditable) {
      m_view->edit(index);
    } else {
      Q_EMIT openRequested(m_proxy.id(index.row()));
    }
  });
  connect(m_view, &QWidget::customContextMenuRequested, this,
          [this](const QPoint& at) { Q_EMIT menuRequested(m_view->viewport()->mapToGlobal(at)); });
}

void RunTable::buildEmptyStates() {
  m_none =
      new EmptyState(tr("No runs yet. A run is one training, from its spec to its checkpoints."),
                     tr("Configure a run"), QStringLiteral("runs"), this);
  m_noMatch = new EmptyState(tr("No run matches the filter."), tr("Show all runs"),
                             QStringLiteral("filter"), this);
  m_loading = new TextLabel(tr("Looking for runs…"), theme::TextSize::Body, this);
  m_loading->setTone(TextLabel::Tone::Secondary);
  m_loading->setAlignment(Qt::AlignCenter);
  for (QWidget* w : std::initializer_list<QWidget*>{m_loading, m_view, m_none, m_noMatch}) {
    m_stack->addWidget(w);
  }
  connect(m_none, &EmptyState::pressed, this, [this] {
    m_studio.navigator.open({QStringLiteral("configure"), {}, {}});
  });
  connect(m_noMatch, &EmptyState::pressed, this, [this] {
    if (m_proxy.noColumn().isEmpty()) return clearFilter();
    chooseColumns();
  });
}

void RunTable::takeRows() {
  m_model.setRows(m_studio.runs.runs());
  fillTags();
  showCount();
}

void RunTable::fillTags() {
  QStringList words = {tr("Every tag")};
  words += m_model.allTags();
  QStringList shown;
  for (int i = 0; i < m_tag->count(); ++i) shown << m_tag->itemText(i);
  if (words == shown) return;
  const QString chosen = m_tag->currentIndex() > 0 ? m_tag->currentText() : QString();
  {
    const QSignalBlocker quiet(m_tag);
    m_tag->clear();
    m_tag->addItems(words);
    m_tag->setCurrentIndex(std::max(0, m_tag->findText(chosen)));
  }
  setEnabledBecause(m_tag, words.size() > 1, tr("No run has a tag yet"));
  applyFilter();
}

void RunTable::applyFilter() {
  const StateChoice& choice =
      stateChoices()[static_cast<std::size_t>(std::max(0, m_state->currentIndex()))];
  m_proxy.setFilter({.words = m_search->text(),
                     .states = choice.states,
                     .tag = m_tag->currentIndex() > 0 ? m_tag->currentText() : QString(),
                     .archived = choice.archived});
  showCount();
}

void RunTable::clearFilter() {
  m_search->clear();
  m_state->setCurrentIndex(0);
  m_tag->setCurrentIndex(0);
  applyFilter();
  m_view->setFocus();
}

void RunTable::showCount() {
  const int all = m_model.rowCount(), shown = m_proxy.shownRuns();
  m_count->setText(shown == all
                       ? tr("%n runs", nullptr, all)
                       : tr("%1 of %2 runs").arg(numbers::whole(shown), numbers::whole(all)));
  const QString& missing = m_proxy.noColumn();
  m_noMatch->setSentence(
      missing.isEmpty()
          ? tr("No run matches the filter.")
          : tr("The table has no column “%1”, so that nothing can be asked of it.").arg(missing));
  m_noMatch->setButton(missing.isEmpty() ? tr("Show all runs") : tr("Choose columns"));
  m_stack->setCurrentWidget(shown > 0                 ? static_cast<QWidget*>(m_view)
                            : !m_studio.runs.loaded() ? static_cast<QWidget*>(m_loading)
                            : all == 0                ? static_cast<QWidget*>(m_none)
                                                      : static_cast<QWidget*>(m_noMatch));
}

void RunTable::rememberSelection() {
  if (m_restoring) return;
  QStringList ids;
  for (const QModelIndex& row : m_view->selectionModel()->selectedRows()) {
    if (!m_proxy.isGroup(row.row())) ids << m_proxy.id(row.row());
  }
  const QModelIndex current = m_view->currentIndex();
  m_currentId = current.isValid() ? m_proxy.id(current.row()) : QString();
  m_currentColumn = std::max(0, current.column());
  if (ids == m_selected) return;
  m_selected = ids;
  Q_EMIT selectionChanged();
}

/// The table is new: what was selected is looked for again.
void RunTable::restoreSelection() {
  const QStringList wanted = m_selected;
  const int row = m_proxy.rowOf(m_currentId);
  QItemSelection rows;
  for (const QString& id : wanted) {
    const int r = m_proxy.rowOf(id);
    if (r >= 0) rows.select(m_proxy.index(r, 0), m_proxy.index(r, m_proxy.columnCount() - 1));
  }
  auto* selection = m_view->selectionModel();
  if (row >= 0) {
    selection->setCurrentIndex(m_proxy.index(row, m_currentColumn), QItemSelectionModel::NoUpdate);
  }
  selection->select(rows, QItemSelectionModel::ClearAndSelect);
  m_restoring = false;
  rememberSelection();
}

QStringList RunTable::selected() const {
  std::vector<int> rows;
  for (const QString& id : m_selected) {
    const int row = m_proxy.rowOf(id);
    if (row >= 0) rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end());
  QStringList ids;
  for (const int row : rows) ids << m_proxy.id(row);
  return ids;
}

void RunTable::select(const QStringList& ids) {
  const auto hidden = [this](const QString& id) { return m_proxy.rowOf(id) < 0; };
  if (m_proxy.group() >= 0 && std::any_of(ids.begin(), ids.end(), hidden)) {
    m_proxy.setAllOpen(true);
  }
  m_selected = ids;
  m_currentId = ids.value(0);
  m_restoring = true;
  restoreSelection();
  const int row = m_proxy.rowOf(m_currentId);
  if (row >= 0) m_view->scrollTo(m_proxy.index(row, 0));
  Q_EMIT selectionChanged();
}

QString RunTable::current() const {
  return m_currentId;
}

void RunTable::editCell(const QString& id, RunsModel::Column column) {
  const int row = m_proxy.rowOf(id);
  if (row < 0) return;
  m_view->horizontalHeader()->setSectionHidden(column, false);
  const QModelIndex cell = m_proxy.index(row, column);
  m_view->scrollTo(cell);
  m_view->setCurrentIndex(cell);
  m_view->edit(cell);
}

QString RunTable::asCsv() const {
  QStringList lines = {
      "id,name,state,reason,step,total_steps,tokens,loss,validation_loss,tokens_per_second,created,"
      "last_word,tags,notes,parent,parent_step,folder"};
  for (const QString& key : m_model.extraColumns()) lines[0] += ',' + csvField(key);
  const auto number = [](double v) {
    return QString::number(v, 'g', QLocale::FloatingPointShortest);
  };
  for (int r = 0; r < m_proxy.rowCount(); ++r) {
    if (m_proxy.isGroup(r)) continue;
    const RunRow& run = m_proxy.run(r);
    QStringList tags, cells;
    for (const std::string& tag : run.tags) tags << QString::fromStdString(tag);
    for (const std::string_view part : {std::string_view(run.id), std::string_view(run.name),
                                        name_of(run.state), std::string_view(run.reason)}) {
      cells << csvField(QString::fromUtf8(part.data(), static_cast<qsizetype>(part.size())));
    }
    cells << QString::number(run.step) << QString::number(run.total_steps)
          << QString::number(run.tokens) << number(run.loss) << number(run.validation_loss)
          << number(run.tokens_per_second) << number(run.created) << number(run.last_word)
          << csvField(tags.join(' ')) << csvField(QString::fromStdString(run.notes))
          << csvField(QString::fromStdString(run.parent)) << QString::number(run.parent_step)
          << csvField(QString::fromStdString(run.folder.string()));
    const int source = m_proxy.mapToSource(m_proxy.index(r, 0)).row();
    for (int c = RunsModel::ColumnCount; c < m_model.columnCount(); ++c) {
      const RunCell& cell = m_model.cell(source, c);
      cells << (cell.text.empty() ? number(cell.number)
                                  : csvField(QString::fromStdString(cell.text)));
    }
    lines << cells.join(',');
  }
  return lines.join('\n') + '\n';
}

void RunTable::setActive(bool active) {
  if (active) {
    m_model.tick();
    m_clock->start();
  } else {
    m_clock->stop();
  }
}

}  // namespace tessera::ui
