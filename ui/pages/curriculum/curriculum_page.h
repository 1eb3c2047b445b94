// SPDX-License-Identifier: MIT
// The curriculum editor: stages as lanes over one axis of tokens, dragged or typed. It edits the
// same draft as Configure.
#pragma once

#include <vector>

#include "ui/widgets/spec/draft_page.h"

class QGridLayout;
class QPushButton;
class QStackedWidget;
class QTableWidget;
class QToolButton;

namespace tessera::ui {

class CurriculumView;
class FieldRow;
class RateEditor;
class TextLabel;

class CurriculumPage : public DraftPage {
  Q_OBJECT
 public:
  explicit CurriculumPage(Studio& studio, QWidget* parent = nullptr);

  void open(const Location& location) override;
  Location location() const override;

 private:
  QWidget* makeTop();
  QWidget* makeStagePanel();
  void refresh();
  void showStage();
  void showTable();
  void showButtons();
  void addStage();
  void duplicate();
  void removeStage();
  void move(int by);
  void setLength(int stage, std::int64_t length);

  CurriculumView* m_view = nullptr;
  QTableWidget* m_table = nullptr;
  QStackedWidget* m_stack = nullptr;
  TextLabel *m_summary = nullptr, *m_readout = nullptr, *m_problem = nullptr,
            *m_stageTitle = nullptr;
  QToolButton* m_asTable = nullptr;
  QToolButton *m_left = nullptr, *m_right = nullptr, *m_copy = nullptr, *m_remove = nullptr;
  QPushButton* m_add = nullptr;
  QGridLayout* m_fields = nullptr;
  std::vector<FieldRow*> m_rows;
  RateEditor* m_rate = nullptr;
  QWidget* m_fieldBox = nullptr;
  int m_shownStage = -1;
};

}  // namespace tessera::ui
