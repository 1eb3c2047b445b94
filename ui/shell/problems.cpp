// SPDX-License-Identifier: MIT
#include "ui/shell/problems.h"

#include <algorithm>

namespace tessera::ui {

void Problems::set(ShellProblem problem) {
  const auto known = std::find_if(m_all.begin(), m_all.end(),
                                  [&](const ShellProblem& p) { return p.key == problem.key; });
  if (known == m_all.end()) {
    problem.since = QDateTime::currentDateTime();
    m_all.insert(m_all.begin(), std::move(problem));
  } else {
    if (known->text == problem.text && known->severity == problem.severity) return;
    problem.since = known->since;
    *known = std::move(problem);
  }
  Q_EMIT changed();
}

void Problems::clear(const QString& key) {
  const QString below = key + u'/';
  const auto gone = [&](const ShellProblem& p) { return p.key == key || p.key.startsWith(below); };
  if (std::erase_if(m_all, gone) > 0) Q_EMIT changed();
}

}  // namespace tessera::ui
