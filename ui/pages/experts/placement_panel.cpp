// SPDX-License-Identifier: MIT
#include "ui/pages/experts/placement_panel.h"

#include <QHBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/spec/batch_unit.h"
#include "ui/widgets/chart/bar_plot.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kBarsHeight = 130, kAboutWidth = 250;
constexpr std::size_t kRanksNamed = 8;
}  // namespace

std::vector<ExpertPlace> expertPlaces(const RunSpec& spec) {
  const Mesh mesh = mesh_of(spec.parallel);
  if (mesh.expert <= 1) return {};
  std::vector<ExpertPlace> places(static_cast<std::size_t>(mesh.expert));
  try {
    for (std::int64_t rank = 0; rank < mesh.ranks(); ++rank) {
      ExpertPlace& place = places.at(static_cast<std::size_t>(place_of(mesh, rank).expert));
      place.experts = layout_of(spec.model, mesh, rank).experts;
      place.ranks.push_back(rank);
    }
  } catch (const Error&) {
    return {};  // it ran with other ranks than its spec asks for
  }
  return places;
}

std::vector<ExpertPlace> withTokens(std::vector<ExpertPlace> places, const ExpertsEvent& loads) {
  const bool fits = !places.empty() && loads.experts == places.back().experts.end &&
                    std::ssize(loads.counts) == std::int64_t{loads.layers} * loads.experts;
  if (!fits) return {};
  for (ExpertPlace& place : places) {
    for (std::int64_t layer = 0; layer < loads.layers; ++layer) {
      for (std::int64_t e = place.experts.first; e < place.experts.end; ++e) {
        place.tokens += loads.counts[static_cast<std::size_t>(layer * loads.experts + e)];
      }
    }
  }
  return places;
}

int placeOfExpert(const std::vector<ExpertPlace>& places, std::int64_t expert) {
  const auto at = std::find_if(places.begin(), places.end(), [&](const ExpertPlace& place) {
    return expert >= place.experts.first && expert < place.experts.end;
  });
  return at == places.end() ? -1 : static_cast<int>(at - places.begin());
}

double fullestPlace(const std::vector<ExpertPlace>& places) {
  std::int64_t most = 0, all = 0;
  for (const ExpertPlace& place : places) {
    most = std::max(most, place.tokens);
    all += place.tokens;
  }
  if (all == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(most) * static_cast<double>(places.size()) / static_cast<double>(all);
}

PlacementPanel::PlacementPanel(QWidget* parent)
    : QWidget(parent),
      m_about(new TextLabel({}, theme::TextSize::Body, this)),
      m_bars(new BarPlot(this)) {
  m_about->setWrapped();
  m_about->setTabular();
  m_about->setSelectable();
  m_about->setFixedWidth(kAboutWidth);
  m_about->setAlignment(Qt::AlignTop | Qt::AlignLeft);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kGrid);
  row->addWidget(m_about);
  row->addWidget(m_bars, 1);
  m_bars->setFixedHeight(kBarsHeight);
  m_bars->setTitles(tr("Tokens by rank"), tr("all layers"), tr("Place among the ranks of experts"));
  m_bars->setReader([this](int place) { return reading(place); });
  connect(m_bars, &BarPlot::currentChanged, this, [this](int place) {
    Q_EMIT placeChosen(static_cast<int>(m_places[static_cast<std::size_t>(place)].experts.first));
  });
  hide();
}

void PlacementPanel::clear() {
  m_layout.reset();
  m_places.clear();
  hide();
}

void PlacementPanel::setExpert(int expert) {
  m_expert = expert;
  m_bars->setCurrent(placeOfExpert(m_places, expert));
}

void PlacementPanel::showLoads(const RunSpec* spec, const ExpertsEvent& loads,
                               const RunHistory& history) {
  if (!m_layout && spec) m_layout = expertPlaces(*spec);
  m_places = m_layout ? withTokens(*m_layout, loads) : std::vector<ExpertPlace>();
  setVisible(!m_places.empty());
  if (m_places.empty()) return;
  std::vector<float> tokens;
  double mean = 0;
  for (const ExpertPlace& place : m_places) {
    tokens.push_back(static_cast<float>(place.tokens));
    mean += static_cast<double>(place.tokens) / static_cast<double>(m_places.size());
  }
  m_bars->setValues(std::move(tokens), mean, tr("mean"));
  setExpert(m_expert);
  m_about->setText(about(*spec, loads, history));
}

QString PlacementPanel::about(const RunSpec& spec, const ExpertsEvent& loads,
                              const RunHistory& history) const {
  QStringList lines;
  lines << tr("%1 ranks share the experts; each holds %2 of every layer that it has.")
               .arg(m_places.size())
               .arg(m_places.front().experts.count());
  const double fullest = fullestPlace(m_places);
  if (!std::isnan(fullest)) {
    lines << tr("The fullest gets %1 times the mean.").arg(numbers::fixed(fullest, 2));
  }
  const double bytes = history.metric_at(Metric::ExchangeBytes, loads.step);
  if (!std::isnan(bytes)) {
    lines
        << tr("%1 went to experts of other ranks and back in the step.").arg(numbers::bytes(bytes));
  }
  const double reach = history.metric_at(Metric::RanksPerToken, loads.step);
  if (!std::isnan(reach)) {
    lines << tr("A token reached %1 of %2 ranks in a layer; it takes %3 experts.")
                 .arg(numbers::fixed(reach, 2))
                 .arg(m_places.size())
                 .arg(spec.model.num_experts_per_tok);
  }
  return lines.join('\n');
}

QString PlacementPanel::reading(int at) const {
  if (at < 0 || at >= std::ssize(m_places)) return {};
  const ExpertPlace& place = m_places[static_cast<std::size_t>(at)];
  QStringList ranks;
  for (std::size_t i = 0; i < std::min(place.ranks.size(), kRanksNamed); ++i) {
    ranks << QString::number(place.ranks[i]);
  }
  if (place.ranks.size() > kRanksNamed) ranks << QStringLiteral("…");
  double mean = 0;
  for (const ExpertPlace& one : m_places) {
    mean += static_cast<double>(one.tokens) / static_cast<double>(m_places.size());
  }
  const QString share = mean > 0 ? numbers::fixed(static_cast<double>(place.tokens) / mean, 2)
                                 : numbers::notMeasured();
  return tr("place %1 · ranks %2 · experts %3 to %4 · %5 tokens · %6 of the mean")
      .arg(at)
      .arg(ranks.join(QStringLiteral(", ")))
      .arg(place.experts.first)
      .arg(place.experts.end - 1)
      .arg(numbers::whole(place.tokens), share);
}

}  // namespace tessera::ui
