// SPDX-License-Identifier: MIT
// The experts of one token: a row for each layer with experts, a cell for each of its top-k,
// heaviest first, with the expert's number on the colour of its gate weight.
#pragma once

#include <QWidget>
#include <memory>
#include <vector>

#include "ui/bridge/chat/token_record.h"

namespace tessera::ui {

class ExpertStrip : public QWidget {
  Q_OBJECT
 public:
  explicit ExpertStrip(QWidget* parent = nullptr);

  struct Cell {
    int expert = 0;
    float gate = 0;
  };
  /// `firstLayer`: number of the first layer with experts. A token of -1 empties it.
  void showToken(std::shared_ptr<const TokenRecord> record, int token, int firstLayer);
  /// (layers, top-k), heaviest first.
  const std::vector<std::vector<Cell>>& rows() const { return m_rows; }
  QString asText() const;  ///< a line a layer

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {120, sizeHint().height()}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  bool event(QEvent* event) override;

 private:
  QRectF cellRect(std::size_t row, std::size_t column) const;
  std::vector<std::vector<Cell>> m_rows;
  int m_firstLayer = 0;
};

/// What a span used against the whole conversation: layer by layer, expert by expert, as the ratio
/// of shares: 1 is as often as everywhere.
class UsageMap : public QWidget {
  Q_OBJECT
 public:
  explicit UsageMap(QWidget* parent = nullptr);

  struct Row {
    int layer = 0, expert = 0;
    double share = 0, everywhere = 0;  ///< parts of the layer's picks
    double ratio() const { return everywhere > 0 ? share / everywhere : 0; }
  };
  /// Both (layers, experts).
  void showUsage(const std::vector<double>& span, const std::vector<double>& everywhere, int layers,
                 int experts, int firstLayer);
  void clear();
  bool empty() const { return m_layers == 0; }
  /// The experts that the span prefers most, those with the largest gain in share first.
  std::vector<Row> preferred(std::size_t count) const;

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {120, sizeHint().height()}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  bool event(QEvent* event) override;

 private:
  Row row(int layer, int expert) const;
  std::vector<double> m_span, m_everywhere;  ///< shares of the layer's picks
  int m_layers = 0, m_experts = 0, m_firstLayer = 0;
};

}  // namespace tessera::ui
