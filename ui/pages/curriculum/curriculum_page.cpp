// SPDX-License-Identifier: MIT
#include "ui/pages/curriculum/curriculum_page.h"

#include <QGridLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QScrollArea>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "core/spec/spec_table.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/pages/curriculum/curriculum_view.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/spec/field_row.h"
#include "ui/widgets/spec/problem_text.h"
#include "ui/widgets/spec/rate_editor.h"

namespace tessera::ui {

namespace {
QString word(const std::string& text) {
  return QString::fromStdString(text);
}

std::string freeName(const std::string& name, const std::vector<CurriculumStage>& stages) {
  for (int n = 2;; ++n) {
    const std::string free = name + '-' + std::to_string(n);
    const bool taken = std::any_of(stages.begin(), stages.end(),
                                   [&](const CurriculumStage& s) { return s.name == free; });
    if (!taken) return free;
  }
}
}  // namespace

CurriculumPage::CurriculumPage(Studio& studio, QWidget* parent)
    : DraftPage(studio, tr("There is no spec yet whose curriculum could be shown."),
                QStringLiteral("curriculum"), parent) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  auto* body = new QVBoxLayout(m_body);
  body->setContentsMargins(0, 0, 0, 0);
  body->setSpacing(0);
  body->addWidget(makeTop());
  body->addWidget(separator(Qt::Horizontal, m_body));
  m_view = new CurriculumView(m_body);
  m_table = new QTableWidget(m_body);
  m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->verticalHeader()->hide();
  m_table->setAccessibleName(tr("Stages as a table"));
  m_stack = new QStackedWidget(m_body);
  m_stack->addWidget(m_view);
  m_stack->addWidget(m_table);
  auto* upper = new QWidget(m_body);
  auto* upperLayout = new QVBoxLayout(upper);
  upperLayout->setContentsMargins(0, 0, 0, 0);
  upperLayout->setSpacing(0);
  m_readout = new TextLabel({}, theme::TextSize::Caption, upper);
  m_readout->setTone(TextLabel::Tone::Secondary)->setTabular();
  m_readout->setContentsMargins(theme::kGrid * 2, theme::kHalf, theme::kGrid * 2, theme::kHalf);
  upperLayout->addWidget(m_readout);
  upperLayout->addWidget(m_stack, 1);
  auto* down = new QSplitter(Qt::Vertical, m_body);
  down->addWidget(upper);
  down->addWidget(makeStagePanel());
  down->setStretchFactor(0, 3);
  down->setStretchFactor(1, 1);
  down->setSizes({420, 220});
  down->setChildrenCollapsible(false);
  body->addWidget(down, 1);
  layout->addWidget(m_body, 1);
  layout->addWidget(m_empty, 1);

  connect(m_view, &CurriculumView::readout, m_readout, &QLabel::setText);
  connect(m_view, &CurriculumView::selectedChanged, this, &CurriculumPage::showStage);
  connect(m_view, &CurriculumView::lengthDragged, this, &CurriculumPage::setLength);
  connect(m_table, &QTableWidget::currentCellChanged, this,
          [this](int row) { m_view->select(row); });
  connect(&m_draft, &DraftSpec::changed, this, &CurriculumPage::refresh);
  addCommand(tr("Add a stage"), "plus", {}, [this] { addStage(); });
  addUndoCommands();
  addCommand(tr("Show the curriculum as a table"), "table", {}, [this] { m_asTable->toggle(); });
  refresh();
}

void CurriculumPage::open(const Location& location) {
  const QString preset = location.arguments.value(QStringLiteral("preset"));
  if (!preset.isEmpty() && preset != m_draft.origin().name) m_draft.loadPreset(preset);
  bool given = false;
  const int stage = location.arguments.value(QStringLiteral("stage")).toInt(&given);
  if (given) m_view->select(stage);
}

