// SPDX-License-Identifier: MIT
// PlaceBar: where the run of a draft is started (this machine, hosts, a profile for Slurm), what of
// that does not fit to its layout, and how far a start there has come.
#pragma once

#include <QPointer>
#include <QWidget>
#include <memory>
#include <optional>
#include <string>

#include "core/launch/launch_place.h"
#include "ui/shell_context.h"

class QCheckBox;
class QComboBox;
class QLineEdit;
class QMenu;
class QProgressBar;
class QPushButton;
class QToolButton;

namespace tessera {
struct StartPhase;
}

namespace tessera::ui {

class KnownHosts;
class ScriptDialog;
class SlurmProfiles;
class TextLabel;

class PlaceBar : public QWidget {
  Q_OBJECT
 public:
  PlaceBar(Studio& studio, QWidget* parent);

  /// The box with the kinds of places, for the bar of buttons above; the rest is shown below where
  /// it is needed.
  QComboBox* box() const { return m_where; }
  LaunchPlace place() const;
  void setPlace(const LaunchPlace& place);
  /// What is to be started; `isFork`: from a checkpoint of another run.
  void setSpec(std::shared_ptr<const RunSpec> spec, bool isFork);
  /// Why nothing can be started there; empty: it can.
  const QString& problem() const { return m_problem; }
  /// The value of parallel.data that the ranks there give; absent: what the spec says, on this
  /// machine or where the place does not fit.
  std::optional<std::int64_t> data() const { return m_data; }

  /// A start there is under way until endStart().
  void beginStart();
  void showPhase(const StartPhase& phase);
  void endStart();

 Q_SIGNALS:
  void changed();
  void cancelled();

 private:
  QWidget* makePlace();
  QWidget* makeStart();
  void listPlaces();
  void listKept(QMenu& menu);
  void addHosts(const QStringList& hosts);
  void showScript();
  std::string scriptOfProfile() const;
  void chosen();
  void showRows();
  void check();
  void checkRanks(const LaunchPlace& now);
  void checkScript();
  void keep();
  void restore();
  void restoreScript();

  Studio& m_studio;
  KnownHosts& m_kept;
  SlurmProfiles& m_profiles;
  QComboBox* m_where;
  QWidget *m_placeRow, *m_startRow, *m_hostsPart;
  QLineEdit *m_hosts = nullptr, *m_folder = nullptr;
  QCheckBox* m_copy = nullptr;
  QPushButton* m_script = nullptr;
  TextLabel* m_note = nullptr;
  QProgressBar* m_progress = nullptr;
  TextLabel* m_phase = nullptr;
  QPushButton* m_cancel = nullptr;
  std::shared_ptr<const RunSpec> m_spec;
  QString m_problem, m_wantedProfile;
  std::optional<std::string> m_edited;  ///< the script as somebody edited it; absent: nobody has
  std::optional<std::int64_t> m_data;
  QPointer<ScriptDialog> m_dialog;
  bool m_isFork = false;
};

}  // namespace tessera::ui
