// SPDX-License-Identifier: MIT
// ChartGrid: many panels of one group in a page that scrolls. Only those in sight exist; one can be
// enlarged to fill the page; titles can be searched. Exports and tables of its panels are its
// business.
#pragma once

#include <QPointer>
#include <QScrollArea>
#include <map>
#include <vector>

#include "ui/widgets/chart/chart_panel.h"

namespace tessera::ui {

class ChartGrid : public QScrollArea {
  Q_OBJECT
 public:
  explicit ChartGrid(ChartGroup& group, QWidget* parent = nullptr);
  ~ChartGrid() override;

  void setPanels(std::vector<ChartPanelSpec> panels);
  /// Panels whose title or keys hold the text; empty: all.
  void setFilter(const QString& text);
  const QString& filter() const { return m_filter; }

  /// Fills the page with one panel; an empty id: all again.
  void enlarge(const QString& id);
  const QString& enlarged() const { return m_enlarged; }

  /// Null where the panel is not in sight.
  ChartPanel* panel(const QString& id) const;
  int built() const { return static_cast<int>(m_built.size()); }
  std::size_t shownPanels() const { return m_shown.size(); }

  void savePicture(ChartPanel* panel);
  void saveCsv(ChartPanel* panel);
  void showTable(ChartPanel* panel);

 Q_SIGNALS:
  void enlargedChanged(const QString& id);
  /// A file was written, or `error` says why not.
  void saved(const QString& file, const QString& error);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  struct Kept {
    bool log = false;
    std::optional<chart::Range> heights;
  };
  void arrange();
  void buildVisible();
  ChartPanel* build(const ChartPanelSpec& spec);
  QRect cell(std::size_t index) const;

  ChartGroup& m_group;
  QWidget* m_content;
  std::vector<ChartPanelSpec> m_panels;
  std::vector<std::size_t> m_shown;  ///< indices of panels, after filter and enlarging
  std::map<QString, QPointer<ChartPanel>> m_built;
  std::map<QString, Kept> m_kept;  ///< what the user set of panels that are out of sight
  QString m_filter, m_enlarged;
  int m_columns = 1;
  QSize m_cell;
};

}  // namespace tessera::ui