Location CurriculumPage::location() const {
  Location here{QStringLiteral("curriculum"), {}, {}};
  if (m_draft.loaded() && m_view->selected() > 0) {
    here.arguments[QStringLiteral("stage")] = QString::number(m_view->selected());
  }
  return here;
}

// ---- Parts --------------------------------------------------------------------------------------

QWidget* CurriculumPage::makeTop() {
  auto* top = new QWidget(m_body);
  auto* row = new QHBoxLayout(top);
  row->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, theme::kGrid);
  row->setSpacing(theme::kGrid);
  auto* back = new QPushButton(theme::icon(QStringLiteral("configure")), tr("Configure"), top);
  back->setToolTip(tr("To the whole spec, its plan and Launch"));
  m_summary = new TextLabel({}, theme::TextSize::Body, top);
  m_summary->setTone(TextLabel::Tone::Secondary)->setTabular();
  m_asTable = iconButton(QStringLiteral("table"), tr("Show as table"), top);
  m_asTable->setCheckable(true);
  m_add = new QPushButton(theme::icon(QStringLiteral("plus")), tr("Add a stage"), top);
  row->addWidget(back);
  row->addWidget(m_summary, 1);
  addUndoButtons(row);
  row->addWidget(m_asTable);
  row->addWidget(m_add);
  connect(back, &QPushButton::clicked, this, [this] {
    studio().navigator.open({QStringLiteral("configure"), {}, {}});
  });
  connect(m_asTable, &QToolButton::toggled, this,
          [this](bool table) { m_stack->setCurrentIndex(table ? 1 : 0); });
  connect(m_add, &QPushButton::clicked, this, &CurriculumPage::addStage);
  return top;
}

QWidget* CurriculumPage::makeStagePanel() {
  auto* panel = new QWidget(m_body);
  auto* layout = new QVBoxLayout(panel);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(separator(Qt::Horizontal, panel));
  auto* head = new QHBoxLayout;
  head->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, 0);
  m_stageTitle = new TextLabel({}, theme::TextSize::Heading, panel);
  m_left = iconButton(QStringLiteral("chevron-left"), tr("Move earlier"), panel);
  m_right = iconButton(QStringLiteral("chevron-right"), tr("Move later"), panel);
  m_copy = iconButton(QStringLiteral("copy"), tr("Duplicate the stage"), panel);
  m_remove = iconButton(QStringLiteral("trash"), tr("Remove the stage"), panel);
  head->addWidget(m_stageTitle, 1);
  for (QToolButton* button : {m_left, m_right, m_copy, m_remove}) head->addWidget(button);
  layout->addLayout(head);
  m_problem = new TextLabel({}, theme::TextSize::Caption, panel);
  m_problem->setTone(TextLabel::Tone::Bad)->setWrapped();
  m_problem->setContentsMargins(theme::kGrid * 2, 0, theme::kGrid * 2, 0);
  m_problem->hide();
  layout->addWidget(m_problem);
  auto* scroll = new QScrollArea(panel);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setWidgetResizable(true);
  m_fieldBox = new QWidget;
  m_fields = new QGridLayout(m_fieldBox);
  m_fields->setContentsMargins(theme::kGrid * 2, theme::kHalf, theme::kGrid * 2, theme::kGrid * 2);
  m_fields->setHorizontalSpacing(theme::kGrid * 3);
  m_fields->setVerticalSpacing(0);
  m_fieldBox->setMaximumWidth(1120);
  scroll->setWidget(m_fieldBox);
  layout->addWidget(scroll, 1);
  panel->setMinimumHeight(140);
  connect(m_left, &QToolButton::clicked, this, [this] { move(-1); });
  connect(m_right, &QToolButton::clicked, this, [this] { move(1); });
  connect(m_copy, &QToolButton::clicked, this, &CurriculumPage::duplicate);
  connect(m_remove, &QToolButton::clicked, this, &CurriculumPage::removeStage);
  return panel;
}

// ---- Following the draft ------------------------------------------------------------------------

