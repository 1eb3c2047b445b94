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
#include "core/run/paths.h"
#include "core/run/spec_edit.h"
#include "ui/bridge/worker_thread.h"

namespace tessera::ui {

namespace {
constexpr int kTypingPauseMs = 150;
constexpr qint64 kMergeMs = 1200;  ///< changes nearer to each other than this are one step of undo
/// The name that problems give to the draft's own text.
const char* const kDraftName = "draft";

QString messageOf(const std::exception& error) {
  return QString::fromUtf8(error.what());
}
}  // namespace

/// A text that was read: everything that follows from it.
struct DraftSpec::Reading {
  std::uint64_t generation = 0;
  std::shared_ptr<const RunSpec> spec, baseline;
  std::vector<Problem> problems;
  std::map<std::string, SpecLocation> locations;
  bool complete = true;
};

/// Reads files and texts; presets are files, so even that is not for the GUI thread.
class DraftSpec::Worker : public QObject {
 public:
  Worker(DraftSpec* draft, std::shared_ptr<Mailbox> mailbox)
      : m_draft(draft), m_mailbox(std::move(mailbox)) {}

  void load(DraftOrigin origin, const QString& path, std::uint64_t generation) {
    try {
      QString text, file;
      if (origin.kind == DraftOrigin::Kind::Preset) {
        text = QStringLiteral("preset = \"%1\"\n").arg(origin.name);
        read_preset(origin.name.toStdString());  // throws for a name that is none
      } else {
        file = path;
        text = QString::fromStdString(read_file(path.toStdString(), 4 << 20));
      }
      m_mailbox->post([draft = m_draft, origin, text, file, generation] {
        if (generation != draft->m_generation) return;
        draft->m_origin = origin;
        draft->m_file = origin.kind == DraftOrigin::Kind::File ? file : QString();
        draft->m_baseline.reset();
        draft->m_spec.reset();
        draft->m_expected.reset();
        draft->m_undo->clear();
        draft->m_text = text;
        draft->read(0);
      });
    } catch (const std::exception& error) {
      m_mailbox->post([draft = m_draft, message = messageOf(error), generation] {
        // What was there before stays, and is as good as it was.
        if (generation == draft->m_generation && draft->loaded()) draft->read(0);
        Q_EMIT draft->failed(message);
      });
    }
  }

