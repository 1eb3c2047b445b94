// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/run_store_worker.h"

#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSaveFile>
#include <QStandardPaths>
#include <algorithm>
#include <bit>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/slurm_record.h"

namespace tessera::ui {

namespace fs = std::filesystem;

namespace {
constexpr int kTickMs = 1500, kSoonMs = 120, kShowEveryMs = 300;
constexpr double kDraftSeconds = 3600;  ///< a folder that has not begun by then is left alone
/// Looking through all folders takes at most one part in so many of a core.
constexpr qint64 kFullShare = 100, kFullLeastMs = 2000, kFullMostMs = 120'000;

bool equal(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool sameRow(const RunRow& a, const RunRow& b) {
  return a.id == b.id && a.folder == b.folder && a.name == b.name && a.state == b.state &&
         a.reason == b.reason && a.step == b.step && a.total_steps == b.total_steps &&
         a.tokens == b.tokens && equal(a.loss, b.loss) &&
         equal(a.validation_loss, b.validation_loss) && equal(a.created, b.created) &&
         equal(a.last_word, b.last_word) && equal(a.tokens_per_second, b.tokens_per_second) &&
         a.tags == b.tags && a.notes == b.notes && a.archived == b.archived &&
         a.missing == b.missing && a.parent == b.parent && a.parent_step == b.parent_step &&
         a.sparkline.size() == b.sparkline.size() && a.columns == b.columns && a.cells == b.cells;
}

/// Makes the folder that the home trash is in.
/// NOTE: where it is missing, QFile::moveToTrash() takes the working directory for the trash.
void makeHomeTrash(const fs::path& moved) {
  const QString data = QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation);
  const bool homeless =
      qEnvironmentVariableIsEmpty("HOME") && qEnvironmentVariableIsEmpty("XDG_DATA_HOME");
  if (homeless || !QDir().mkpath(data + QStringLiteral("/Trash"))) {
    throw Error(moved.string(),
                homeless
                    ? "was not moved: without HOME and XDG_DATA_HOME there is no trash"
                    : "was not moved: the trash " + data.toStdString() + "/Trash cannot be made",
                "set XDG_DATA_HOME to a folder that you may write to");
  }
}

/// Where the folder lies now.
fs::path movedToTrash(const fs::path& folder) {
  makeHomeTrash(folder);
  QString at;
  if (!QFile::moveToTrash(QString::fromStdString(folder.string()), &at)) {
    throw Error(folder.string(), "cannot be moved to the trash of its file system",
                "delete the folder by hand");
  }
  return at.toStdString();
}

/// What Slurm said last of the run's job stands beside what the run says itself: a job that waits
/// has not begun to say anything. True: it has one that has not ended.
bool addWordOfSlurm(RunRow& row) {
  std::error_code none;
  if (is_final(row.state) || !fs::exists(SlurmFiles{row.folder}.record(), none)) return false;
  try {
    const auto record = slurm_record_of(row.folder);
    if (!record || record->is_new()) return false;
    if (!row.reason.empty()) row.reason += "; ";
    row.reason += record->text(clock_now());
    return record->is_open();
  } catch (const Error& problem) {
    row.reason = problem.what();
    return false;
  }
}

bool sameRows(const std::vector<RunRow>& a, const std::vector<RunRow>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), sameRow);
}
}  // namespace

RunStore::Worker::Worker(fs::path file, std::shared_ptr<Mailbox> mailbox, RunStore* store)
    : m_file(std::move(file)), m_mailbox(std::move(mailbox)), m_store(store) {}

void RunStore::Worker::start() {
  m_timer = new QTimer(this);
  m_soon = new QTimer(this);
  m_soon->setSingleShot(true);
  m_watcher = new QFileSystemWatcher(this);
  connect(m_timer, &QTimer::timeout, this, [this] { tick(); });
  connect(m_soon, &QTimer::timeout, this, [this] { guarded([this] { refreshAll(); }); });
  connect(m_watcher, &QFileSystemWatcher::directoryChanged, this, [this] { refreshSoon(); });
  m_timer->start(kTickMs);
  guarded([this] { firstLook(); });
}

/// A failure is told once and tried again at the next tick.
void RunStore::Worker::open() {
  if (m_library) return;
  m_library = std::make_unique<Library>(m_file);
  m_library->set_columns(m_columns);
  if (!m_library->recovery().empty()) {
    const QString text = QString::fromStdString(m_library->recovery());
    m_mailbox->post([store = m_store, text] { Q_EMIT store->recovered(text); });
  }
}

/// What the library knows is shown at once, with the states of runs that may have changed looked at
/// anew; then what is new in the folders.
void RunStore::Worker::firstLook() {
  open();
  m_rows = std::make_shared<const std::vector<RunRow>>(readRows());
  refreshLive();
  if (!m_published) publish(true);
  readTrash();
  watchRoots();
  takeNewRuns();
  refreshAll();
}

