// SPDX-License-Identifier: MIT
// Studio: what every page is handed. One object of each, made by the shell, with no globals.
#pragma once

#include <QMap>
#include <QObject>
#include <QString>
#include <cstdint>
#include <functional>

namespace tessera::ui {

class RunStore;
class Launcher;
class Tasks;
class Preferences;

/// A place in the studio, and its text: "run/<id>?view=experts&step=120",
/// "page/configure?preset=demo".
struct Location {
  QString page;     ///< "monitor", "experts", ...
  QString subject;  ///< id of a run; may be empty
  QMap<QString, QString> arguments;

  QString text() const;
  /// An empty page where the text names none.
  static Location fromText(const QString& text);
  bool operator==(const Location&) const = default;
};

/// What is picked, shared by all pages: a step picked anywhere is picked everywhere.
class Selection : public QObject {
  Q_OBJECT
 public:
  using QObject::QObject;
  QString run() const { return m_run; }
  std::int64_t step() const { return m_step; }  ///< -1: none, the newest
  void setRun(const QString& id);               ///< forgets the step
  void setStep(std::int64_t step);

 Q_SIGNALS:
  void runChanged(const QString& id);
  void stepChanged(std::int64_t step);

 private:
  QString m_run;
  std::int64_t m_step = -1;
};

/// How a page asks the shell for something; the shell implements it.
class Navigator {
 public:
  virtual ~Navigator() = default;
  virtual void open(const Location& location) = 0;
  /// A line over the page that stays until it is closed or its button pressed. Severity "error",
  /// "warning" or "info"; the action may be empty. Errors and warnings are in the Problems dock
  /// too, where they can still be read after the line was closed.
  virtual void notify(const QString& severity, const QString& text, const QString& action = {},
                      const std::function<void()>& run = {}) = 0;
  /// Something that is wrong at present, in the Problems dock until it is solved; `place` is where
  /// it can be mended. One with the same key is replaced.
  virtual void setProblem(const QString& /*key*/, const QString& /*severity*/,
                          const QString& /*text*/, const Location& /*place*/) {}
  /// Solved: the problem with this key goes, and all whose key begins with it and a slash.
  virtual void clearProblem(const QString& /*key*/) {}
  /// A line below, gone after some seconds, with Undo where there is something to undo.
  virtual void toast(const QString& text, const std::function<void()>& undo = {}) = 0;
};

struct Studio {
  RunStore& runs;
  Launcher& launcher;
  Selection& selection;
  Navigator& navigator;
  Tasks& tasks;
  Preferences& preferences;
};

}  // namespace tessera::ui
