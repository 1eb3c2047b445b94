// SPDX-License-Identifier: MIT
// FirstStart: what the first start shows, once: the hardware found, where data goes, the theme, and
// the demo. No account, no network, no wizard.
#pragma once

#include <QWidget>

namespace tessera::ui {

class DemoStarter;
class HostMonitor;
class TextLabel;
struct Studio;

class FirstStart : public QWidget {
  Q_OBJECT
 public:
  FirstStart(Studio& studio, HostMonitor& host, QWidget* parent = nullptr);

 Q_SIGNALS:
  void done(const QString& place);  ///< where to go on, as a link

 private:
  QWidget* hardwareCard();
  QWidget* folderCard();
  QWidget* themeCard();
  void showHardware();
  void chooseFolder();
  Studio& m_studio;
  HostMonitor& m_host;
  DemoStarter* m_demo;
  TextLabel* m_processor;
  TextLabel* m_memory;
  TextLabel* m_gpus;
  TextLabel* m_folder;
};

}  // namespace tessera::ui
