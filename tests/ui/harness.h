// SPDX-License-Identifier: MIT
// What tests of the studio share: an application that notices stalls, and input that no person
// could have given; a studio in temporary folders; clicks that a person could make; pictures.
//
// A test file ends with TESSERA_UI_MAIN(Class) and #include "<file>.moc". Its first lines may name
// what it links, where that is less than the whole studio: "// Links: tessera_ui_models".
#pragma once

#include <QApplication>
#include <QElapsedTimer>
#include <QSignalSpy>
#include <QString>
#include <QStringList>
#include <QTemporaryDir>
#include <QTest>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "ui/shell_context.h"

class QAbstractButton;
class QAbstractItemView;
class QComboBox;
class QModelIndex;

namespace tessera::ui::test {

/// Longer than this may no event take (TESSERA_STALL_MS changes it, for sanitizers).
inline constexpr int kStallMs = 100;

/// Times every event on the GUI thread. Time that the thread was ready but had no processor does
/// not count, so that a busy machine fails no test.
class TestApplication : public QApplication {
  Q_OBJECT
 public:
  TestApplication(int& argc, char** argv);
  ~TestApplication() override;
  bool notify(QObject* receiver, QEvent* event) override;

  const QStringList& stalls() const { return m_stalls; }
  /// Clicks and keys that went to what is hidden or covered, however they were sent.
  const QStringList& unreachable() const { return m_unreachable; }
  double longestMs() const { return m_longestMs; }
  void forgetStalls();
  void forgetUnreachable() { m_unreachable.clear(); }
  void setWatching(bool watching) { m_watching = watching; }

 private:
  double waitedSeconds() const;
  void checkInput(QObject* receiver, QEvent* event);
  QTemporaryDir m_qtSettings;  ///< Qt's own, such as the folder that a dialog was in last
  QStringList m_stalls, m_unreachable;
  double m_longestMs = 0, m_limitMs = kStallMs, m_nested = 0;
  QElapsedTimer m_idle;
  double m_nestedBefore = 0;
  int m_schedstat = -1;
  bool m_watching = true;
};
TestApplication& application();

/// While it lives, stalls are not counted: for what a test itself does at length.
class WatchPause {
 public:
  WatchPause() { application().setWatching(false); }
  ~WatchPause() { application().setWatching(true); }
  WatchPause(const WatchPause&) = delete;
  WatchPause& operator=(const WatchPause&) = delete;
};

/// Runs the tests of an object; fails also when there was a stall, or input that no person could
/// have given.
int runTests(QObject& tests, int argc, char** argv);

// ---- A studio in temporary folders -------------------------------------------------------------

/// Remembers what pages ask of the shell.
class RecordingNavigator : public Navigator {
 public:
  struct Notice {
    QString severity, text, action;
    std::function<void()> run;
  };
  struct Toast {
    QString text;
    std::function<void()> undo;
  };
  std::vector<Location> opened;
  std::vector<Notice> notices;
  struct Problem {
    QString severity, text;
    Location place;
  };
  std::map<QString, Problem> problems;  ///< that are not solved, by key
  std::vector<Toast> toasts;

  void open(const Location& location) override { opened.push_back(location); }
  void notify(const QString& severity, const QString& text, const QString& action,
              const std::function<void()>& run) override {
    notices.push_back({severity, text, action, run});
  }
  void toast(const QString& text, const std::function<void()>& undo) override {
    toasts.push_back({text, undo});
  }
  void setProblem(const QString& key, const QString& severity, const QString& text,
                  const Location& place) override {
    problems[key] = {severity, text, place};
  }
  void clearProblem(const QString& key) override {
    std::erase_if(problems, [&](const auto& one) {
      return one.first == key || one.first.startsWith(key + u'/');
    });
  }
};

/// A home and a folder of runs that are gone with it; TESSERA_HOME and TESSERA_RUNS point there.
class TemporaryHome {
 public:
  TemporaryHome();
  ~TemporaryHome();
  QString home() const { return m_folder.filePath(QStringLiteral("home")); }
  QString runs() const { return m_folder.filePath(QStringLiteral("runs")); }

 private:
  QTemporaryDir m_folder;
};

/// All that a page is handed. Fill the folder of runs first: they are looked for at once.
struct StudioFixture {
  explicit StudioFixture(std::unique_ptr<TemporaryHome> with = {});
  ~StudioFixture();
  std::unique_ptr<TemporaryHome> home;
  std::unique_ptr<Preferences> preferences;
  std::unique_ptr<Tasks> tasks;
  std::unique_ptr<RunStore> runs;
  std::unique_ptr<Launcher> launcher;
  std::unique_ptr<Selection> selection;
  RecordingNavigator navigator;
  std::unique_ptr<Studio> studio;
};
std::unique_ptr<StudioFixture> makeStudio(std::unique_ptr<TemporaryHome> home = {});

// ---- As a person would -------------------------------------------------------------------------

/// Why a person could not click there: hidden, disabled, covered; empty where one could. Scrolls
/// it into view first.
QString whyNotClickable(QWidget* widget, const QPoint& at);
/// Use as QVERIFY(click(button)). `at` is the middle where it is not given.
bool click(QWidget* widget, const QPoint& at = QPoint(-1, -1),
           Qt::MouseButton button = Qt::LeftButton, Qt::KeyboardModifiers modifiers = {});
/// Twice, as fast as a person does.
bool doubleClick(QWidget* widget, const QPoint& at = QPoint(-1, -1));
/// Presses at one place, moves in steps, lets go at another.
bool drag(QWidget* widget, const QPoint& from, const QPoint& to,
          Qt::KeyboardModifiers modifiers = {});
/// Scrolls a row into view and clicks it.
bool clickItem(QAbstractItemView* view, const QModelIndex& index,
               Qt::KeyboardModifiers modifiers = {});
/// Opens a box and clicks the entry that reads `text`.
bool choose(QComboBox* box, const QString& text);
/// Opens a button's menu by a click and clicks the entry that reads `text`.
bool chooseFromMenu(QAbstractButton* button, const QString& text);
/// Fills in an open file dialog and presses its button.
bool saveInDialog(QWidget* parent, const QString& file);
/// Clicks into a field and types; what it held is replaced.
bool typeInto(QWidget* field, const QString& text);
/// The visible button below `root` that reads `text` (also as its accessible name); null: none.
QAbstractButton* button(QWidget* root, const QString& text);
/// The visible label below `root` whose text contains `text`; null: none.
QWidget* labelWith(QWidget* root, const QString& text);
/// Shows it at a size and waits until it is exposed.
bool show(QWidget& widget, const QSize& size = QSize(1024, 700));

/// Waits for a condition, events running.
bool waitUntil(const std::function<bool()>& condition, int timeoutMs = 5000);
template <class Object, class Signal>
bool waitFor(Object* object, Signal signal, int timeoutMs = 5000) {
  QSignalSpy spy(object, signal);
  return spy.wait(timeoutMs);
}

/// Writes NAME.png below the folder that TESSERA_PICTURES names; nothing where it is not set.
void picture(QWidget& widget, const QString& name);

}  // namespace tessera::ui::test

#define TESSERA_UI_MAIN(Class)                             \
  int main(int argc, char** argv) {                        \
    tessera::ui::test::TestApplication app(argc, argv);    \
    Class tests;                                           \
    return tessera::ui::test::runTests(tests, argc, argv); \
  }
