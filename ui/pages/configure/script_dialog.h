// SPDX-License-Identifier: MIT
// The script that a job of Slurm gets, as `tessera launch SPEC --slurm PROFILE --show` prints it.
// It follows profile and spec until somebody edits it; then it stays, and says where it differs.
#pragma once

#include <QDialog>
#include <optional>
#include <string>

class QPlainTextEdit;
class QPushButton;

namespace tessera::ui {

class TextLabel;

/// What is wrong with a script, with its line; empty: sbatch would take it.
QString scriptProblem(const std::string& script);
/// "Edited by hand: it differs from the profile in lines 4, 7-9"; empty where it does not.
QString scriptDifference(const std::string& fromProfile, const std::string& script);

class ScriptDialog : public QDialog {
  Q_OBJECT
 public:
  ScriptDialog(const QString& profile, QWidget* parent);

  /// `fromProfile`: what the profile gives now; `edited`: what somebody made of it, absent: nobody
  /// has. An empty text is an edited one too.
  void show(const std::string& fromProfile, const std::optional<std::string>& edited);
  /// The profile or the spec has changed.
  void follow(const std::string& fromProfile);

 Q_SIGNALS:
  void edited(const QString& text);
  void takenBack();  ///< it is the profile's own again

 private:
  void look();

  QPlainTextEdit* m_text;
  TextLabel* m_note;
  QPushButton* m_back;
  std::string m_fromProfile;
  bool m_showing = false;
};

}  // namespace tessera::ui
