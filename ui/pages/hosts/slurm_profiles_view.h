// SPDX-License-Identifier: MIT
// The user's profiles for clusters with Slurm, each with what it asks for.
#pragma once

#include <QWidget>

#include "ui/pages/page.h"

class QVBoxLayout;

namespace tessera::ui {

class EmptyState;
class SlurmProfiles;
struct KeptProfile;

class SlurmProfilesView : public QWidget {
  Q_OBJECT
 public:
  explicit SlurmProfilesView(Studio& studio, QWidget* parent = nullptr);

  void addProfile();

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void refresh();
  QWidget* makeRow(const KeptProfile& kept);
  void edit(const QString& name);
  void remove(const QString& name);

  Studio& m_studio;
  SlurmProfiles& m_profiles;
  EmptyState* m_empty;
  QWidget* m_list;
  QVBoxLayout* m_rows;
};

}  // namespace tessera::ui
