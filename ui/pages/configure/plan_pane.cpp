// SPDX-License-Identifier: MIT
#include "ui/pages/configure/plan_pane.h"

#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "ui/bridge/draft/machine_speed.h"
#include "ui/pages/configure/bar_list.h"
#include "ui/pages/configure/cost_chart.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/glossary.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/spec/field_row.h"

namespace tessera::ui {

namespace {
QString plainText(const std::string& text) {
  return QString::fromStdString(text);
}

QDoubleSpinBox* spinBox(const QString& name, double most, int decimals, QWidget* parent) {
  auto* box = new QDoubleSpinBox(parent);
  box->setAccessibleName(name);
  box->setRange(0, most);
  box->setDecimals(decimals);
  box->setKeyboardTracking(false);
  box->setFocusPolicy(Qt::StrongFocus);
  box->setFont(theme::font(theme::TextSize::Body, true));
  return box;
}

QString basisWord(SpeedBasis basis) {
  switch (basis) {
    case SpeedBasis::Measured:
      return PlanPane::tr("measured");
    case SpeedBasis::Estimate:
      return PlanPane::tr("estimate");
    case SpeedBasis::Published:
      return PlanPane::tr("published by others");
    case SpeedBasis::Given:
      return PlanPane::tr("given");
    default:
      return PlanPane::tr("not measured");
  }
}
}  // namespace

PlanPane::PlanPane(PlanService& service, MachineSpeed& speed, QWidget* parent)
    : QWidget(parent), m_service(service), m_statusIcon(new IconLabel(theme::kIcon, this)) {
  auto* head = new QHBoxLayout;
  head->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, theme::kGrid);
  m_status = new TextLabel({}, theme::TextSize::Heading, this);
  m_status->setObjectName(QStringLiteral("plan-status"));
  head->setSpacing(theme::kGrid);
  head->addWidget(m_statusIcon);
  head->addWidget(m_status, 1);

  auto* inside = new QWidget;
  auto* all = new QVBoxLayout(inside);
  all->setContentsMargins(theme::kGrid * 2, 0, theme::kGrid * 2, theme::kGrid * 2);
  all->setSpacing(0);
  m_problemRows = new QVBoxLayout;
  m_problemRows->setSpacing(theme::kHalf);
  all->addLayout(m_problemRows);
  m_numbers = new QWidget(inside);
  m_column = new QVBoxLayout(m_numbers);
  m_column->setContentsMargins(0, 0, 0, 0);
  m_column->setSpacing(theme::kHalf);
  all->addWidget(m_numbers);
  all->addStretch(1);

  buildNeeds();
  buildSpeed(speed);
  buildCost();

  auto* scroll = new QScrollArea(this);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setWidgetResizable(true);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setWidget(inside);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(head);
  layout->addWidget(scroll, 1);
  setMinimumWidth(264);

  connect(&m_service, &PlanService::ready, this, &PlanPane::show);
  connect(&m_service, &PlanService::pendingChanged, this, &PlanPane::showStatus);
  m_numbers->hide();
  showStatus();
}

void PlanPane::buildNeeds() {
  QVBoxLayout* parameters = part(tr("Parameters"), QStringLiteral("parameters"));
  m_total = value(parameters, tr("in all"));
  m_active = value(parameters, tr("active per token"));
  m_groups = new BarList(tr("Parameters by group"), m_numbers);
  parameters->addWidget(m_groups);

  QVBoxLayout* memory = part(tr("Memory of a rank"), QStringLiteral("memory"));
  m_memory = value(memory, tr("needed"));
  m_terms = new BarList(tr("Memory by term"), m_numbers);
  memory->addWidget(m_terms);
  auto* limit = new QHBoxLayout;
  limit->addWidget(new TextLabel(tr("available"), theme::TextSize::Body, m_numbers), 1);
  m_memoryLimit = spinBox(tr("Memory that a rank may use, in GB"), 1e6, 1, m_numbers);
  m_memoryLimit->setSpecialValueText(tr("this machine's"));
  m_memoryLimit->setSuffix(tr(" GB"));
  limit->addWidget(m_memoryLimit);
  memory->addLayout(limit);
  m_memoryNote = new TextLabel({}, theme::TextSize::Caption, m_numbers);
  m_memoryNote->setTone(TextLabel::Tone::Secondary)->setWrapped();
  memory->addWidget(m_memoryNote);
  m_disk = value(memory, tr("a checkpoint on disk"));
  connect(m_memoryLimit, &QDoubleSpinBox::valueChanged, this, &PlanPane::assumptionsChanged);
  m_recompute = new BarList(tr("What recomputation saves"), m_numbers);
  part(tr("Recomputation"), QStringLiteral("recomputation"))->addWidget(m_recompute);
  m_cache = value(part(tr("Cache per token"), QStringLiteral("kv-cache")), tr("values"));
}

