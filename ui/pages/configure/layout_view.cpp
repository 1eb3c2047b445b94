// SPDX-License-Identifier: MIT
#include "ui/pages/configure/layout_view.h"

#include <QButtonGroup>
#include <QHBoxLayout>
#include <QScrollArea>
#include <QToolButton>
#include <QVBoxLayout>

#include "core/base/error.h"
#include "core/spec/batch_unit.h"
#include "core/spec/layout_choices.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/pages/configure/rank_map.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/spec/problem_text.h"

namespace tessera::ui {

namespace {
constexpr int kMostHeight = 400;  ///< the map's; more of it scrolls
constexpr std::int64_t kMostRanksDrawn = 1024;
}  // namespace

LayoutView::LayoutView(DraftSpec& draft, QWidget* parent)
    : QWidget(parent),
      m_draft(draft),
      m_summary(new TextLabel({}, theme::TextSize::Body, this)),
      m_map(new RankMap),
      m_scroll(new QScrollArea(this)),
      m_detail(new TextLabel({}, theme::TextSize::Caption, this)) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(theme::kGrid, theme::kGrid * 2, 0, theme::kGrid);
  column->setSpacing(theme::kGrid);
  column->addWidget(new TextLabel(tr("Ranks"), theme::TextSize::Heading, this));
  addChoices("parallel.pipeline", tr("Pipeline"), this);
  addChoices("parallel.data", tr("Data"), this);
  addChoices("parallel.context", tr("Context"), this);
  addChoices("parallel.expert", tr("Experts over"), this);
  m_summary->setWrapped();
  column->addWidget(m_summary);
  m_scroll->setWidget(m_map);
  m_scroll->setFrameShape(QFrame::NoFrame);
  column->addWidget(m_scroll);
  m_detail->setTone(TextLabel::Tone::Secondary);
  m_detail->setWrapped();
  column->addWidget(m_detail);
  connect(m_map, &RankMap::picked, this, [this](int rank) {
    const QPoint at = m_map->placeOf(rank);
    m_scroll->ensureVisible(at.x(), at.y(), 90, 40);
    showRank(rank);
  });
  refresh();
}

QSize LayoutView::sizeHint() const {
  const int most = width() > theme::kGrid ? width() : 600;
  return {200, layout()->hasHeightForWidth() ? layout()->totalHeightForWidth(most)
                                             : layout()->totalSizeHint().height()};
}

void LayoutView::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  tellHeight();
}

void LayoutView::tellHeight() {
  layout()->invalidate();
  if (std::exchange(m_height, sizeHint().height()) == m_height) return;
  updateGeometry();
  Q_EMIT heightChanged();
}

void LayoutView::addChoices(const std::string& key, const QString& name, QWidget* column) {
  auto* line = new QWidget(column);
  auto* row = new QHBoxLayout(line);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kHalf);
  auto* label = new TextLabel(name, theme::TextSize::Body, line);
  label->setMinimumWidth(90);
  row->addWidget(label);
  row->addStretch(1);
  m_choices[key] = row;
  column->layout()->addWidget(line);
}

/// A button for each number; those that the spec refuses say why.
void LayoutView::refreshChoices(const std::string& key) {
  const std::vector<LayoutChoice> choices = layout_choices(m_draft.spec(), key);
  const std::int64_t now = std::get<std::int64_t>(spec::get_value(m_draft.spec(), key));
  std::string made = std::to_string(now);
  for (const LayoutChoice& c : choices) {
    made += '|' + std::to_string(c.value);
    if (c.refusal) made += c.refusal->message + c.refusal->expected;
  }
  if (std::exchange(m_shown[key], made) == made) return;
  QHBoxLayout* row = m_choices.at(key);
  std::int64_t focused = -1;
  while (row->count() > 2) {
    QLayoutItem* item = row->takeAt(1);
    if (item->widget()->hasFocus()) focused = item->widget()->property("ranks").toLongLong();
    item->widget()->setObjectName({});
    item->widget()->hide();
    item->widget()->deleteLater();
    delete item;
  }
  QWidget* before = row->itemAt(0)->widget();
  delete row->parentWidget()->findChild<QButtonGroup*>();
  // A click on the one that is chosen leaves it chosen.
  auto* one = new QButtonGroup(row->parentWidget());
  for (const LayoutChoice& choice : choices) {
    auto* button = new QToolButton(row->parentWidget());
    button->setText(QString::number(choice.value));
    button->setCheckable(true);
    button->setChecked(choice.value == now);
    one->addButton(button);
    button->setFont(theme::font(theme::TextSize::Body, true));
    button->setMinimumWidth(theme::kRowHeight);
    button->setProperty("ranks", qlonglong(choice.value));
    button->setObjectName(QString::fromStdString(key) + QLatin1Char('=') + button->text());
    setEnabledBecause(button, !choice.refusal,
                      choice.refusal ? problemText(*choice.refusal) : QString());
    connect(button, &QToolButton::clicked, this, [this, key, value = choice.value] {
      m_draft.setValue(key, value);
      refresh();
    });
    row->insertWidget(row->count() - 1, button);
    QWidget::setTabOrder(before, button);
    before = button;
    if (choice.value == focused) button->setFocus();
  }
}

