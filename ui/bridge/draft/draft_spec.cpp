// SPDX-License-Identifier: MIT
#include "ui/bridge/draft/draft_spec.h"

#include <QElapsedTimer>
#include <QFileInfo>
#include <QSaveFile>
#include <QTimer>
#include <QUndoCommand>
#include <QUndoStack>
#include <algorithm>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/spec/spec_edit.h"
#include "ui/bridge/desktop/worker_thread.h"
#include "ui/bridge/draft/draft_command.h"
#include "ui/bridge/draft/draft_shelf.h"

namespace tessera::ui {

namespace {
constexpr int kTypingPauseMs = 150;
constexpr int kKeepMs = 300;       ///< after a change it is put on the shelf
constexpr qint64 kMergeMs = 1200;  ///< changes nearer to each other than this are one step of undo
/// The name that problems give to the draft's own text.
const char* const kDraftName = "draft";

QString messageOf(const std::exception& error) {
  return QString::fromUtf8(error.what());
}

/// The folder that relative paths of a draft are seen from: that of its file, else the folder that
/// the program itself takes for presets.
std::filesystem::path folderOf(const QString& file) {
  return file.isEmpty() ? resources_folder()
                        : std::filesystem::path(file.toStdString()).parent_path();
}
}  // namespace

/// A text that was read: everything that follows from it.
struct DraftSpec::Reading {
  std::uint64_t generation = 0;
  std::shared_ptr<const RunSpec> spec, baseline;
  std::vector<Problem> problems;
  std::map<std::string, SpecLocation> locations;
  QString command;
  bool complete = true;
};

/// Reads files and texts; presets are files, so even that is not for the GUI thread.
class DraftSpec::Worker : public QObject {
 public:
  Worker(DraftSpec* draft, std::shared_ptr<Mailbox> mailbox)
      : m_draft(draft), m_mailbox(std::move(mailbox)) {}

  void load(const DraftOrigin& origin, const QString& path, std::uint64_t generation) {
    auto base = std::make_shared<Base>();
    base->origin = origin;
    try {
      if (origin.kind == DraftOrigin::Kind::Preset) {
        base->savedText = QStringLiteral("preset = \"%1\"\n").arg(origin.name);
        read_preset(origin.name.toStdString());  // throws for a name that is none
      } else {
        base->savedText = QString::fromStdString(read_file(path.toStdString(), 4 << 20));
      }
      if (origin.kind == DraftOrigin::Kind::File) base->file = path;
      if (origin.isRun()) base->runFolder = QFileInfo(path).path();
      m_mailbox->post([draft = m_draft, base, generation] {
        if (generation == draft->m_generation) draft->takeLoaded(base, base->savedText);
      });
    } catch (const std::exception& error) {
      fail(error, generation);
    }
  }

  void loadKept(const QString& id, std::uint64_t generation) {
    try {
      const KeptDraft kept = readDraft(id);
      auto base = std::make_shared<Base>();
      base->origin = kept.origin;
      base->file = kept.file;
      base->runFolder = kept.runFolder;
      base->savedText = kept.savedText;
      base->launchedText = kept.launchedText;
      m_mailbox->post([draft = m_draft, base, text = kept.text, generation] {
        if (generation == draft->m_generation) draft->takeLoaded(base, text);
      });
    } catch (const std::exception& error) {
      fail(error, generation);
    }
  }

  /// `wanted`: false takes it from the shelf.
  void shelve(const KeptDraft& kept, bool wanted) {
    try {
      wanted ? keepDraft(kept) : removeDraft(kept.id);
    } catch (const std::exception& error) {
      m_mailbox->post([draft = m_draft, message = messageOf(error)] {
        Q_EMIT draft->failed(DraftSpec::tr("The draft cannot be kept: %1").arg(message));
      });
    }
  }

  void read(const QString& text, const Base& base, std::uint64_t generation) {
    auto reading = std::make_shared<Reading>();
    reading->generation = generation;
    try {
      const std::filesystem::path folder = folderOf(base.file);
      SpecReading found = read_spec_text(text.toStdString(), folder / kDraftName);
      for (Problem& problem : found.problems) ownName(problem.file, folder);
      for (auto& [path, place] : found.locations) ownName(place.file, folder);
      reading->complete = found.complete;
      reading->problems = std::move(found.problems);
      reading->locations = std::move(found.locations);
      if (!base.baseline) reading->baseline = baselineOf(found.spec, base.origin);
      reading->spec = std::make_shared<RunSpec>(std::move(found.spec));
      if (reading->complete) reading->command = commandOf(*reading->spec, base);
    } catch (const std::exception& error) {
      reading->complete = false;
      reading->problems.push_back(Problem{.message = error.what()});
    }
    m_mailbox->post([draft = m_draft, reading] { draft->take(*reading); });
  }