void PlanPane::buildSpeed(MachineSpeed& speed) {
  QVBoxLayout* rates = part(tr("Speed"), QStringLiteral("tokens-per-second"));
  m_operations = value(rates, tr("operations per token"));
  m_rate = value(rates, tr("tokens/s"));
  m_step = value(rates, tr("a step"));
  m_rateNote = new TextLabel({}, theme::TextSize::Caption, m_numbers);
  m_rateNote->setTone(TextLabel::Tone::Secondary)->setWrapped();
  rates->addWidget(m_rateNote);
  m_measure = new QPushButton(tr("Measure this machine"), m_numbers);
  m_measure->setToolTip(tr("Times one large product, as `tessera bench product` does: a second"));
  rates->addWidget(m_measure, 0, Qt::AlignLeft);
  connect(m_measure, &QPushButton::clicked, this, &PlanPane::measureAsked);
  connect(&speed, &MachineSpeed::measuringChanged, this, [this](bool measuring) {
    m_measure->setText(measuring ? tr("Measuring…") : tr("Measure this machine"));
    setEnabledBecause(m_measure, !measuring, tr("It is being measured"));
  });
}

void PlanPane::buildCost() {
  QVBoxLayout* time = part(tr("Time and cost"), {});
  m_time = value(time, tr("the whole run"));
  m_stages = new BarList(tr("Time by stage"), m_numbers);
  time->addWidget(m_stages);
  auto* price = new QHBoxLayout;
  price->addWidget(new TextLabel(tr("price of a device"), theme::TextSize::Body, m_numbers), 1);
  m_price = spinBox(tr("Price of one GPU, or of this machine, for an hour, in dollars"), 1e4, 2,
                    m_numbers);
  m_price->setPrefix(tr("$ "));
  m_price->setSuffix(tr(" / h"));
  m_price->setValue(2);
  price->addWidget(m_price);
  time->addLayout(price);
  m_cost = value(time, tr("cost"));
  m_chart = new CostChart(m_numbers);
  time->addWidget(m_chart);
  connect(m_price, &QDoubleSpinBox::valueChanged, this, &PlanPane::assumptionsChanged);
}

QVBoxLayout* PlanPane::part(const QString& title, const QString& term) {
  QLabel* heading =
      term.isEmpty() ? new QLabel(title, m_numbers) : new GlossaryLabel(term, title, m_numbers);
  heading->setFont(theme::font(theme::TextSize::Body, false, true));
  heading->setContentsMargins(0, theme::kGrid * 2, 0, 0);
  m_column->addWidget(heading, 0, Qt::AlignLeft);
  auto* layout = new QVBoxLayout;
  layout->setSpacing(theme::kHalf);
  m_column->addLayout(layout);
  return layout;
}

PlanPane::Value PlanPane::value(QVBoxLayout* layout, const QString& name) {
  auto* row = new QHBoxLayout;
  row->setSpacing(theme::kGrid);
  Value made{new TextLabel({}, theme::TextSize::Body, m_numbers),
             new TextLabel(name, theme::TextSize::Body, m_numbers)};
  made.value->setTabular()->setSelectable();
  made.value->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
  made.note->setTone(TextLabel::Tone::Secondary)->setWrapped();
  made.note->setMinimumWidth(40);
  row->addWidget(made.note, 1);
  row->addWidget(made.value);
  layout->addLayout(row);
  return made;
}

double PlanPane::price() const {
  return m_price->value();
}
void PlanPane::setPrice(double perHour) {
  m_price->setValue(perHour);
}
double PlanPane::memoryGigabytes() const {
  return m_memoryLimit->value();
}
void PlanPane::setMemoryGigabytes(double gigabytes) {
  m_memoryLimit->setValue(gigabytes);
}

void PlanPane::show(const PlanPtr& plan) {
  showProblems(*plan);
  m_numbers->setVisible(plan->counted);
  if (plan->counted) {
    showParameters(*plan);
    showMemory(*plan);
    showSpeed(*plan);
  }
  showStatus();
}

