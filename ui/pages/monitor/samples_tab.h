// SPDX-License-Identifier: MIT
// What a run wrote at its prompts as it learned, by step.
#pragma once

#include <QWidget>
#include <memory>

#include "ui/bridge/runs/run_feed.h"
#include "ui/shell_context.h"

class QComboBox;
class QListWidget;
class QPlainTextEdit;
class QStackedWidget;

namespace tessera::ui {

class SamplesTab : public QWidget {
  Q_OBJECT
 public:
  explicit SamplesTab(Studio& studio, QWidget* parent = nullptr);
  void setFeed(std::shared_ptr<RunFeed> feed);
  /// The samples at or before a step.
  void showStep(std::int64_t step);
  QListWidget* steps() const { return m_steps; }
  QPlainTextEdit* text() const { return m_text; }

 private:
  void refresh();
  void showCurrent();
  Studio& m_studio;
  std::shared_ptr<RunFeed> m_feed;
  QStackedWidget* m_stack;
  QListWidget* m_steps;
  QComboBox* m_prompt;
  QPlainTextEdit* m_text;
  std::size_t m_count = 0;
};

}  // namespace tessera::ui