void CurriculumPage::refresh() {
  showBody();
  if (!m_draft.loaded()) return;
  const bool shown = m_view->setSpec(m_draft.spec());
  m_view->sayAgain();  // what it said was of the values before
  if (const Curriculum* curriculum = m_view->curriculum()) {
    m_summary->setText(tr("%1, %2 steps, %3")
                           .arg(curriculum->stages() == 1
                                    ? tr("1 stage")
                                    : tr("%1 stages").arg(curriculum->stages()),
                                numbers::whole(curriculum->total_steps()),
                                numbers::tokens(static_cast<double>(curriculum->total_tokens()))));
  }
  QString problem;
  std::vector<Problem> problems = m_draft.problems();
  for (const auto& [path, refused] : m_draft.refused()) problems.push_back(refused.problem);
  for (const Problem& p : problems) {
    if (p.severity == Severity::Error && p.key.starts_with("curriculum")) {
      problem = problemText(p);
      break;
    }
  }
  if (!shown && problem.isEmpty()) problem = tr("The curriculum is not complete.");
  m_problem->setText(problem);
  m_problem->setVisible(!problem.isEmpty());
  showStage();
  showTable();
  showButtons();
}

void CurriculumPage::showStage() {
  const int stage = m_view->selected();
  const auto& stages = m_draft.spec().curriculum;
  if (stage < 0 || stage >= static_cast<int>(stages.size())) return;
  m_stageTitle->setText(tr("Stage %1 of %2: %3")
                            .arg(stage + 1)
                            .arg(stages.size())
                            .arg(word(stages[static_cast<std::size_t>(stage)].name)));
  if (stage == m_shownStage) {
    for (FieldRow* row : m_rows) row->refresh();
    if (m_rate) m_rate->refresh();
  } else {
    for (FieldRow* row : m_rows) row->deleteLater();
    if (m_rate) m_rate->deleteLater();
    m_rows.clear();
    m_shownStage = stage;
    const std::string prefix = "curriculum[" + std::to_string(stage) + "].";
    const spec::Key* list = spec::find_key("curriculum");
    int at = 0;
    for (const spec::Key& key : list->child->keys) {
      if (!key.is_plain()) continue;
      auto* row = new FieldRow(m_draft, prefix + key.name, key, m_fieldBox);
      m_fields->addWidget(row, at / 2, at % 2, Qt::AlignTop);
      m_rows.push_back(row);
      connect(row, &FieldRow::fixed, this, [this](const PlanProblem& problem) {
        if (problem.fix) m_draft.apply(problem.problem, *problem.fix);
      });
      ++at;
    }
    m_rate = new RateEditor(m_draft, prefix + "learning_rate", stage, m_fieldBox);
    m_rate->setContentsMargins(theme::kGrid * 2, theme::kHalf, 0, 0);
    m_fields->addWidget(m_rate, (at + 1) / 2, 0, 1, 2, Qt::AlignLeft | Qt::AlignTop);
    m_fields->setRowStretch((at + 1) / 2 + 1, 1);
    Q_EMIT locationChanged();
  }
  showButtons();
}

void CurriculumPage::showTable() {
  const Curriculum* curriculum = m_view->curriculum();
  const auto& stages = m_draft.spec().curriculum;
  if (!curriculum || curriculum->stages() != static_cast<int>(stages.size())) return;
  const QStringList heads = {
      tr("stage"), tr("first step"),  tr("steps"),      tr("tokens"),     tr("sequence length"),
      tr("batch"), tr("rate at end"), tr("bias speed"), tr("MTP lambda"), tr("YaRN factor")};
  m_table->setColumnCount(static_cast<int>(heads.size()));
  m_table->setHorizontalHeaderLabels(heads);
  m_table->setRowCount(curriculum->stages());
  for (int i = 0; i < curriculum->stages(); ++i) {
    const CurriculumStep first = curriculum->at_step(curriculum->first_step(i));
    const CurriculumStep last = curriculum->at_step(curriculum->first_step(i + 1) - 1);
    const QStringList cells = {
        word(stages[static_cast<std::size_t>(i)].name),
        numbers::whole(first.step),
        numbers::whole(last.step - first.step + 1),
        numbers::count(static_cast<double>(last.tokens + last.step_tokens() - first.tokens)),
        numbers::whole(first.sequence_length),
        numbers::whole(last.batch_sequences),
        numbers::number(last.learning_rate, 3),
        numbers::number(last.bias_speed, 3),
        numbers::number(last.mtp_lambda, 3),
        numbers::number(last.yarn_factor, 3)};
    for (int column = 0; column < cells.size(); ++column) {
      auto* item = new QTableWidgetItem(cells[column]);
      if (column > 0) item->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
      m_table->setItem(i, column, item);
    }
  }
  m_table->resizeColumnsToContents();
}

