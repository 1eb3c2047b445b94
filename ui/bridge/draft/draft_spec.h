// SPDX-License-Identifier: MIT
// DraftSpec: the spec that is being written, as text and as values at once. Forms set values, the
// editor sets text; either way the other follows, every change can be undone, and what is wrong is
// told in the words of the engine's own checker.
#pragma once

#include <QList>
#include <QObject>
#include <QString>
#include <QStringList>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/plan/fixes.h"
#include "core/spec/spec.h"
#include "core/spec/spec_table.h"
#include "ui/bridge/draft/draft_origin.h"

class QTimer;
class QUndoStack;

namespace tessera::ui {

class Mailbox;
class WorkerThread;

class DraftSpec : public QObject {
  Q_OBJECT
 public:
  explicit DraftSpec(QObject* parent = nullptr);
  ~DraftSpec() override;
  /// The one draft that pages share; made as a child of `owner` when it is first asked for.
  static DraftSpec& of(QObject& owner);

  // ---- What it is ------------------------------------------------------------------------------

  bool loaded() const { return m_spec != nullptr; }  ///< something was read at all
  const DraftOrigin& origin() const { return m_base->origin; }
  const QString& text() const { return m_text; }
  /// The values as of the last text that could be read.
  const RunSpec& spec() const;
  /// Where the draft started: the preset or the run; differences are seen from here.
  const RunSpec& baseline() const;
  /// spec() has values of this text or of an earlier version of it. False for a text that could
  /// not be read since it was loaded: what spec() answers then are defaults that nobody chose.
  bool hasValues() const { return m_spec && m_valuesOf == m_base; }
  /// The text is TOML, and its presets exist. Otherwise forms cannot edit it.
  bool readable() const { return m_readable; }
  /// The values belong to this text; false while it is being read.
  bool settled() const { return m_settled; }
  const std::vector<Problem>& problems() const { return m_problems; }
  bool ok() const;  ///< settled, nothing refused, without a problem of severity Error
  /// Line of the text that sets this key, counted from 1; 0 if the text does not set it.
  int lineOf(const std::string& path) const;
  bool differs(const std::string& path) const { return m_different.count(path) > 0; }
  /// Anything below a path differs, or is there on one side only.
  bool differsBelow(const std::string& path) const;
  int differenceCount() const { return static_cast<int>(m_different.size()); }
  bool dirty() const;  ///< changed since it was loaded or saved
  QUndoStack& undoStack() { return *m_undo; }

  /// Every key with its value, relative paths made absolute: what a run is started with.
  std::string resolved() const;
  /// The command that starts the same run: `tessera train demo --set curriculum[0].steps=100`.
  /// Empty while the text cannot be read. It is worked out with each reading of the text, so a
  /// change is in it once the draft is settled again.
  const QString& command() const { return m_command; }
  /// The folder that relative paths are seen from.
  QString folderForPaths() const;
  /// The folder of the run that is cloned or forked; empty for other drafts.
  const QString& runFolder() const { return m_base->runFolder; }
  /// The key that was set last by a form; empty if the last change was another one.
  const std::string& lastSet() const { return m_lastSet; }

  // ---- Loading, answered by draftLoaded() or failed(); one step of undo ------------------------

  void loadPreset(const QString& name);
  void loadFile(const QString& path);
  /// Another run's spec; `fork`: the new run goes on from a checkpoint of it.
  void loadRun(const QString& id, const QString& folder, bool fork, std::int64_t step = -1);
  /// One of the shelf of drafts (draft_shelf.h), with what was changed in it.
  void loadKept(const QString& id);
  /// Its place on that shelf; empty where there is nothing to be kept: a preset or run, unchanged.
  QString keptId() const;
  /// Answered by presetsListed().
  void listPresets();
  /// Writes the text where it came from or somewhere else; answered by saved() or failed().
  /// A run was started with this text: it is not lost where it is changed or left.
  void markLaunched(const QString& text);
  void save(const QString& path);

  // ---- Changes ---------------------------------------------------------------------------------

  /// Null where it was set. Otherwise what is wrong with the value; nothing changed then.
  std::optional<Problem> setValue(const std::string& path, const spec::Value& value);
  /// Any change of values; `path` is the key or list to be written anew ("curriculum"). Changes
  /// with the same `merge` in quick succession are undone as one.
  void change(const QString& label, const std::string& path, const QString& merge,
              const std::function<void(RunSpec&)>& edit);
  void reset(const std::string& path);
  /// A value that was typed into a form and that the key does not take. It is no part of the spec,
  /// and nothing is launched until it is corrected, undone or reset.
  struct Refused {
    QString typed;
    Problem problem;
  };
  void refuse(const std::string& path, const QString& typed, const Problem& problem);
  void forgetRefused(const std::string& path);
  const std::map<std::string, Refused>& refused() const { return m_refused; }
  void apply(const Problem& problem, const Fix& fix);
  /// As typed. The values follow a moment later.
  void setText(const QString& text);
  /// Every key into the text, with its help.
  void writeOut();

 Q_SIGNALS:
  /// Values, problems, differences or readability.
  void changed();
  /// The text, by anything but setText().
  void textReplaced();
  void draftLoaded();
  void saved(const QString& path);
  void presetsListed(const QList<QStringList>& presets);  ///< name and summary of each
  void failed(const QString& message);

 private:
  class Worker;
  class Command;
  /// Where a text began. All texts between two loads share one, also in the list of undo.
  struct Base {
    DraftOrigin origin;
    QString file;          ///< that it was read from or saved to; empty: none
    QString runFolder;     ///< folder of the run that is cloned or forked; empty: none
    QString launchedText;  ///< that a run was started with; empty: none
    QString savedText;     ///< as it is in the file, or as it was loaded
    std::shared_ptr<const RunSpec> baseline;
  };
  struct Snapshot {
    QString text;
    std::shared_ptr<const RunSpec> spec;
    std::shared_ptr<Base> base;
  };
  struct Reading;
  void load(const DraftOrigin& origin, const QString& path);
  void takeLoaded(const std::shared_ptr<Base>& base, const QString& text);
  void takeSaved(const QString& path, const QString& text);
  void push(const QString& label, const QString& merge, Snapshot after, bool typed);
  void show(const Snapshot& snapshot, bool typed);
  void read(int delayMs);
  void take(const Reading& reading);
  void compare();
  void keep();

  std::shared_ptr<Mailbox> m_mailbox;
  Worker* m_worker;
  std::unique_ptr<WorkerThread> m_thread;
  QUndoStack* m_undo;
  QTimer* m_pause;
  QTimer* m_keeper;
  std::shared_ptr<Base> m_base, m_valuesOf;
  QString m_text, m_command;
  std::string m_lastSet;
  std::shared_ptr<const RunSpec> m_spec;
  std::shared_ptr<const RunSpec> m_expected;  ///< what the text must read as, after a form's change
  std::vector<Problem> m_problems;
  std::map<std::string, SpecLocation> m_locations;
  std::set<std::string> m_different;
  std::map<std::string, Refused> m_refused;
  bool m_readable = true, m_settled = true, m_loading = false;
  std::uint64_t m_generation = 0;
};

}  // namespace tessera::ui