  void listPresets() {
    QList<QStringList> all;
    try {
      for (const PresetInfo& preset : list_presets()) {
        all << QStringList{QString::fromStdString(preset.name),
                           QString::fromStdString(preset.summary)};
      }
    } catch (const std::exception& error) {
      m_mailbox->post(
          [draft = m_draft, message = messageOf(error)] { Q_EMIT draft->failed(message); });
    }
    m_mailbox->post([draft = m_draft, all] { Q_EMIT draft->presetsListed(all); });
  }

  void save(const QString& path, const QString& text) {
    QSaveFile file(path);
    const QByteArray bytes = text.toUtf8();
    const bool good =
        file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size() && file.commit();
    const QString problem =
        good ? QString() : DraftSpec::tr("%1 cannot be written: %2").arg(path, file.errorString());
    m_mailbox->post([draft = m_draft, path, text, problem] {
      if (!problem.isEmpty()) {
        Q_EMIT draft->failed(problem);
      } else {
        draft->takeSaved(path, text);
      }
    });
  }

 private:
  /// What was there before stays, and is as good as it was.
  void fail(const std::exception& error, std::uint64_t generation) {
    m_mailbox->post([draft = m_draft, message = messageOf(error), generation] {
      if (generation == draft->m_generation && draft->loaded()) draft->read(0);
      Q_EMIT draft->failed(message);
    });
  }

  static void ownName(std::string& file, const std::filesystem::path& folder) {
    if (file == (folder / kDraftName).string()) file = kDraftName;
  }

  static QString commandOf(const RunSpec& spec, const Base& base) {
    DraftCommand command{.spec = spec, .folder = folderOf(base.file).string()};
    switch (base.origin.kind) {
      case DraftOrigin::Kind::Preset:
        command.preset = base.origin.name.toStdString();
        break;
      case DraftOrigin::Kind::File:
        command.file = base.file.toStdString();
        break;
      default:
        command.run = base.runFolder.toStdString();
        command.fork = base.origin.kind == DraftOrigin::Kind::Fork;
        command.step = base.origin.step;
    }
    return QString::fromStdString(command.text());
  }

  static std::shared_ptr<const RunSpec> baselineOf(const RunSpec& spec, const DraftOrigin& origin) {
    if (origin.isRun()) return std::make_shared<RunSpec>(spec);
    const std::string name =
        origin.kind == DraftOrigin::Kind::Preset ? origin.name.toStdString() : spec.run.preset;
    try {
      return std::make_shared<RunSpec>(name.empty() ? RunSpec() : read_preset(name).spec);
    } catch (const Error&) {
      return std::make_shared<RunSpec>();  // the preset of a file that is not there any more
    }
  }

  DraftSpec* m_draft;
  std::shared_ptr<Mailbox> m_mailbox;
};

/// One step of undo: the text before and after.
class DraftSpec::Command : public QUndoCommand {
 public:
  Command(DraftSpec* draft, const QString& label, const QString& merge, Snapshot before,
          Snapshot after, bool typed)
      : QUndoCommand(label),
        m_draft(draft),
        m_merge(merge),
        m_before(std::move(before)),
        m_after(std::move(after)),
        m_typed(typed) {
    m_age.start();
  }
  void undo() override {
    m_draft->m_refused.clear();
    m_draft->show(m_before, false);
  }
  void redo() override {
    if (m_undone) m_draft->m_refused.clear();
    m_draft->show(m_after, m_typed && !m_undone);  // after an undo the editor does not have it
    m_undone = true;
  }
  int id() const override { return m_merge.isEmpty() ? -1 : 1; }
  bool mergeWith(const QUndoCommand* other) override {
    const auto* next = static_cast<const Command*>(other);
    const bool same = next->m_merge == m_merge && next->m_after.base == m_after.base;
    if (!same || m_age.elapsed() > kMergeMs) return false;
    m_after = next->m_after;
    m_age.restart();
    return true;
  }