void CurriculumPage::showButtons() {
  showUndo();
  const int stage = m_view->selected(), count = static_cast<int>(m_draft.spec().curriculum.size());
  setEnabledBecause(m_left, stage > 0, tr("It is the first"));
  setEnabledBecause(m_right, stage + 1 < count, tr("It is the last"));
  setEnabledBecause(m_remove, count > 1, tr("A run needs at least one stage"));
}

// ---- Changes ------------------------------------------------------------------------------------

void CurriculumPage::setLength(int stage, std::int64_t length) {
  m_draft.change(
      tr("Change the length of stage %1").arg(stage + 1),
      "curriculum[" + std::to_string(stage) + "]." +
          (m_draft.spec().curriculum.at(static_cast<std::size_t>(stage)).steps > 0 ? "steps"
                                                                                   : "tokens"),
      QStringLiteral("length-%1").arg(stage), [stage, length](RunSpec& spec) {
        CurriculumStage& s = spec.curriculum.at(static_cast<std::size_t>(stage));
        (s.steps > 0 ? s.steps : s.tokens) = length;
      });
}

/// After the selected one, going on with its last rate.
void CurriculumPage::addStage() {
  const int at = m_view->selected();
  const Curriculum* curriculum = m_view->curriculum();
  const double rate =
      curriculum ? curriculum->at_step(curriculum->first_step(at + 1) - 1).learning_rate : 1e-4;
  m_draft.change(tr("Add a stage"), "curriculum", {}, [&](RunSpec& spec) {
    CurriculumStage fresh = spec.curriculum.at(static_cast<std::size_t>(at));
    fresh.name = freeName("stage", spec.curriculum);
    fresh.batch_ramp_from = fresh.batch_ramp_tokens = 0;
    fresh.learning_rate = {RatePiece{.kind = RateKind::Constant, .to = rate}};
    spec.curriculum.insert(spec.curriculum.begin() + at + 1, fresh);
  });
  m_view->select(at + 1);
}

void CurriculumPage::duplicate() {
  const int at = m_view->selected();
  m_draft.change(tr("Duplicate a stage"), "curriculum", {}, [at](RunSpec& spec) {
    CurriculumStage twin = spec.curriculum.at(static_cast<std::size_t>(at));
    twin.name = freeName(twin.name, spec.curriculum);
    spec.curriculum.insert(spec.curriculum.begin() + at + 1, twin);
  });
  m_view->select(at + 1);
}

void CurriculumPage::removeStage() {
  const int at = m_view->selected();
  m_draft.change(tr("Remove a stage"), "curriculum", {},
                 [at](RunSpec& spec) { spec.curriculum.erase(spec.curriculum.begin() + at); });
}

void CurriculumPage::move(int by) {
  const int at = m_view->selected();
  m_draft.change(tr("Move a stage"), "curriculum", {}, [at, by](RunSpec& spec) {
    std::swap(spec.curriculum.at(static_cast<std::size_t>(at)),
              spec.curriculum.at(static_cast<std::size_t>(at + by)));
  });
  m_view->select(at + by);
}

}  // namespace tessera::ui
