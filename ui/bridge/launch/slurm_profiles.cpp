// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/slurm_profiles.h"

#include "core/base/error.h"
#include "core/base/files.h"
#include "ui/bridge/desktop/worker_thread.h"

namespace tessera::ui {

namespace {
std::vector<KeptProfile> readProfiles() {
  const auto folder = slurm_profiles_folder();
  std::vector<KeptProfile> all;
  for (const std::string& name : list_slurm_profiles(folder)) {
    try {
      all.push_back({load_slurm_profile(folder, name), {}});
    } catch (const Error& problem) {
      SlurmProfile named;
      named.name = name;
      all.push_back({named, QString::fromUtf8(problem.what())});
    }
  }
  return all;
}
}  // namespace

SlurmProfiles::SlurmProfiles(QObject* parent)
    : QObject(parent),
      m_mailbox(std::make_shared<Mailbox>(this)),
      m_worker(new QObject),
      m_thread(std::make_unique<WorkerThread>(QStringLiteral("profiles"), m_worker)),
      m_removed(std::make_shared<std::pair<std::string, std::string>>()) {
  refresh();
}

SlurmProfiles::~SlurmProfiles() {
  m_mailbox->close();
}

SlurmProfiles& SlurmProfiles::of(QObject& owner) {
  auto* profiles = owner.findChild<SlurmProfiles*>(QString(), Qt::FindDirectChildrenOnly);
  return profiles ? *profiles : *new SlurmProfiles(&owner);
}

const SlurmProfile* SlurmProfiles::find(const QString& name) const {
  for (const KeptProfile& kept : m_profiles) {
    if (kept.problem.isEmpty() && kept.profile.name == name.toStdString()) return &kept.profile;
  }
  return nullptr;
}

void SlurmProfiles::refresh() {
  work(nullptr);
}

void SlurmProfiles::save(const SlurmProfile& profile, bool replace) {
  work([profile, replace] { save_slurm_profile(slurm_profiles_folder(), profile, replace); },
       QString::fromStdString(profile.name));
}

void SlurmProfiles::remove(const QString& name) {
  work([name = name.toStdString(), removed = m_removed] {
    const auto folder = slurm_profiles_folder();
    const auto file = folder / (name + ".toml");
    *removed = {file.string(), read_file(file)};
    remove_slurm_profile(folder, name);
  });
}

void SlurmProfiles::bringBack() {
  work([removed = m_removed] {
    if (removed->first.empty()) return;
    write_file_atomically(removed->first, removed->second);
  });
}

void SlurmProfiles::work(const std::function<void()>& change, const QString& savedName) {
  tell(m_worker, [this, mailbox = m_mailbox, change, savedName] {
    try {
      if (change) change();
    } catch (const std::exception& problem) {
      mailbox->post([this, text = QString::fromUtf8(problem.what())] { Q_EMIT refused(text); });
      return;
    }
    try {
      mailbox->post([this, all = readProfiles(), savedName] {
        m_profiles = all;
        m_loaded = true;
        Q_EMIT changed();
        if (!savedName.isEmpty()) Q_EMIT saved(savedName);
      });
    } catch (const std::exception& problem) {
      mailbox->post([this, text = QString::fromUtf8(problem.what())] { Q_EMIT failed(text); });
    }
  });
}

}  // namespace tessera::ui