 private:
  DraftSpec* m_draft;
  QString m_merge;
  Snapshot m_before, m_after;
  bool m_typed, m_undone = false;
  QElapsedTimer m_age;
};

DraftSpec::DraftSpec(QObject* parent)
    : QObject(parent),
      m_mailbox(std::make_shared<Mailbox>(this)),
      m_worker(new Worker(this, m_mailbox)),
      m_thread(std::make_unique<WorkerThread>(QStringLiteral("draft"), m_worker)),
      m_undo(new QUndoStack(this)),
      m_pause(new QTimer(this)),
      m_keeper(new QTimer(this)),
      m_base(std::make_shared<Base>()) {
  m_undo->setUndoLimit(500);
  m_pause->setSingleShot(true);
  connect(m_pause, &QTimer::timeout, this, [this] {
    tell(m_worker, [worker = m_worker, text = m_text, base = *m_base, generation = m_generation] {
      worker->read(text, base, generation);
    });
  });
  m_keeper->setSingleShot(true);
  m_keeper->setInterval(kKeepMs);
  connect(m_keeper, &QTimer::timeout, this, &DraftSpec::keep);
}

DraftSpec::~DraftSpec() {
  if (m_keeper->isActive()) keep();  // the worker does it before its thread ends
  m_mailbox->close();
}

DraftSpec& DraftSpec::of(QObject& owner) {
  auto* draft = owner.findChild<DraftSpec*>(QString(), Qt::FindDirectChildrenOnly);
  return draft ? *draft : *new DraftSpec(&owner);
}

namespace {
const RunSpec& emptySpec() {
  static const RunSpec spec;
  return spec;
}
}  // namespace

const RunSpec& DraftSpec::spec() const {
  return m_spec ? *m_spec : emptySpec();
}

const RunSpec& DraftSpec::baseline() const {
  return m_base->baseline ? *m_base->baseline : emptySpec();
}

bool DraftSpec::ok() const {
  return loaded() && m_settled && m_readable && m_refused.empty() &&
         std::none_of(m_problems.begin(), m_problems.end(),
                      [](const Problem& p) { return p.severity == Severity::Error; });
}

int DraftSpec::lineOf(const std::string& path) const {
  const auto found = m_locations.find(path);
  return found != m_locations.end() && found->second.file == kDraftName ? found->second.line : 0;
}

bool DraftSpec::differsBelow(const std::string& path) const {
  const auto first = m_different.lower_bound(path);
  return first != m_different.end() && first->starts_with(path);
}

bool DraftSpec::dirty() const {
  return m_text != m_base->savedText;
}

QString DraftSpec::folderForPaths() const {
  return QString::fromStdString(folderOf(m_base->file).string());
}

std::string DraftSpec::resolved() const {
  RunSpec spec = this->spec();
  make_paths_absolute(spec, folderOf(m_base->file));
  return write_spec(spec);
}

// ---- Loading and saving -------------------------------------------------------------------------

void DraftSpec::load(const DraftOrigin& origin, const QString& path) {
  m_pause->stop();
  m_settled = false;
  tell(m_worker, [worker = m_worker, origin, path, generation = ++m_generation] {
    worker->load(origin, path, generation);
  });
  if (loaded()) Q_EMIT changed();  // nothing of it may be launched any more
}

/// A draft that was there before can be had back by one undo.
void DraftSpec::takeLoaded(const std::shared_ptr<Base>& base, const QString& text) {
  m_loading = true;
  m_refused.clear();
  if (loaded()) {
    push(tr("Open %1").arg(QFileInfo(base->origin.name).fileName()), {}, {text, nullptr, base},
         false);
  } else {
    show({text, nullptr, base}, false);
  }
}

void DraftSpec::takeSaved(const QString& path, const QString& text) {
  m_base->file = path;
  m_base->savedText = text;
  // It is that file's draft from now on; a fork stays one, as its weights come from the run.
  if (m_base->origin.kind != DraftOrigin::Kind::Fork) {
    m_base->origin = {DraftOrigin::Kind::File, path};
    m_base->runFolder.clear();
  }
  Q_EMIT saved(path);
  read(0);  // the command is another one, and relative paths are seen from another folder
  Q_EMIT changed();
}

void DraftSpec::loadPreset(const QString& name) {
  load({DraftOrigin::Kind::Preset, name}, {});
}

void DraftSpec::loadFile(const QString& path) {
  load({DraftOrigin::Kind::File, path}, path);
}

void DraftSpec::loadRun(const QString& id, const QString& folder, bool fork, std::int64_t step) {
  load({fork ? DraftOrigin::Kind::Fork : DraftOrigin::Kind::Clone, id, fork ? step : -1},
       folder + QStringLiteral("/run.toml"));
}

void DraftSpec::loadKept(const QString& id) {
  m_pause->stop();
  m_settled = false;
  tell(m_worker,
       [worker = m_worker, id, generation = ++m_generation] { worker->loadKept(id, generation); });
  if (loaded()) Q_EMIT changed();
}

QString DraftSpec::keptId() const {
  // A key that was set and reset leaves its table in the text, which is nothing to keep.
  const bool changed = dirty() && (!m_readable || differenceCount() > 0);
  const bool worth = loaded() && (changed || origin().kind == DraftOrigin::Kind::File);
  return worth ? draftId(origin()) : QString();
}

void DraftSpec::keep() {
  KeptDraft kept;
  kept.id = draftId(origin());
  kept.name = QString::fromStdString(spec().run.name);
  kept.origin = origin();
  kept.file = m_base->file;
  kept.runFolder = m_base->runFolder;
  kept.text = m_text;
  kept.savedText = m_base->savedText;
  kept.launchedText = m_base->launchedText;
  kept.changes = differenceCount();
  tell(m_worker,
       [worker = m_worker, kept, wanted = !keptId().isEmpty()] { worker->shelve(kept, wanted); });
}

void DraftSpec::listPresets() {
  tell(m_worker, [worker = m_worker] { worker->listPresets(); });
}

void DraftSpec::markLaunched(const QString& text) {
  if (!m_base) return;
  m_base->launchedText = text;
  m_keeper->start();
}

void DraftSpec::save(const QString& path) {
  tell(m_worker, [worker = m_worker, path, text = m_text] { worker->save(path, text); });
}

// ---- Reading ------------------------------------------------------------------------------------

void DraftSpec::read(int delayMs) {
  m_settled = false;
  ++m_generation;
  m_pause->start(delayMs);
}

void DraftSpec::take(const Reading& reading) {
  if (reading.generation != m_generation) return;
  if (const auto expected = std::exchange(m_expected, nullptr)) {
    // A way of writing TOML that the edit did not foresee: better every key than a wrong one.
    if (!reading.complete || !spec::changed_paths(*reading.spec, *expected).empty()) {
      m_text = QString::fromStdString(write_spec(*expected));
      Q_EMIT textReplaced();
      return read(0);
    }
  }
  m_settled = true;
  m_readable = reading.complete;
  m_problems = reading.problems;
  m_command = reading.command;
  if (reading.baseline && reading.complete) m_base->baseline = reading.baseline;
  if (reading.complete) {
    m_locations = reading.locations;
    m_spec = reading.spec;
    m_valuesOf = m_base;
  } else if (!m_spec) {
    m_spec = std::make_shared<RunSpec>();
  }
  compare();
  m_keeper->start();
  Q_EMIT changed();
  if (std::exchange(m_loading, false)) {
    Q_EMIT textReplaced();
    Q_EMIT draftLoaded();
  }
}

void DraftSpec::compare() {
  m_different.clear();
  if (!hasValues() || !m_base->baseline) return;
  for (const spec::Difference& difference : spec::differences(*m_spec, *m_base->baseline)) {
    if (difference.path != "run.preset") m_different.insert(difference.path);
  }
}

// ---- Changes ------------------------------------------------------------------------------------

void DraftSpec::show(const Snapshot& snapshot, bool typed) {
  m_loading = m_loading || m_base != snapshot.base;
  m_base = snapshot.base;
  m_text = snapshot.text;
  if (snapshot.spec) {
    m_spec = snapshot.spec;
    m_valuesOf = m_base;
  }
  m_expected = snapshot.spec;
  m_lastSet.clear();
  read(typed ? kTypingPauseMs : 0);
  if (!typed) {
    compare();
    Q_EMIT textReplaced();
    Q_EMIT changed();
  }
}

void DraftSpec::push(const QString& label, const QString& merge, Snapshot after, bool typed) {
  // Values only where they are known to be of this text.
  const auto before = m_expected ? m_expected : m_settled && m_readable ? m_spec : nullptr;
  m_undo->push(new Command(this, label, merge, {m_text, before, m_base}, std::move(after), typed));
}

void DraftSpec::change(const QString& label, const std::string& path, const QString& merge,
                       const std::function<void(RunSpec&)>& edit) {
  if (!m_spec) return;
  auto after = std::make_shared<RunSpec>(*m_spec);
  edit(*after);
  if (spec::differences(*after, *m_spec).empty()) return forgetRefused(path);
  try {
    const std::string text = spec::set_in_text(m_text.toStdString(), path, *after);
    m_refused.erase(path);
    push(label, merge, {QString::fromStdString(text), after, m_base}, false);
  } catch (const Error& error) {
    Q_EMIT failed(tr("The text has a mistake; mend it or undo before using the form: %1")
                      .arg(messageOf(error)));
    Q_EMIT changed();  // the form shows its values again
  }
}

std::optional<Problem> DraftSpec::setValue(const std::string& path, const spec::Value& value) {
  RunSpec after = spec();
  if (auto problem = spec::set_value(after, path, value)) return problem;
  const QString key = QString::fromStdString(path);
  change(tr("Set %1").arg(key), path, key,
         [&](RunSpec& target) { spec::set_value(target, path, value); });
  m_lastSet = path;
  return {};
}

void DraftSpec::refuse(const std::string& path, const QString& typed, const Problem& problem) {
  m_refused[path] = {typed, problem};
  m_refused[path].problem.key = path;
  Q_EMIT changed();
}

void DraftSpec::forgetRefused(const std::string& path) {
  if (m_refused.erase(path) > 0) Q_EMIT changed();
}

void DraftSpec::reset(const std::string& path) {
  forgetRefused(path);
  const QString label = tr("Reset %1").arg(QString::fromStdString(path));
  spec::Value value;
  try {
    value = spec::get_value(baseline(), path);
  } catch (const Error&) {
    return;  // of a list's element that the preset does not have
  }
  const bool layered =
      origin().kind == DraftOrigin::Kind::Preset && path.find('[') == std::string::npos;
  if (layered && m_readable && spec::text_sets(m_text.toStdString(), "preset")) {
    auto after = std::make_shared<RunSpec>(spec());
    spec::set_value(*after, path, value);
    const std::string text = spec::remove_from_text(m_text.toStdString(), path);
    push(label, {}, {QString::fromStdString(text), after, m_base}, false);
    return;
  }
  change(label, path, {}, [&](RunSpec& target) { spec::set_value(target, path, value); });
}

namespace {
/// The word of a key's place in the text exchanged for another.
QString renamed(const QString& text, const Problem& problem, const std::string& to) {
  QStringList lines = text.split(u'\n');
  if (problem.line < 1 || problem.line > lines.size()) return text;
  QString& line = lines[problem.line - 1];
  const auto dot = problem.key.rfind('.');
  const QString word =
      QString::fromStdString(dot == std::string::npos ? problem.key : problem.key.substr(dot + 1));
  const qsizetype at = line.indexOf(word, std::max(0, problem.column - 1));
  if (at >= 0) line.replace(at, word.size(), QString::fromStdString(to));
  return lines.join(u'\n');
}
}  // namespace

void DraftSpec::apply(const Problem& problem, const Fix& fix) {
  if (!fix.rename_to.empty()) {
    const QString label = tr("Rename to %1").arg(QString::fromStdString(fix.rename_to));
    push(label, {}, {renamed(m_text, problem, fix.rename_to), nullptr, m_base}, false);
    return;
  }
  QStringList keys;
  for (const auto& setting : fix.settings) keys << QString::fromStdString(setting.first);
  const QString label = tr("Set %1").arg(keys.join(QStringLiteral(", ")));
  m_undo->beginMacro(label);
  for (const auto& [key, value] : fix.settings) {
    forgetRefused(key);
    change(label, key, {}, [&](RunSpec& target) { spec::set_text(target, key, value); });
  }
  m_undo->endMacro();
}

void DraftSpec::setText(const QString& text) {
  if (text == m_text) return;
  m_refused.clear();  // whoever types there has left the form
  push(tr("Type"), QStringLiteral("typing"), {text, nullptr, m_base}, true);
}

void DraftSpec::writeOut() {
  if (!m_spec) return;
  push(tr("Write every key"), {}, {QString::fromStdString(write_spec(*m_spec)), m_spec, m_base},
       false);
}

}  // namespace tessera::ui
