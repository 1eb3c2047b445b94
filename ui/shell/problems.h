// SPDX-License-Identifier: MIT
// Problems: what is wrong at present and what can be done about it. Each has a key; it is there
// once, and goes when its cause goes or when it was read and put away. They outlive the window,
// which is made anew when the language changes.
#pragma once

#include <QDateTime>
#include <QObject>
#include <QPointer>
#include <QString>
#include <functional>
#include <vector>

namespace tessera::ui {

struct ShellProblem {
  QString key;       ///< "run/demo-1", "disk"
  QString severity;  ///< "error", "warning"
  QString text;      ///< what failed, where, why
  QString action;    ///< a verb; may be empty
  QString place;     ///< what the action opens, as a link; empty where run() does it
  std::function<void()> run{};
  QPointer<QObject> owner{};  ///< owner of run(), which is not called once it is gone
  QDateTime since{};

  /// The action can still be done.
  bool canAct() const { return !action.isEmpty() && (!place.isEmpty() || (run && owner)); }
};

class Problems : public QObject {
  Q_OBJECT
 public:
  using QObject::QObject;
  /// Adds, or replaces the one with this key, which keeps its time.
  void set(ShellProblem problem);
  /// The one with this key and all below it: "plan" clears "plan/0" too.
  void clear(const QString& key);
  const std::vector<ShellProblem>& all() const { return m_all; }  ///< newest first

 Q_SIGNALS:
  void changed();

 private:
  std::vector<ShellProblem> m_all;
};

}  // namespace tessera::ui
