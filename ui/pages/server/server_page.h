// SPDX-License-Identifier: MIT
// Server: a checkpoint behind OpenAI's API: start and stop, its address and key, what it is doing,
// and the lines by which programs talk to it. The process belongs to the studio and ends with it.
#pragma once

#include <array>
#include <vector>

#include "ui/pages/page.h"
#include "ui/pages/server/talk_lines.h"

class QCheckBox;
class QComboBox;
class QGridLayout;
class QPlainTextEdit;
class QPushButton;
class QSpinBox;
class QStackedLayout;
class QToolButton;

namespace tessera::ui {

class ElidedLabel;
class EmptyState;
class RunPicker;
class TextLabel;

class ServerPage : public Page {
  Q_OBJECT
 public:
  explicit ServerPage(Studio& studio, QWidget* parent = nullptr);

  /// Subject: a run whose newest checkpoint is to be served; argument folder: a released model.
  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override { return m_commands; }
  void setActivity(bool visible, bool focused) override;
  QString command() const override;

  ModelServer& server() { return m_server; }
  QPlainTextEdit* lines(TalkBy by) const { return m_lines[static_cast<std::size_t>(by)]; }

 private:
  void build();
  QWidget* buildOrder();
  QWidget* buildBody();
  QWidget* buildAddress();
  QWidget* buildCounts();
  QWidget* buildTalk();
  QToolButton* copyButton(const QString& name, const std::function<QString()>& text);
  void connectParts();
  void addCommand(const QString& text, const char* icon, const std::function<void()>& run);

  ServerOrder order() const;
  void chooseFolder();
  void setModel(const QString& run, const QString& folder);
  void startOrStop();
  void showState();
  void showAddress();
  void showCounts();
  void showLines();
  void keep();
  void restore();

  ModelServer& m_server;
  QString m_run, m_folder;  ///< one of both, or none yet
  RunPicker* m_picker = nullptr;
  QPushButton *m_browse = nullptr, *m_startStop = nullptr;
  QSpinBox* m_port = nullptr;
  QComboBox* m_weights = nullptr;
  QCheckBox *m_network = nullptr, *m_withKey = nullptr, *m_showKey = nullptr;
  TextLabel *m_state = nullptr, *m_problem = nullptr;
  ElidedLabel *m_base = nullptr, *m_model = nullptr, *m_key = nullptr;
  QWidget* m_keyRow = nullptr;
  QStackedLayout* m_stack = nullptr;
  EmptyState* m_empty = nullptr;
  std::vector<TextLabel*> m_counts;
  std::array<QPlainTextEdit*, kTalkBy.size()> m_lines{};
  std::vector<QAction*> m_commands;
};

}  // namespace tessera::ui
