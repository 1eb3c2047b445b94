// SPDX-License-Identifier: MIT
// SlurmProfiles: the user's profiles for clusters, read and written by a worker. They are files
// that a terminal may change at any time, and one with a slip in it does not take the others along.
#pragma once

#include <QObject>
#include <QString>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/launch/slurm_profile.h"

namespace tessera::ui {

class Mailbox;
class WorkerThread;

/// A file of a profile. Where `problem` is not empty it says what is wrong with it, and `profile`
/// has its name alone.
struct KeptProfile {
  SlurmProfile profile;
  QString problem;
};

/// What is needed to bring a removed profile back.
struct RemovedProfile {
  QString name;
  std::string file, text;
};

class SlurmProfiles : public QObject {
  Q_OBJECT
 public:
  explicit SlurmProfiles(QObject* parent = nullptr);
  ~SlurmProfiles() override;
  /// The one that belongs to `owner`, made where there is none.
  static SlurmProfiles& of(QObject& owner);

  /// In alphabetical order.
  const std::vector<KeptProfile>& all() const { return m_profiles; }
  bool loaded() const { return m_loaded; }
  /// Null where there is none of this name, or it cannot be read.
  const SlurmProfile* find(const QString& name) const;

  void refresh();
  /// Answered by saved() or refused(). `replace`: one of this name may be there.
  void save(const SlurmProfile& profile, bool replace);
  /// Answered by removed() or refused().
  void remove(const QString& name);
  /// As it was, its file's text and all; answered by saved() or refused(), which it is where there
  /// is one of this name again.
  void bringBack(const RemovedProfile& profile);

 Q_SIGNALS:
  void changed();
  void saved(const QString& name);
  void removed(const RemovedProfile& profile);  ///< its file is gone
  void refused(const QString& message);         ///< what was to be saved or removed was not
  void failed(const QString& message);

 private:
  /// What `change` returns is done in the window once it has succeeded. It may throw.
  void work(const std::function<std::function<void()>()>& change);

  std::shared_ptr<Mailbox> m_mailbox;
  QObject* m_worker;
  std::unique_ptr<WorkerThread> m_thread;
  std::vector<KeptProfile> m_profiles;
  bool m_loaded = false;
};

}  // namespace tessera::ui
