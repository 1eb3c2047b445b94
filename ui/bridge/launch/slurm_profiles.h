// SPDX-License-Identifier: MIT
// SlurmProfiles: the user's profiles for clusters, read and written by a worker. They are files
// that a terminal may change at any time, and one with a slip in it does not take the others along.
#pragma once

#include <QObject>
#include <QString>
#include <functional>
#include <memory>
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
  void remove(const QString& name);
  /// As remove() found it, its file's text and all.
  void bringBack();

 Q_SIGNALS:
  void changed();
  void saved(const QString& name);
  void refused(const QString& message);  ///< what was to be saved or removed was not
  void failed(const QString& message);

 private:
  void work(const std::function<void()>& change, const QString& savedName = {});

  std::shared_ptr<Mailbox> m_mailbox;
  QObject* m_worker;
  std::unique_ptr<WorkerThread> m_thread;
  std::vector<KeptProfile> m_profiles;
  std::shared_ptr<std::pair<std::string, std::string>> m_removed;  ///< file and text
  bool m_loaded = false;
};

}  // namespace tessera::ui