/// Runs that the library has not seen yet, a few at a time: their logs have to be read.
void RunStore::Worker::takeNewRuns() {
  if (!m_rows) return;
  std::vector<std::string> known;
  for (const RunRow& row : *m_rows) known.push_back(row.folder.string());
  std::sort(known.begin(), known.end());
  QElapsedTimer shown;
  shown.start();
  std::error_code error;
  for (const fs::path& root : m_library->roots()) {
    for (const auto& entry : fs::directory_iterator(root, error)) {
      if (m_mailbox->closed()) return;
      if (std::binary_search(known.begin(), known.end(), entry.path().string())) continue;
      if (!RunFolder::is_run(entry.path())) continue;
      guarded([&] { m_library->refresh(RunFolder::open(entry.path())); });
      if (shown.elapsed() < kShowEveryMs) continue;
      publish();
      shown.restart();
    }
  }
}

void RunStore::Worker::watchRoots() {
  for (const fs::path& root : m_library->roots()) {
    const QString path = QString::fromStdString(root.string());
    // An unwatched root (the system's limit, a network file system) is seen by the timer.
    if (!m_watcher->directories().contains(path) && fs::is_directory(root))
      m_watcher->addPath(path);
  }
}

void RunStore::Worker::tick() {
  guarded([this] {
    if (!m_library) {
      firstLook();
    } else if (QDateTime::currentMSecsSinceEpoch() >= m_nextFull) {
      refreshAll();
    } else {
      refreshLive();
    }
  });
}

void RunStore::Worker::refreshSoon() {
  if (m_soon && !m_soon->isActive()) m_soon->start(kSoonMs);
}

void RunStore::Worker::refreshAll() {
  open();
  QElapsedTimer took;
  took.start();
  watchRoots();
  m_library->refresh();
  publish();
  m_nextFull = QDateTime::currentMSecsSinceEpoch() +
               std::clamp(took.elapsed() * kFullShare, kFullLeastMs, kFullMostMs);
}

/// Only runs whose state is not final change without anybody starting them.
void RunStore::Worker::refreshLive() {
  if (!m_rows) return;
  const double now = static_cast<double>(QDateTime::currentMSecsSinceEpoch()) / 1000;
  std::shared_ptr<std::vector<RunRow>> rows;
  for (std::size_t i = 0; i < m_rows->size(); ++i) {
    const RunRow& row = (*m_rows)[i];
    const bool staysDraft = row.state == RunState::Draft && now - row.created > kDraftSeconds &&
                            m_withJobs.count(row.id) == 0;
    if (is_final(row.state) || staysDraft || row.missing) continue;
    guarded([&] {
      m_library->refresh(RunFolder::open(row.folder));
      auto fresh = m_library->run(row.id);
      if (!fresh) return;
      noteJob(*fresh);
      if (sameRow(*fresh, row)) return;
      if (!rows) rows = std::make_shared<std::vector<RunRow>>(*m_rows);
      (*rows)[i] = std::move(*fresh);
    });
  }
  if (rows) hand(std::move(rows));
}

/// Adds what Slurm says of it, and remembers that there is a job to be asked for.
void RunStore::Worker::noteJob(RunRow& row) {
  if (addWordOfSlurm(row)) {
    m_withJobs.insert(row.id);
  } else {
    m_withJobs.erase(row.id);
  }
}

std::vector<RunRow> RunStore::Worker::readRows() {
  std::vector<RunRow> rows = m_library->runs(true);
  for (RunRow& row : rows) noteJob(row);
  return rows;
}

void RunStore::Worker::publish(bool always) {
  auto rows = std::make_shared<const std::vector<RunRow>>(readRows());
  if (always || !m_rows || !sameRows(*rows, *m_rows)) hand(std::move(rows));
}

void RunStore::Worker::hand(RunRows rows) {
  m_rows = std::move(rows);
  m_published = true;
  m_mailbox->post([store = m_store, r = m_rows, edits = m_edits] { store->take(r, edits); });
}

void RunStore::Worker::guarded(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& problem) {
    fail(QString::fromUtf8(problem.what()));
  }
}

void RunStore::Worker::fail(const QString& message) {
  if (message == m_lastFailure) return;  // a disk that is away fails at every tick
  m_lastFailure = message;
  m_mailbox->post([store = m_store, message] { Q_EMIT store->failed(message); });
}

void RunStore::Worker::setColumns(RunColumns columns) {
  m_columns = std::move(columns);
  if (!m_library) return;  // open() will tell it
  m_library->set_columns(m_columns);
  guarded([this] { publish(true); });
}

