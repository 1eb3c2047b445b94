// SPDX-License-Identifier: MIT
// The spec as run: its text, and what differs from the preset it came from.
#pragma once

#include <QWidget>
#include <memory>

#include "ui/bridge/runs/run_feed.h"
#include "ui/shell_context.h"

class QPlainTextEdit;
class QTableWidget;

namespace tessera::ui {

class TextLabel;

class SpecTab : public QWidget {
  Q_OBJECT
 public:
  explicit SpecTab(Studio& studio, QWidget* parent = nullptr);
  void setFeed(std::shared_ptr<RunFeed> feed);
  QPlainTextEdit* text() const { return m_text; }
  QTableWidget* differences() const { return m_differences; }

 private:
  void load();
  std::shared_ptr<RunFeed> m_feed;
  QPlainTextEdit* m_text;
  QTableWidget* m_differences;
  TextLabel* m_note;
  bool m_loading = false, m_loaded = false;
  int m_generation = 0;
};

}  // namespace tessera::ui
