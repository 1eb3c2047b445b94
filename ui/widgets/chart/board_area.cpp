// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/board_area.h"

#include <QHBoxLayout>
#include <QPointer>
#include <QVBoxLayout>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/board_dialog.h"
#include "ui/widgets/chart/board_picker.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/empty_state.h"

namespace tessera::ui {

BoardArea::BoardArea(Preferences& preferences, ChartGroup& group, QWidget* parent)
    : QWidget(parent),
      m_grid(new ChartGrid(group, this)),
      m_boards(new BoardPicker(preferences, this)),
      m_noCharts(new EmptyState(tr("This board has no charts."), tr("Choose charts"),
                                QStringLiteral("monitor"), this)) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(theme::kGrid);
  m_row = new QHBoxLayout;
  m_row->setSpacing(2 * theme::kGrid);
  m_row->addWidget(m_boards);
  column->addLayout(m_row);
  column->addWidget(m_grid, 1);
  column->addWidget(m_noCharts, 1);
  connect(m_boards, &BoardPicker::panelsChanged, this, [this] { showBoard(); });
  connect(m_noCharts, &EmptyState::pressed, m_boards, &BoardPicker::edit);
  connect(m_boards, &BoardPicker::boardDeleted, this, [this](const QString& name) {
    Q_EMIT done(tr("The board %1 was deleted").arg(name), [boards = QPointer(m_boards)] {
      if (boards) boards->undoDelete();
    });
  });
  showBoard();
}

void BoardArea::addBeside(QWidget* widget) {
  m_row->addWidget(widget, 1);
}

void BoardArea::showBoard() {
  std::vector<ChartPanelSpec> panels = m_boards->panels();
  m_noCharts->setVisible(panels.empty());
  m_grid->setVisible(!panels.empty());
  m_grid->enlarge({});
  m_grid->setPanels(std::move(panels));
}

}  // namespace tessera::ui
