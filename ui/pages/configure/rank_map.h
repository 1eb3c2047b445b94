// SPDX-License-Identifier: MIT
// The ranks of a mesh as cells: a column for each place of the pipeline, a row for each rank that
// holds the same layers.
#pragma once

#include <QWidget>
#include <vector>

#include "core/config/layout.h"

namespace tessera::ui {

class RankMap : public QWidget {
  Q_OBJECT
 public:
  static constexpr int kMostRows = 16;  ///< the ranks below are like these

  explicit RankMap(QWidget* parent = nullptr);
  /// `layouts` by rank; none: nothing is shown.
  void show(const Mesh& mesh, const ModelConfig& config, std::vector<Layout> layouts);
  int selected() const { return m_selected; }
  QPoint placeOf(int rank) const;
  int rows() const;
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

  /// "layers 4 to 7, then the head", for people.
  static QString layersText(const ModelConfig& config, const Layout& layout);
  static QString expertsText(const Layout& layout);
  /// How a rank and another one are linked.
  enum class Tie { None, Weights, Experts, Context, Pipeline };
  Tie tie(int a, int b) const;

 Q_SIGNALS:
  void picked(int rank);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;

 private:
  int across() const;  ///< ranks that hold the same layers
  QRect cellOf(int rank) const;
  void pick(int rank);

  Mesh m_mesh;
  ModelConfig m_config;
  std::vector<Layout> m_layouts;
  int m_selected = 0;
};

}  // namespace tessera::ui
