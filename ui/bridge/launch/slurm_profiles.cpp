// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/slurm_profiles.h"

#include <filesystem>

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
      m_thread(std::make_unique<WorkerThread>(QStringLiteral("profiles"), m_worker)) {
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
  work([this, profile, replace]() -> std::function<void()> {
    save_slurm_profile(slurm_profiles_folder(), profile, replace);
    return [this, name = QString::fromStdString(profile.name)] { Q_EMIT saved(name); };
  });
}

void SlurmProfiles::remove(const QString& name) {
  work([this, name]() -> std::function<void()> {
    const auto folder = slurm_profiles_folder();
    const auto file = folder / (name.toStdString() + ".toml");
    const RemovedProfile gone{name, file.string(), read_file(file)};
    remove_slurm_profile(folder, name.toStdString());
    return [this, gone] { Q_EMIT removed(gone); };
  });
}

void SlurmProfiles::bringBack(const RemovedProfile& profile) {
  work([this, profile]() -> std::function<void()> {
    if (std::filesystem::exists(profile.file)) {
      throw Error(profile.file, "there is a profile of this name again",
                  "remove or rename that one first");
    }
    write_file_atomically(profile.file, profile.text);
    return [this, name = profile.name] { Q_EMIT saved(name); };
  });
}

void SlurmProfiles::work(const std::function<std::function<void()>()>& change) {
  tell(m_worker, [this, mailbox = m_mailbox, change] {
    std::function<void()> done;
    try {
      if (change) done = change();
    } catch (const std::exception& problem) {
      mailbox->post([this, text = QString::fromUtf8(problem.what())] { Q_EMIT refused(text); });
      return;
    }
    try {
      mailbox->post([this, all = readProfiles()] {
        m_profiles = all;
        m_loaded = true;
        Q_EMIT changed();
      });
    } catch (const std::exception& problem) {
      mailbox->post([this, text = QString::fromUtf8(problem.what())] { Q_EMIT failed(text); });
    }
    if (done) mailbox->post(done);
  });
}

}  // namespace tessera::ui