void PlanPane::setPlaceFits(bool fits) {
  if (std::exchange(m_placeFits, fits) != fits) showStatus();
}

void PlanPane::showStatus() {
  const PlanPtr plan = m_service.plan();
  if (!plan || m_service.pending()) {
    m_status->setText(tr("Planning…"));
    m_status->setTone(TextLabel::Tone::Secondary);
    m_statusIcon->setName(QStringLiteral("refresh"));
    return;
  }
  const auto errors = static_cast<int>(
      std::count_if(plan->problems.begin(), plan->problems.end(),
                    [](const PlanProblem& p) { return p.problem.severity == Severity::Error; }));
  const int warnings = static_cast<int>(plan->problems.size()) - errors;
  const char* icon = errors > 0 ? "error" : warnings > 0 ? "warning" : "check";
  m_statusIcon->setName(QString::fromLatin1(icon));
  if (errors > 0) {
    m_status->setText(errors == 1 ? tr("1 problem") : tr("%1 problems").arg(errors));
    m_status->setTone(TextLabel::Tone::Bad);
  } else if (!m_placeFits) {
    m_statusIcon->setName(QStringLiteral("error"));
    m_status->setText(tr("The place does not fit"));
    m_status->setTone(TextLabel::Tone::Bad);
  } else {
    m_status->setText(warnings == 0   ? tr("Ready to launch")
                      : warnings == 1 ? tr("Ready, 1 warning")
                                      : tr("Ready, %1 warnings").arg(warnings));
    m_status->setTone(warnings > 0 ? TextLabel::Tone::Warning : TextLabel::Tone::Good);
  }
}

void PlanPane::showProblems(const Plan& plan) {
  while (m_problems.size() < plan.problems.size() && m_problems.size() < 50) {
    auto* line = new ProblemLine(this);
    connect(line, &ProblemLine::fixed, this, &PlanPane::fixed);
    connect(line, &ProblemLine::goTo, this, &PlanPane::goTo);
    m_problemRows->addWidget(line);
    m_problems.push_back(line);
  }
  for (std::size_t i = 0; i < m_problems.size(); ++i) {
    if (i < plan.problems.size()) {
      m_problems[i]->show(plan.problems[i], true);
    } else {
      m_problems[i]->hide();
    }
  }
}

void PlanPane::showParameters(const Plan& plan) {
  const ParameterPlan& p = plan.parameters;
  const auto count = [](std::int64_t n) { return numbers::count(static_cast<double>(n)); };
  m_total.value->setText(count(p.total));
  m_total.note->setText(p.mtp > 0 ? tr("in all, and %1 of MTP").arg(count(p.mtp)) : tr("in all"));
  m_active.value->setText(count(p.active));
  std::vector<BarList::Row> rows;
  for (const ParameterGroup& g : p.groups) {
    rows.push_back(
        {engineWord(g.name), count(g.total),
         tr("%1: %2, of these %3 active").arg(engineWord(g.name), count(g.total), count(g.active)),
         static_cast<double>(g.total) / static_cast<double>(p.total),
         static_cast<double>(g.active) / static_cast<double>(p.total)});
  }
  m_groups->setRows(std::move(rows));
  const CachePlan& c = plan.cache;
  m_cache.value->setText(count(c.latent));
  m_cache.note->setText(
      tr("values, %1 of standard").arg(numbers::percent(c.share_of_multi_head())));
  m_cache.note->setToolTip(
      tr("Standard multi-head attention of this shape keeps %1 values, with 8 groups of keys and "
         "values %2 (%3)")
          .arg(count(c.multi_head), count(c.grouped), numbers::percent(c.share_of_grouped())));
}

