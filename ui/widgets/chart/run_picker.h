// SPDX-License-Identifier: MIT
// RunPicker: chooses one of the runs in the library, newest first, each with its state as a word.
#pragma once

#include <QComboBox>

namespace tessera::ui {

class RunStore;

class RunPicker : public QComboBox {
  Q_OBJECT
 public:
  static constexpr int kMostRuns = 300;  ///< the Runs page finds the others

  explicit RunPicker(RunStore& runs, QWidget* parent = nullptr);
  /// An entry before all runs, with an empty id: "the same run".
  void setNoneText(const QString& text);
  QString run() const;
  /// Also of a run that is not among the newest.
  void setRun(const QString& id);

 Q_SIGNALS:
  void picked(const QString& id);

 private:
  void fill();
  RunStore& m_runs;
  QString m_none, m_run;
  QStringList m_shown;  ///< id and text of each entry, to tell whether anything changed
};

}  // namespace tessera::ui
