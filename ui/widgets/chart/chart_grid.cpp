// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/chart_grid.h"

#include <QFileDialog>
#include <QKeyEvent>
#include <QMenu>
#include <QScrollBar>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/background.h"
#include "ui/widgets/chart/chart_export.h"
#include "ui/widgets/chart/chart_table.h"
#include "ui/widgets/chart/picture_dialog.h"
#include "ui/widgets/file_dialog.h"

namespace tessera::ui {

namespace {
constexpr int kGap = theme::kGrid, kLeastWidth = 360, kLeastHeight = 200, kMostColumns = 4;
}

ChartGrid::ChartGrid(ChartGroup& group, QWidget* parent)
    : QScrollArea(parent), m_group(group), m_content(new QWidget) {
  setFrameShape(QFrame::NoFrame);
  setWidgetResizable(false);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setFocusPolicy(Qt::NoFocus);
  setAccessibleName(tr("Charts"));
  m_content->setAccessibleName(tr("Charts"));
  setWidget(m_content);
  verticalScrollBar()->setSingleStep(40);
  connect(verticalScrollBar(), &QScrollBar::valueChanged, this, [this] { buildVisible(); });
}

ChartGrid::~ChartGrid() = default;

void ChartGrid::setPanels(std::vector<ChartPanelSpec> panels) {
  m_panels = std::move(panels);
  for (auto& [id, panel] : m_built) delete panel;
  m_built.clear();
  arrange();
}

void ChartGrid::setFilter(const QString& text) {
  if (text == m_filter) return;
  m_filter = text;
  arrange();
}

void ChartGrid::enlarge(const QString& id) {
  if (id == m_enlarged) return;
  m_enlarged = id;
  arrange();
  if (ChartPanel* now = panel(id)) now->setFocus();
  Q_EMIT enlargedChanged(id);
}

ChartPanel* ChartGrid::panel(const QString& id) const {
  const auto found = m_built.find(id);
  return found == m_built.end() ? nullptr : found->second.data();
}

void ChartGrid::arrange() {
  m_shown.clear();
  for (std::size_t i = 0; i < m_panels.size(); ++i) {
    const ChartPanelSpec& p = m_panels[i];
    const bool matches = m_filter.isEmpty() || p.title.contains(m_filter, Qt::CaseInsensitive) ||
                         p.keys.join(QLatin1Char(' ')).contains(m_filter, Qt::CaseInsensitive);
    if (m_enlarged.isEmpty() ? matches : p.id == m_enlarged) m_shown.push_back(i);
  }
  const QSize page = viewport()->size();
  const int width = std::max(page.width() - kGap, 240);
  const bool one = !m_enlarged.isEmpty();
  m_columns = one ? 1 : std::clamp((width + kGap) / (kLeastWidth + kGap), 1, kMostColumns);
  const int rows =
      std::max(1, static_cast<int>(m_shown.size() + std::size_t(m_columns) - 1) / m_columns);
  // As many whole rows as fit, so that no panel is cut where it can be avoided.
  const int fitting =
      std::clamp((page.height() + kGap) / (kLeastHeight + kGap), 1, std::min(rows, 4));
  const int height = std::max(kLeastHeight, (page.height() - (fitting - 1) * kGap) / fitting);
  const int most = one ? page.height() : 320;
  m_cell = {(width - (m_columns - 1) * kGap) / m_columns,
            std::min(height, std::max(most, kLeastHeight))};
  m_content->resize(page.width(), rows * (m_cell.height() + kGap) - kGap);
  buildVisible();
}

QRect ChartGrid::cell(std::size_t index) const {
  const int row = static_cast<int>(index) / m_columns, column = static_cast<int>(index) % m_columns;
  return {QPoint(column * (m_cell.width() + kGap), row * (m_cell.height() + kGap)), m_cell};
}

/// Makes the panels in sight and lets go of the others; one row beyond the edges is kept so that a
/// small scroll shows no gap.
void ChartGrid::buildVisible() {
  const QRect page(0, verticalScrollBar()->value(), viewport()->width(), viewport()->height());
  const QRect near = page.adjusted(0, -m_cell.height() / 2, 0, m_cell.height() / 2);
  std::map<QString, QRect> wanted;
  for (std::size_t i = 0; i < m_shown.size(); ++i) {
    const QRect place = cell(i);
    if (place.intersects(near)) wanted[m_panels[m_shown[i]].id] = place;
  }
  for (auto it = m_built.begin(); it != m_built.end();) {
    if (wanted.count(it->first)) {
      ++it;
      continue;
    }
    if (ChartPanel* gone = it->second) {
      m_kept[it->first] = {gone->logarithmic(), gone->heights()};
      gone->hide();
      gone->deleteLater();
    }
    it = m_built.erase(it);
  }
  QWidget* before = nullptr;
  for (const std::size_t i : m_shown) {
    const ChartPanelSpec& spec = m_panels[i];
    const auto place = wanted.find(spec.id);
    if (place == wanted.end()) continue;
    QPointer<ChartPanel>& panel = m_built[spec.id];
    if (!panel) panel = build(spec);
    panel->setWheelZooms(!m_enlarged.isEmpty());
    panel->setGeometry(place->second);
    panel->show();
    if (before) QWidget::setTabOrder(before, panel);
    before = panel;
  }
}

ChartPanel* ChartGrid::build(const ChartPanelSpec& spec) {
  auto* panel = new ChartPanel(m_group, spec, m_content);
  if (const auto kept = m_kept.find(spec.id); kept != m_kept.end()) {
    panel->setLogarithmic(kept->second.log);
    panel->setHeights(kept->second.heights);
  }
  connect(panel, &ChartPanel::enlargeRequested, this,
          [this, id = spec.id] { enlarge(m_enlarged == id ? QString() : id); });
  connect(panel, &ChartPanel::tableRequested, this, [this, panel] { showTable(panel); });
  connect(panel, &ChartPanel::pictureRequested, this, [this, panel] { savePicture(panel); });
  connect(panel, &ChartPanel::csvRequested, this, [this, panel] { saveCsv(panel); });
  return panel;
}

void ChartGrid::resizeEvent(QResizeEvent* event) {
  QScrollArea::resizeEvent(event);
  arrange();
}

void ChartGrid::showEvent(QShowEvent* event) {
  QScrollArea::showEvent(event);
  arrange();
}

void ChartGrid::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Escape && !m_enlarged.isEmpty()) {
    enlarge({});
    return;
  }
  QScrollArea::keyPressEvent(event);
}

void ChartGrid::savePicture(ChartPanel* panel) {
  auto* dialog = new PictureDialog(*panel, this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  connect(dialog, &PictureDialog::chosen, this, [this](const QImage& image, const QString& file) {
    inBackground(
        this, [image, file] { return chart::writePicture(image, file); },
        [this, file](const QString& error) { Q_EMIT saved(file, error); });
  });
  dialog->open();
}

void ChartGrid::saveCsv(ChartPanel* panel) {
  auto points = std::make_shared<const chart::CsvData>(chart::csvData(panel->lines()));
  const auto chosen = [this, points](const QString& file) {
    inBackground(
        this, [points, file] { return chart::writeCsv(*points, file); },
        [this, file](const QString& error) { Q_EMIT saved(file, error); });
  };
  auto* dialog = fileDialog(this, this, tr("Save every logged point"), chosen,
                            QStringLiteral("%1-%2.csv").arg(m_group.fileStem(), panel->spec().id));
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilter(tr("CSV (*.csv)"));
  dialog->setDefaultSuffix(QStringLiteral("csv"));
  dialog->open();
}

void ChartGrid::showTable(ChartPanel* panel) {
  auto* dialog = new ChartTableDialog(*panel, this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->show();
}

}  // namespace tessera::ui