  void read(const QString& text, const DraftOrigin& origin, const std::filesystem::path& folder,
            bool wantsBaseline, std::uint64_t generation) {
    auto reading = std::make_shared<Reading>();
    reading->generation = generation;
    try {
      SpecReading found = read_spec_text(text.toStdString(), folder / kDraftName);
      for (Problem& problem : found.problems) ownName(problem.file, folder);
      for (auto& [path, place] : found.locations) ownName(place.file, folder);
      reading->complete = found.complete;
      reading->problems = std::move(found.problems);
      reading->locations = std::move(found.locations);
      if (wantsBaseline) reading->baseline = baselineOf(found.spec, origin);
      reading->spec = std::make_shared<RunSpec>(std::move(found.spec));
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
    m_mailbox->post([draft = m_draft, path, problem] {
      if (!problem.isEmpty()) {
        Q_EMIT draft->failed(problem);
        return;
      }
      draft->m_file = path;
      draft->m_undo->setClean();
      Q_EMIT draft->saved(path);
    });
  }

 private:
  static void ownName(std::string& file, const std::filesystem::path& folder) {
    if (file == (folder / kDraftName).string()) file = kDraftName;
  }

  static std::shared_ptr<const RunSpec> baselineOf(const RunSpec& spec, const DraftOrigin& origin) {
    const bool isRun =
        origin.kind == DraftOrigin::Kind::Clone || origin.kind == DraftOrigin::Kind::Fork;
    if (isRun) return std::make_shared<RunSpec>(spec);
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
  void undo() override { m_draft->show(m_before, false); }
  void redo() override {
    m_draft->show(m_after, m_typed);
    m_typed = false;  // again only after an undo: then the editor does not have it
  }
  int id() const override { return m_merge.isEmpty() ? -1 : 1; }
  bool mergeWith(const QUndoCommand* other) override {
    const auto* next = static_cast<const Command*>(other);
    if (next->m_merge != m_merge || m_age.elapsed() > kMergeMs) return false;
    m_after = next->m_after;
    m_age.restart();
    return true;
  }

 private:
  DraftSpec* m_draft;
  QString m_merge;
  Snapshot m_before, m_after;
  bool m_typed;
  QElapsedTimer m_age;
};

DraftSpec::DraftSpec(QObject* parent)
    : QObject(parent),
      m_mailbox(std::make_shared<Mailbox>(this)),
      m_worker(new Worker(this, m_mailbox)),
      m_thread(std::make_unique<WorkerThread>(QStringLiteral("draft"), m_worker)),
      m_undo(new QUndoStack(this)),
      m_pause(new QTimer(this)) {
  m_undo->setUndoLimit(500);
  m_pause->setSingleShot(true);
  connect(m_pause, &QTimer::timeout, this, [this] {
    tell(m_worker, [worker = m_worker, text = m_text, origin = m_origin, folder = folder(),
                    wants = !m_baseline, generation = m_generation] {
      worker->read(text, origin, folder, wants, generation);
    });
  });
}

DraftSpec::~DraftSpec() {
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
  return m_baseline ? *m_baseline : emptySpec();
}

bool DraftSpec::ok() const {
  return loaded() && m_settled && m_readable &&
         std::none_of(m_problems.begin(), m_problems.end(),
                      [](const Problem& p) { return p.severity == Severity::Error; });
}

int DraftSpec::lineOf(const std::string& path) const {
  const auto found = m_locations.find(path);
  return found != m_locations.end() && found->second.file == kDraftName ? found->second.line : 0;
}

bool DraftSpec::dirty() const {
  return !m_undo->isClean();
}

std::filesystem::path DraftSpec::folder() const {
  return m_file.isEmpty() ? std::filesystem::path()
                          : std::filesystem::path(m_file.toStdString()).parent_path();
}

QString DraftSpec::folderForPaths() const {
  return QString::fromStdString(folder().string());
}

std::string DraftSpec::resolved() const {
  RunSpec spec = this->spec();
  if (!m_file.isEmpty()) make_paths_absolute(spec, folder());
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

void DraftSpec::listPresets() {
  tell(m_worker, [worker = m_worker] { worker->listPresets(); });
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
  const bool first = !m_spec;
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
  if (reading.baseline) m_baseline = reading.baseline;
  if (reading.complete) {
    m_locations = reading.locations;
    m_spec = reading.spec;
  } else if (first) {
    m_spec = reading.spec ? reading.spec : std::make_shared<RunSpec>();
  }
  compare();
  Q_EMIT changed();
  if (first) {
    Q_EMIT textReplaced();
    Q_EMIT draftLoaded();
  }
}

void DraftSpec::compare() {
  m_different.clear();
  if (!m_spec || !m_baseline) return;
  for (const spec::Difference& difference : spec::differences(*m_spec, *m_baseline)) {
    if (difference.path != "run.preset") m_different.insert(difference.path);
  }
}

// ---- Changes ------------------------------------------------------------------------------------

void DraftSpec::show(const Snapshot& snapshot, bool typed) {
  m_text = snapshot.text;
  if (snapshot.spec) m_spec = snapshot.spec;
  m_expected = snapshot.spec;
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
  m_undo->push(new Command(this, label, merge, {m_text, before}, std::move(after), typed));
}

void DraftSpec::change(const QString& label, const std::string& path, const QString& merge,
                       const std::function<void(RunSpec&)>& edit) {
  if (!m_spec) return;
  auto after = std::make_shared<RunSpec>(*m_spec);
  edit(*after);
  if (spec::differences(*after, *m_spec).empty()) return;
  try {
    const std::string text = spec::set_in_text(m_text.toStdString(), path, *after);
    push(label, merge, {QString::fromStdString(text), after}, false);
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
  return {};
}

void DraftSpec::reset(const std::string& path) {
  const QString label = tr("Reset %1").arg(QString::fromStdString(path));
  spec::Value value;
  try {
    value = spec::get_value(baseline(), path);
  } catch (const Error&) {
    return;  // of a list's element that the preset does not have
  }
  const bool layered =
      m_origin.kind == DraftOrigin::Kind::Preset && path.find('[') == std::string::npos;
  if (layered && m_readable && spec::text_sets(m_text.toStdString(), "preset")) {
    auto after = std::make_shared<RunSpec>(spec());
    spec::set_value(*after, path, value);
    const std::string text = spec::remove_from_text(m_text.toStdString(), path);
    push(label, {}, {QString::fromStdString(text), after}, false);
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
  const QString label = QString::fromStdString(fix.text());
  if (!fix.rename_to.empty()) {
    push(label, {}, {renamed(m_text, problem, fix.rename_to), nullptr}, false);
    return;
  }
  m_undo->beginMacro(label);
  for (const auto& [key, value] : fix.settings) {
    change(label, key, {}, [&](RunSpec& target) { spec::set_text(target, key, value); });
  }
  m_undo->endMacro();
}

void DraftSpec::setText(const QString& text) {
  if (text == m_text) return;
  push(tr("Type"), QStringLiteral("typing"), {text, nullptr}, true);
}

void DraftSpec::writeOut() {
  if (!m_spec) return;
  push(tr("Write every key"), {}, {QString::fromStdString(write_spec(*m_spec)), m_spec}, false);
}

// ---- The same by command line -------------------------------------------------------------------

namespace {
QString quoted(const QString& word) {
  static const QString kPlain =
      QStringLiteral("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/=+:,@%");
  const bool plain = !word.isEmpty() && std::all_of(word.begin(), word.end(),
                                                    [](QChar c) { return kPlain.contains(c); });
  if (plain) return word;
  QString inside = word;
  return u'\'' + inside.replace(u'\'', QStringLiteral("'\\''")) + u'\'';
}

/// The differences as --set options; nothing where they cannot be told that way.
std::optional<QString> settingsOf(const RunSpec& spec, const RunSpec& baseline) {
  if (spec.curriculum.size() != baseline.curriculum.size() ||
      spec.data.sources.size() != baseline.data.sources.size()) {
    return {};
  }
  QString text;
  for (const spec::Difference& d : spec::differences(spec, baseline)) {
    if (d.path == "run.preset") continue;
    if (d.path.find("learning_rate") != std::string::npos) return {};
    if (std::holds_alternative<std::monostate>(d.ours)) return {};
    text += QStringLiteral(" --set ") +
            quoted(QString::fromStdString(d.path + "=" + spec::format_value(d.ours)));
  }
  return text;
}
}  // namespace

QString DraftSpec::command() const {
  const auto settings = settingsOf(spec(), baseline());
  const QString file = quoted(m_file.isEmpty() ? QStringLiteral("spec.toml") : m_file);
  switch (m_origin.kind) {
    case DraftOrigin::Kind::Fork:
      if (settings) {
        return QStringLiteral("tessera resume %1 --fork%2").arg(quoted(m_origin.name), *settings);
      }
      break;
    case DraftOrigin::Kind::Preset:
      if (settings && settings->size() < 400) {
        return QStringLiteral("tessera train %1").arg(quoted(m_origin.name)) + *settings;
      }
      break;
    default:
      break;
  }
  return QStringLiteral("tessera train %1").arg(file);
}

}  // namespace tessera::ui
