// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_hosts tessera_ui_draft
// Profiles for Slurm as the window removes them and brings them back, what it hears of jobs, and
// the files that commands leave behind.
#include <QAbstractButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <filesystem>
#include <fstream>

#include "core/config/paths.h"
#include "core/launch/slurm_profile.h"
#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/draft/draft_command.h"
#include "ui/bridge/launch/slurm_jobs.h"
#include "ui/bridge/launch/slurm_profiles.h"
#include "ui/pages/hosts/profile_dialog.h"
#include "ui/pages/hosts/slurm_profiles_view.h"

using namespace tessera;
using namespace tessera::ui;
using test::click;
using test::waitUntil;

namespace {
namespace fs = std::filesystem;

struct ProfilesFixture {
  std::unique_ptr<test::StudioFixture> studio = test::makeStudio();
  std::unique_ptr<SlurmProfilesView> view;

  ProfilesFixture() {
    SlurmProfile profile;
    for (const char* name : {"gpu", "long"}) {
      profile.name = name;
      profile.partition = name;
      save_slurm_profile(slurm_profiles_folder(), profile, false);
    }
    view = std::make_unique<SlurmProfilesView>(*studio->studio);
  }
  SlurmProfiles& profiles() { return SlurmProfiles::of(studio->studio->preferences); }
  bool shown() {
    return test::show(*view) && waitUntil([this] { return profiles().all().size() == 2; });
  }
  static fs::path fileOf(const char* name) {
    return slurm_profiles_folder() / (std::string(name) + ".toml");
  }
  QAbstractButton* removes(const char* name) {
    for (auto* button : view->findChildren<QAbstractButton*>()) {
      const QString wanted = QStringLiteral("Remove the profile %1").arg(QLatin1String(name));
      if (button->isVisible() && button->accessibleName() == wanted) return button;
    }
    return nullptr;
  }
};

void writeScript(const fs::path& file, const std::string& text) {
  std::ofstream(file) << text;
  fs::permissions(file, fs::perms::owner_all);
}

QString troubleOf(const QString& program) {
  SlurmJobs jobs([program] { return program; });
  QSignalSpy troubles(&jobs, &SlurmJobs::troubleChanged);
  jobs.follow({QStringLiteral("/nowhere")});
  waitUntil([&] { return troubles.count() > 0; });
  return troubles.isEmpty() ? QString() : troubles.last().at(0).toString();
}
}  // namespace

class SlurmBridgeTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  /// The removal is told when it is done, each with an undo of its own.
  void removedProfilesComeBackEachByItself() {
    ProfilesFixture f;
    QVERIFY(f.shown());
    for (const char* name : {"gpu", "long"}) {
      const std::size_t before = f.studio->navigator.toasts.size();
      QVERIFY(waitUntil([&] { return f.removes(name) != nullptr; }));
      QVERIFY(click(f.removes(name)));
      QCOMPARE(f.studio->navigator.toasts.size(), before);  // nothing is removed yet
      QVERIFY(waitUntil([&] { return f.studio->navigator.toasts.size() == before + 1; }));
      QVERIFY(!fs::exists(f.fileOf(name)));
    }
    f.studio->navigator.toasts[0].undo();
    QVERIFY(waitUntil([&] { return f.profiles().find("gpu") != nullptr; }));
    QVERIFY(!f.profiles().find("long"));
    QCOMPARE(f.profiles().find("gpu")->partition, std::string("gpu"));
    // One that was made anew meanwhile is not written over.
    SlurmProfile other;
    other.name = "long";
    other.partition = "other";
    save_slurm_profile(slurm_profiles_folder(), other, false);
    f.studio->navigator.toasts[1].undo();
    QVERIFY(waitUntil([&] { return !f.studio->navigator.notices.empty(); }));
    QVERIFY(f.studio->navigator.notices.back().text.contains("of this name again"));
    QCOMPARE(load_slurm_profile(slurm_profiles_folder(), "long").partition, std::string("other"));
  }

  void aRemovalThatFailsIsToldAsSuch() {
    ProfilesFixture f;
    QVERIFY(f.shown());
    QVERIFY(waitUntil([&] { return f.removes("gpu") != nullptr; }));
    QAbstractButton* gone = f.removes("gpu");
    fs::remove(f.fileOf("gpu"));  // somebody was quicker
    QVERIFY(click(gone));
    QVERIFY(waitUntil([&] { return !f.studio->navigator.notices.empty(); }));
    QVERIFY(f.studio->navigator.toasts.empty());
  }

  void theDialogTellsWhatItsWorkerCannotDo() {
    ProfilesFixture f;
    QVERIFY(f.shown());
    f.view->addProfile();
    auto* dialog = f.view->findChild<ProfileDialog*>();
    QVERIFY(dialog);
    Q_EMIT f.profiles().failed(QStringLiteral("the folder cannot be read"));
    QVERIFY(test::labelWith(dialog, "the folder cannot be read"));
    QVERIFY(f.studio->navigator.notices.empty());  // it stands in the dialog
    dialog->close();
  }

  void whySlurmDoesNotAnswerIsTold() {
    const QTemporaryDir folder;
    const fs::path at = folder.path().toStdString();
    writeScript(at / "says",
                "#!/bin/sh\necho 'slurm: the controller does not answer' >&2\nexit 1\n");
    writeScript(at / "silent", "#!/bin/sh\nexit 3\n");
    writeScript(at / "dies", "#!/bin/sh\nkill -SEGV $$\n");
    QVERIFY(troubleOf(folder.filePath("says")).contains("does not answer"));
    QVERIFY(troubleOf(folder.filePath("silent")).contains("ended with 3"));
    QVERIFY2(troubleOf(folder.filePath("dies")).contains("crashed"),
             qPrintable(troubleOf(folder.filePath("dies"))));
    QVERIFY(troubleOf(folder.filePath("missing")).contains("missing: "));
  }

  /// Scripts go like the specs they stand beside: the newest stay.
  void oldScriptsAreRemoved() {
    const test::TemporaryHome home;
    const fs::path drafts = home_folder() / "drafts";
    fs::create_directories(drafts);
    const auto old = fs::file_time_type::clock::now() - std::chrono::hours(24);
    for (int i = 0; i < 120; ++i) {
      const fs::path file = drafts / ("job-old" + std::to_string(i) + ".sh");
      std::ofstream(file) << "#!/bin/sh\n";
      fs::last_write_time(file, old + std::chrono::seconds(i));
    }
    LaunchPlace place;
    place.kind = LaunchPlace::Kind::Slurm;
    place.profile = "gpu";
    place.script = "#!/bin/bash\nsrun tessera resume x\n";
    const std::string command = commandAt("tessera train demo", place);
    int scripts = 0;
    for (const auto& entry : fs::directory_iterator(drafts)) {
      scripts += entry.path().extension() == ".sh" ? 1 : 0;
    }
    QCOMPARE(scripts, 100);
    QVERIFY(fs::exists(drafts / "job-old119.sh"));
    QVERIFY(!fs::exists(drafts / "job-old0.sh"));
    const std::string file = command.substr(command.rfind(' ') + 1);
    QVERIFY2(fs::exists(file), file.c_str());
  }
};

TESSERA_UI_MAIN(SlurmBridgeTest)
#include "slurm_bridge_test.moc"
