// SPDX-License-Identifier: MIT
// Problems: what is wrong at present and what can be done about it. Each has a key; it is there
// once, and goes when its cause goes.
#pragma once

#include <QDateTime>
#include <QObject>
#include <QString>
#include <functional>
#include <vector>

namespace tessera::ui {

struct ShellProblem {
  QString key;       ///< "run/demo-1", "disk"
  QString severity;  ///< "error", "warning"
  QString text;      ///< what failed, where, why
  QString action;    ///< a verb; may be empty
  std::function<void()> run;
  QDateTime since;
};

class Problems : public QObject {
  Q_OBJECT
 public:
  using QObject::QObject;
  /// Adds, or replaces the one with this key, which keeps its time.
  void set(ShellProblem problem);
  void clear(const QString& key);
  const std::vector<ShellProblem>& all() const { return m_all; }  ///< newest first

 Q_SIGNALS:
  void changed();

 private:
  std::vector<ShellProblem> m_all;
};

}  // namespace tessera::ui
