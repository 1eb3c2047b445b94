// SPDX-License-Identifier: MIT
// The pieces of a stage's learning rate, one a line: shape, length, from, to.
#pragma once

#include <QWidget>
#include <functional>
#include <string>
#include <vector>

#include "core/spec/spec.h"

class QVBoxLayout;

namespace tessera::ui {

class DraftSpec;

class RateEditor : public QWidget {
  Q_OBJECT
 public:
  /// `path`: "curriculum[0].learning_rate".
  RateEditor(DraftSpec& draft, std::string path, int stage, QWidget* parent = nullptr);
  void refresh();

 private:
  class Piece;
  const std::vector<RatePiece>& pieces() const;
  bool isRefused() const;
  void refuse(const QString& typed);
  void change(const QString& label, const std::function<void(std::vector<RatePiece>&)>& edit);
  DraftSpec& m_draft;
  std::string m_path;
  int m_stage;
  QVBoxLayout* m_rows;
  std::vector<Piece*> m_pieces;
};

}  // namespace tessera::ui
