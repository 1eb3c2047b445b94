// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/run_titles.h"

#include <QHash>

#include "ui/bridge/runs/run_store.h"

namespace tessera::ui {

namespace {
QHash<QString, int> counted(const QStringList& words) {
  QHash<QString, int> counts;
  for (const QString& word : words) ++counts[word];
  return counts;
}
}  // namespace

QStringList runTitles(const RunStore& runs, const QStringList& ids) {
  QStringList titles;
  for (const QString& id : ids) {
    const RunRow* row = runs.run(id);
    titles << (row && !row->name.empty() ? QString::fromStdString(row->name) : id);
  }
  const QHash<QString, int> names = counted(titles);
  for (qsizetype i = 0; i < ids.size(); ++i) {
    if (names[titles[i]] > 1) {
      titles[i] += QStringLiteral(" \u00B7 ") + ids[i].section(QLatin1Char('-'), -1);
    }
  }
  const QHash<QString, int> longer = counted(titles);
  for (qsizetype i = 0; i < ids.size(); ++i) {
    if (longer[titles[i]] > 1) titles[i] = ids[i];
  }
  return titles;
}

}  // namespace tessera::ui