void RunStore::Worker::tellSettingNames() {
  guarded([this] {
    open();
    QStringList names;
    for (const std::string& name : m_library->setting_names())
      names << QString::fromStdString(name);
    m_mailbox->post([store = m_store, names] { Q_EMIT store->settingNames(names); });
  });
}

void RunStore::Worker::addRoot(const fs::path& folder) {
  guarded([&] {
    open();
    m_library->add_root(folder);
    takeNewRuns();
    refreshAll();
  });
}

void RunStore::Worker::change(const std::function<void(Library&)>& work) {
  ++m_edits;
  m_lastFailure.clear();  // the user waits for this one: it is told even if it is the same again
  guarded([&] {
    open();
    work(*m_library);
  });
  guarded([&] { publish(true); });
}

void RunStore::Worker::remove(const std::string& id) {
  const auto toTrash = [this, &id](Library& library) {
    const auto row = library.run(id);
    if (!row) throw Error("library", fmt::format("there is no run {}", id));
    if (!row->missing) {
      const RunFolder folder = RunFolder::open(row->folder);
      const RunStatus status = status_of(folder);
      if (status.process && liveness_of(*status.process) == Liveness::Alive) {
        throw Error(id, "is running and cannot be moved to the trash", "stop it first");
      }
      const double now = static_cast<double>(QDateTime::currentMSecsSinceEpoch()) / 1000;
      m_trash.insert(m_trash.begin(), {id, row->name, row->folder, movedToTrash(row->folder), now});
      writeTrash();
    }
    library.forget(id);
    m_mailbox->post(
        [store = m_store, gone = QString::fromStdString(id),
         name = QString::fromStdString(row->name)] { Q_EMIT store->removed(gone, name); });
  };
  change(toTrash);
}

void RunStore::Worker::restore(const std::string& id) {
  change([this, &id](Library& library) {
    const auto found = std::find_if(m_trash.begin(), m_trash.end(),
                                    [&id](const Trashed& one) { return one.id == id; });
    if (found == m_trash.end()) throw Error(id, "is not in the trash any more");
    const fs::path from = found->from, at = found->at;
    if (fs::exists(from)) {
      throw Error(from.string(), "is there again, so nothing is moved back over it",
                  "move that folder away first");
    }
    std::error_code error;
    fs::rename(at, from, error);
    if (error) throw Error(at.string(), "cannot be moved back: " + error.message());
    // The note that the trash keeps beside it, by the specification of freedesktop.org.
    const fs::path info =
        at.parent_path().parent_path() / "info" / (at.filename().string() + ".trashinfo");
    fs::remove(info, error);
    m_trash.erase(found);
    writeTrash();
    library.refresh(RunFolder::open(from));
  });
}

// ---- What is in the trash, over sessions --------------------------------------------------------

fs::path RunStore::Worker::trashFile() const {
  return (m_file.empty() ? home_folder() : m_file.parent_path()) / "trash.json";
}

/// What was taken out of the trash or lost with it since is forgotten.
void RunStore::Worker::readTrash() {
  QFile file(QString::fromStdString(trashFile().string()));
  if (!file.open(QIODevice::ReadOnly)) return;  // nothing was moved to the trash yet
  const QJsonArray list = QJsonDocument::fromJson(file.readAll()).array();
  for (const QJsonValue value : list) {
    const auto text = [&value](const char* key) { return value[key].toString().toStdString(); };
    Trashed one{text("id"), text("name"), text("from"), text("at"), value["when"].toDouble()};
    if (!one.id.empty() && RunFolder::is_run(one.at)) m_trash.push_back(std::move(one));
  }
  handTrash();
}

void RunStore::Worker::writeTrash() {
  handTrash();
  QJsonArray list;
  for (const Trashed& one : m_trash) {
    list.append(QJsonObject{{"id", QString::fromStdString(one.id)},
                            {"name", QString::fromStdString(one.name)},
                            {"from", QString::fromStdString(one.from.string())},
                            {"at", QString::fromStdString(one.at.string())},
                            {"when", one.when}});
  }
  QSaveFile file(QString::fromStdString(trashFile().string()));
  const QByteArray text = QJsonDocument(list).toJson();
  if (!file.open(QIODevice::WriteOnly) || file.write(text) != text.size() || !file.commit()) {
    throw Error(trashFile().string(), "was not written: " + file.errorString().toStdString(),
                "what is in the trash can be brought back until the studio is closed");
  }
}

void RunStore::Worker::handTrash() {
  std::vector<TrashedRun> list;
  for (const Trashed& one : m_trash) {
    list.push_back({QString::fromStdString(one.id), QString::fromStdString(one.name), one.when});
  }
  m_mailbox->post([store = m_store, list] { store->takeTrash(list); });
}

}  // namespace tessera::ui
