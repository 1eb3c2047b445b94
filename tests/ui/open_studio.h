// SPDX-License-Identifier: MIT
// The whole studio in its window, over temporary folders: what flows are clicked through in.
#pragma once

#include <QAbstractButton>
#include <QFileInfo>
#include <QLineEdit>

#include "tests/build_paths.h"
#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/page.h"
#include "ui/shell/main_window.h"
#include "ui/shell/rail.h"
#include "ui/shell/studio_app.h"

namespace tessera::ui::test {

constexpr int kLong = 60'000;  ///< for processes on a busy machine

/// Finds the program that trains beside the tests; false: it is not built.
inline bool useBuiltProgram() {
  const QFileInfo program(QStringLiteral(TESSERA_PROGRAM));
  qputenv("PATH", program.path().toLocal8Bit() + ':' + qgetenv("PATH"));
  return Launcher::program() == program.filePath();
}

class OpenStudio {
 public:
  explicit OpenStudio(const QSize& size = QSize(1280, 860)) {
    auto preferences = std::make_unique<Preferences>();
    preferences->finishFirstStart();
    preferences->setTheme(QStringLiteral("light"));
    preferences->setLanguage(QStringLiteral("en"));
    m_app = std::make_unique<StudioApp>(application(), std::move(preferences));
    m_app->show({});
    window().resize(size);
    waitUntil([this] { return runs().loaded(); });
  }

  StudioApp& app() { return *m_app; }
  MainWindow& window() { return *m_app->window(); }
  RunStore& runs() { return m_app->runs(); }
  const RunRow* row(const QString& run) { return runs().run(run); }
  QString pickedRun() { return window().studio().selection.run(); }

  /// By the rail, as a person goes there.
  bool go(const QString& page) {
    return click(window().findChild<Rail*>()->button(page)) && window().currentPage() == page;
  }
  Page* page() { return window().page(window().currentPage()); }
  QAbstractButton* button(const QString& text) { return test::button(page(), text); }
  bool press(const QString& text) {
    waitUntil([&] { return button(text) && button(text)->isEnabled(); }, kLong);
    return click(button(text));
  }
  bool reads(const QString& text, int timeoutMs = kLong) {
    return waitUntil([&] { return page() && labelWith(page(), text); }, timeoutMs);
  }
  bool reaches(const QString& run, std::int64_t step, int timeoutMs = kLong) {
    return waitUntil([&] { return row(run) && row(run)->step >= step; }, timeoutMs);
  }
  bool becomes(const QString& run, RunState state) {
    return waitUntil([&] { return row(run) && row(run)->state == state; }, kLong);
  }

  /// A spec file through Configure's own dialog, launched by its button; the id of the run.
  QString launch(const QString& file) {
    if (!go(QStringLiteral("configure")) || !press(QStringLiteral("Open spec file"))) return {};
    if (!saveInDialog(page(), file)) return {};
    const QString before = pickedRun();
    if (!press(QStringLiteral("Launch"))) return {};
    const auto there = [&] {
      return window().currentPage() == QLatin1String("monitor") && pickedRun() != before;
    };
    if (waitUntil(there, kLong)) return pickedRun();
    picture(window(), QStringLiteral("launch-failed"));
    return {};
  }

 private:
  std::unique_ptr<StudioApp> m_app;
};

}  // namespace tessera::ui::test