QString LayoutView::summary() const {
  const Mesh mesh = mesh_of(m_draft.spec().parallel);
  if (mesh.ranks() == 1) {
    return tr("One rank: a single process holds and trains all of the model.");
  }
  QStringList parts;
  if (mesh.pipeline > 1) {
    parts << tr("the layers are cut over %1 places of a pipeline (columns)").arg(mesh.pipeline);
  }
  if (mesh.data > 1) {
    parts << tr("%1 ranks share the sequences of a step (rows)").arg(mesh.data);
  }
  if (mesh.context > 1) {
    parts << tr("each sequence is cut over %1 ranks (rows)").arg(mesh.context);
  }
  if (mesh.expert > 1) {
    parts << tr("the experts of a layer are spread over %1 neighbours").arg(mesh.expert);
  }
  return tr("%1 ranks: %2.").arg(mesh.ranks()).arg(parts.join(QStringLiteral("; ")));
}

void LayoutView::refresh() {
  if (!m_draft.loaded() || !m_draft.hasValues()) return;
  const RunSpec& spec = m_draft.spec();
  for (const auto& [key, row] : m_choices) refreshChoices(key);
  const Mesh mesh = mesh_of(spec.parallel);
  std::vector<Layout> layouts;
  QString trouble;
  try {
    if (mesh.ranks() > 1 && mesh.ranks() <= kMostRanksDrawn) {
      const ModelConfig config = run_model(spec);
      for (std::int64_t rank = 0; rank < mesh.ranks(); ++rank) {
        layouts.push_back(layout_of(config, mesh, rank));
      }
    }
  } catch (const Error& error) {
    layouts.clear();
    trouble = engineWord(error.what_failed());
  }
  m_summary->setText(trouble.isEmpty() ? summary() : trouble);
  m_summary->setTone(trouble.isEmpty() ? TextLabel::Tone::Plain : TextLabel::Tone::Bad);
  m_scroll->setVisible(!layouts.empty());
  m_detail->setVisible(!layouts.empty());
  const bool drawn = !layouts.empty();
  m_map->show(mesh, run_model(spec), std::move(layouts));
  const int height = m_map->sizeHint().height();
  m_scroll->setFixedHeight(std::min(height, kMostHeight) + 2 * theme::kGrid);
  if (drawn) showRank(m_map->selected());
  tellHeight();
}

void LayoutView::setPlan(const PlanPtr& plan) {
  m_plan = plan;
  if (m_detail->isVisibleTo(this)) showRank(m_map->selected());
  tellHeight();
}

/// What a rank holds, and what it sends to whom: the borders of the cells have the colours of this.
void LayoutView::showRank(int rank) {
  const RunSpec& spec = m_draft.spec();
  const Mesh mesh = mesh_of(spec.parallel);
  std::map<RankMap::Tie, QStringList> tied;
  for (int other = 0; other < int(mesh.ranks()); ++other) {
    tied[m_map->tie(rank, other)] << QString::number(other);
  }
  const Layout held = layout_of(run_model(spec), mesh, rank);
  const QString experts = RankMap::expertsText(held);
  QStringList lines{tr("Rank %1 holds %2.")
                        .arg(rank)
                        .arg(RankMap::layersText(run_model(spec), held) +
                             (experts.isEmpty() ? QString() : QStringLiteral(", ") + experts))};
  const LinkPlan* links =
      m_plan && m_plan->links && m_plan->links->mesh == mesh ? &*m_plan->links : nullptr;
  const auto add = [&](RankMap::Tie tie, const QString& what, double bytes, int color) {
    if (tied[tie].isEmpty()) return;
    const QString sent = links ? tr(", %1 a step").arg(numbers::bytes(bytes)) : QString();
    QStringList ranks = tied[tie];
    if (ranks.size() > 8) ranks = ranks.mid(0, 7) << tr("and %1 more").arg(ranks.size() - 7);
    lines << QStringLiteral("<span style=\"color:%1\">&#9632;</span> ")
                     .arg(theme::lineColor(color).name()) +
                 what.arg(ranks.join(QStringLiteral(", "))).toHtmlEscaped() + sent;
  };
  add(RankMap::Tie::Weights, tr("Gradients and weights: to the ranks with the same layers, %1"),
      links ? links->weight_bytes : 0, 0);
  add(RankMap::Tie::Experts, tr("Tokens to other experts, and weights of all else: to ranks %1"),
      links ? links->expert_bytes : 0, 1);
  add(RankMap::Tie::Context,
      tr("Latents of the sequences that they share, and weights: to ranks %1"),
      links ? m_plan->memory.context_bytes : 0, 3);
  add(RankMap::Tie::Pipeline, tr("Activations and their gradients: to its neighbours, ranks %1"),
      links ? links->pipeline_bytes : 0, 2);
  const int hidden = int(mesh.ranks() / mesh.pipeline) - m_map->rows();
  if (hidden > 0) lines << tr("%n more row(s) below hold the same layers.", nullptr, hidden);
  m_detail->setText(lines.join(QStringLiteral("<br>")));
}

}  // namespace tessera::ui
