// SPDX-License-Identifier: MIT
// A profile for Slurm as a form: one field for each of its keys, each with what it means. What a
// cluster would not take is told in the words of the terminal, and not saved.
#pragma once

#include <QDialog>
#include <functional>
#include <vector>

#include "core/launch/slurm_profile.h"

class QFormLayout;
class QLineEdit;
class QPushButton;

namespace tessera::ui {

class SlurmProfiles;
class TextLabel;

class ProfileDialog : public QDialog {
  Q_OBJECT
 public:
  /// `profile` without a name: a new one.
  ProfileDialog(SlurmProfiles& profiles, const SlurmProfile& profile, QWidget* parent);

  SlurmProfile profile() const;

 private:
  void addField(QFormLayout& form, const SlurmProfileKey& key);
  void look();
  void save();

  SlurmProfiles& m_profiles;
  SlurmProfile m_given;
  QLineEdit* m_name;
  TextLabel* m_problem;
  QPushButton* m_save = nullptr;
  std::vector<std::function<void(SlurmProfile&)>> m_takers;  ///< one takes each field's value
};

}  // namespace tessera::ui