void PlanPane::showMemory(const Plan& plan) {
  const auto bytes = [](std::size_t n) { return numbers::bytes(static_cast<double>(n)); };
  m_memory.value->setText(bytes(plan.memory.total_bytes));
  const bool over = plan.memory_available && plan.memory.total_bytes > *plan.memory_available;
  m_memory.value->setTone(over ? TextLabel::Tone::Bad : TextLabel::Tone::Plain);
  m_memory.note->setText(plan.memory_available
                             ? tr("needed of %1 available").arg(bytes(*plan.memory_available))
                             : tr("needed"));
  std::vector<BarList::Row> rows;
  for (const MemoryTerm& term : plan.memory.terms) {
    rows.push_back(
        {engineWord(term.name),
         bytes(term.bytes),
         {},
         static_cast<double>(term.bytes) / static_cast<double>(plan.memory.total_bytes)});
  }
  m_terms->setRows(std::move(rows));
  QString note =
      plan.memory.exact ? tr("Exact: a dry run of the trainer's own step.") : tr("An estimate.");
  for (const std::string& text : plan.memory.notes) note += u' ' + plainText(text) + u'.';
  m_memoryNote->setText(note);
  m_disk.value->setText(bytes(plan.checkpoint_bytes));
  showRecompute(plan.memory);
}

void PlanPane::showRecompute(const MemoryPlan& memory) {
  std::vector<BarList::Row> rows;
  for (const RecomputeChoice& choice : memory.recompute) {
    const auto saved = static_cast<double>(choice.saved_bytes);
    const QString name = engineWord(choice.name),
                  amount = saved < 0 ? u'-' + numbers::bytes(-saved) : numbers::bytes(saved),
                  share = numbers::percent(choice.share_of_step);
    const double length = std::max(0.0, saved) / static_cast<double>(memory.total_bytes);
    rows.push_back({choice.chosen ? tr("%1, chosen").arg(name) : name,
                    tr("%1 for %2").arg(amount, share),
                    tr("%1 (%2): saves %3 for %4 more per token, %5 of a step")
                        .arg(name, plainText(choice.id), amount,
                             numbers::operations(choice.flops_per_token), share),
                    length, choice.chosen ? length : 0});
  }
  m_recompute->setRows(std::move(rows));
}

void PlanPane::showSpeed(const Plan& plan) {
  const SpeedPlan& s = plan.speed;
  const bool known = s.basis != SpeedBasis::None;
  m_operations.value->setText(numbers::operations(s.flops_per_token));
  m_operations.note->setToolTip(plainText(operations_formula()));
  m_operations.value->setToolTip(plainText(operations_formula()));
  m_rate.value->setText(known ? numbers::count(s.tokens_per_second) : numbers::notMeasured());
  m_rate.note->setText(s.ranks > 1
                           ? tr("tokens/s of %1 ranks, %2").arg(s.ranks).arg(basisWord(s.basis))
                           : tr("tokens/s, %1").arg(basisWord(s.basis)));
  m_step.value->setText(known ? numbers::duration(s.step_seconds) : numbers::notMeasured());
  m_rateNote->setText(plainText(s.source));
  m_measure->setVisible(s.basis == SpeedBasis::None);
  m_time.value->setText(known ? numbers::duration(s.seconds) : numbers::notMeasured());
  const QString tokens = numbers::tokens(static_cast<double>(s.tokens));
  m_time.note->setText(plan.steps_before > 0
                           ? tr("%1 steps left, %2").arg(numbers::whole(s.steps), tokens)
                           : tr("%1 steps, %2").arg(numbers::whole(s.steps), tokens));
  m_cost.value->setText(
      known ? tr("$ %1").arg(s.cost < 100 ? numbers::fixed(s.cost, 2) : numbers::count(s.cost))
            : numbers::notMeasured());
  m_cost.note->setText(known ? tr("cost of %1 device hours").arg(numbers::number(s.device_hours, 3))
                             : tr("cost"));
  m_chart->setVisible(m_chart->setPlan(s));
  showStages(s);
}

void PlanPane::showStages(const SpeedPlan& speed) {
  std::vector<BarList::Row> rows;
  const bool known = speed.basis != SpeedBasis::None;
  for (const StagePlan& stage : speed.stages) {
    if (speed.stages.size() < 2) break;
    const double share =
        known ? stage.seconds / speed.seconds
              : static_cast<double>(stage.tokens) / static_cast<double>(speed.tokens);
    rows.push_back({plainText(stage.name),
                    known ? numbers::duration(stage.seconds)
                          : numbers::tokens(static_cast<double>(stage.tokens)),
                    tr("%1: %2 steps, %3, %4 per token")
                        .arg(plainText(stage.name), numbers::whole(stage.steps),
                             numbers::tokens(static_cast<double>(stage.tokens)),
                             numbers::operations(stage.flops_per_token)),
                    share});
  }
  m_stages->setVisible(!rows.empty());
  m_stages->setRows(std::move(rows));
}

}  // namespace tessera::ui
