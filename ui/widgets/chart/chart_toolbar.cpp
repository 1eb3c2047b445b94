// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/chart_toolbar.h"

#include <QButtonGroup>
#include <QCheckBox>
#include <QComboBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <algorithm>
#include <utility>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {
constexpr int kSpans[] = {0, 5, 10, 20, 50, 100, 200, 500, 1000};
}

ChartToolbar::ChartToolbar(ChartGroup& group, ChartGrid& grid, QWidget* parent)
    : QWidget(parent),
      m_group(group),
      m_axis(new QComboBox(this)),
      m_smoothing(new QComboBox(this)),
      m_mean(new QCheckBox(tr("Mean"), this)),
      m_outliers(new QCheckBox(tr("Fit outliers"), this)),
      m_marks(new QCheckBox(tr("Marks"), this)),
      m_zoom(new QToolButton(this)),
      m_pan(new QToolButton(this)),
      m_reset(new QPushButton(tr("Show everything"), this)),
      m_back(new QPushButton(tr("All charts"), this)) {
  for (int i = 0; i < chart::kXAxes; ++i) {
    const auto axis = static_cast<chart::XAxis>(i);
    m_axis->addItem(chart::titleOf(axis), QLatin1String(chart::idOf(axis)));
  }
  m_axis->setAccessibleName(tr("Horizontal axis"));
  m_axis->setToolTip(tr("What the horizontal axis counts"));
  for (const int span : kSpans) {
    m_smoothing->addItem(span == 0 ? tr("Raw values") : tr("Smoothed over %1").arg(span), span);
  }
  m_smoothing->setAccessibleName(tr("Smoothing"));
  m_smoothing->setToolTip(
      tr("A debiased exponential mean over about so many logged points, drawn over the raw values. "
         "Exact quantities such as the learning rate are never smoothed."));
  m_mean->setToolTip(tr("Also the mean of the values behind each column of pixels"));
  m_outliers->setToolTip(
      tr("On: the axis holds every value. Off: the outermost values may lie outside; arrows at the "
         "edge show where."));
  m_marks->setToolTip(tr("Checkpoints, resumes, rollbacks, loss spikes, stages"));
  auto* drags = new QButtonGroup(this);
  for (QToolButton* button : {m_zoom, m_pan}) {
    button->setCheckable(true);
    button->setAutoRaise(true);
    drags->addButton(button);
  }
  m_zoom->setText(tr("Zoom"));
  m_zoom->setToolTip(tr("Dragging zooms into a box; Shift pans meanwhile"));
  m_pan->setText(tr("Pan"));
  m_pan->setToolTip(tr("Dragging pans; Shift zooms into a box meanwhile"));
  m_reset->setToolTip(tr("Ends zooming in all charts (0, or a double click in a chart)"));
  m_back->setToolTip(tr("Back from the enlarged chart (Esc)"));
  m_back->hide();
  auto* search = new SearchField(tr("Find a chart"));
  search->setMinimumWidth(120);
  search->setMaximumWidth(180);
  const auto part = [this](std::initializer_list<QWidget*> widgets) {
    auto* made = new QWidget(this);
    auto* row = new QHBoxLayout(made);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(theme::kGrid);
    for (QWidget* w : widgets) row->addWidget(w);
    return made;
  };
  m_shown = part({m_back, m_axis, m_smoothing, m_mean, m_outliers, m_marks});
  m_moved = part({m_zoom, m_pan, m_reset});
  static_cast<QHBoxLayout*>(m_moved->layout())->addStretch(1);
  m_moved->layout()->addWidget(search);
  m_rows = new QGridLayout(this);
  m_rows->setContentsMargins(0, 0, 0, 0);
  m_rows->setSpacing(theme::kGrid);
  m_rows->addWidget(m_shown, 0, 0, Qt::AlignLeft);
  m_rows->addWidget(m_moved, 0, 1);
  m_rows->setColumnStretch(1, 1);

  connect(m_axis, &QComboBox::activated, this, [this] { take(); });
  connect(m_smoothing, &QComboBox::activated, this, [this] { take(); });
  for (QAbstractButton* b :
       std::initializer_list<QAbstractButton*>{m_mean, m_outliers, m_marks, m_zoom, m_pan}) {
    connect(b, &QAbstractButton::clicked, this, [this] { take(); });
  }
  connect(m_reset, &QPushButton::clicked, this, [this] { m_group.reset(); });
  connect(m_back, &QPushButton::clicked, &grid, [&grid] { grid.enlarge({}); });
  connect(search, &SearchField::searched, &grid, &ChartGrid::setFilter);
  connect(&grid, &ChartGrid::enlargedChanged, this, [this, search](const QString& id) {
    m_back->setVisible(!id.isEmpty());
    search->setVisible(id.isEmpty());
    arrange();
  });
  connect(&group, &ChartGroup::optionsChanged, this, [this] { reflect(); });
  connect(&group, &ChartGroup::viewChanged, this, [this] { reflect(); });
  reflect();
}

void ChartToolbar::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  arrange();
}

/// In one row where all of it can be read there, and otherwise in two.
void ChartToolbar::arrange() {
  const int needed =
      m_shown->sizeHint().width() + theme::kGrid + m_moved->minimumSizeHint().width();
  const bool narrow = width() < needed;
  if (std::exchange(m_narrow, narrow) == narrow) return;
  m_rows->addWidget(m_moved, narrow ? 1 : 0, narrow ? 0 : 1);
  m_rows->setColumnStretch(0, narrow ? 1 : 0);
  m_rows->setColumnStretch(1, narrow ? 0 : 1);
}

QSize ChartToolbar::minimumSizeHint() const {
  return {std::max(m_shown->minimumSizeHint().width(), m_moved->minimumSizeHint().width()),
          m_rows->minimumSize().height()};
}

void ChartToolbar::take() {
  ChartOptions o = m_group.options();
  o.axis = chart::axisFromId(m_axis->currentData().toString());
  o.smoothing = m_smoothing->currentData().toInt();
  o.mean = m_mean->isChecked();
  o.allValues = m_outliers->isChecked();
  o.marks = m_marks->isChecked();
  o.drag = m_pan->isChecked() ? ChartDrag::Pan : ChartDrag::Zoom;
  m_group.setOptions(o);
}

void ChartToolbar::reflect() {
  const ChartOptions& o = m_group.options();
  m_axis->setCurrentIndex(static_cast<int>(o.axis));
  const int at = m_smoothing->findData(o.smoothing);
  if (at >= 0) {
    m_smoothing->setCurrentIndex(at);
  } else {
    m_smoothing->addItem(tr("Smoothed over %1").arg(o.smoothing), o.smoothing);
    m_smoothing->setCurrentIndex(m_smoothing->count() - 1);
  }
  m_mean->setChecked(o.mean);
  m_outliers->setChecked(o.allValues);
  m_marks->setChecked(o.marks);
  (o.drag == ChartDrag::Pan ? m_pan : m_zoom)->setChecked(true);
}

}  // namespace tessera::ui
