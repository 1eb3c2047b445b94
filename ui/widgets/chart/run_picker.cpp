// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/run_picker.h"

#include <QSignalBlocker>

#include "ui/bridge/runs/run_store.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

RunPicker::RunPicker(RunStore& runs, QWidget* parent) : QComboBox(parent), m_runs(runs) {
  setAccessibleName(tr("Run"));
  setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  setMinimumContentsLength(18);
  connect(&runs, &RunStore::runsChanged, this, [this] { fill(); });
  connect(this, &QComboBox::activated, this, [this](int index) {
    const QString id = itemData(index).toString();
    if (id == m_run) return;
    m_run = id;
    Q_EMIT picked(id);
  });
  fill();
}

void RunPicker::setNoneText(const QString& text) {
  m_none = text;
  m_shown.clear();
  fill();
}

QString RunPicker::run() const {
  return m_run;
}

void RunPicker::setRun(const QString& id) {
  m_run = id;
  fill();
}

void RunPicker::fill() {
  const RunRows rows = m_runs.runs();
  QStringList shown;
  const auto add = [&](const RunRow& row) {
    const QString id = QString::fromStdString(row.id);
    const QString name = row.name.empty() ? id : QString::fromStdString(row.name);
    // The end of the id tells runs of the same name apart.
    shown << id
          << QStringLiteral("%1 · %2 · %3")
                 .arg(name, id.section(QLatin1Char('-'), -3), stateWord(row.state));
  };
  if (!m_none.isEmpty()) shown << QString() << m_none;
  bool found = m_run.isEmpty();
  int left = kMostRuns;
  static const std::vector<RunRow> kNone;
  for (const RunRow& row : rows ? *rows : kNone) {
    const bool current = QString::fromStdString(row.id) == m_run;
    if (!current && (row.archived || left-- <= 0)) continue;
    found |= current;
    add(row);
  }
  if (!found) shown << m_run << m_run;
  if (shown != m_shown) {
    const QSignalBlocker blocker(this);
    clear();
    for (qsizetype i = 0; i < shown.size(); i += 2) addItem(shown[i + 1], shown[i]);
    m_shown = shown;
  }
  setCurrentIndex(findData(m_run));
}

}  // namespace tessera::ui
