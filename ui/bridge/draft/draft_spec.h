// SPDX-License-Identifier: MIT
// DraftSpec: the spec that is being written, as text and as values at once. Forms set values, the
// editor sets text; either way the other follows, every change can be undone, and what is wrong is
// told in the words of the engine's own checker.
#pragma once

#include <QList>
#include <QObject>
#include <QString>
#include <QStringList>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/plan/fixes.h"
#include "core/run/spec.h"
#include "core/run/spec_table.h"

class QTimer;
class QUndoStack;

namespace tessera::ui {

class Mailbox;
class WorkerThread;

/// Where a draft came from.
struct DraftOrigin {
  enum class Kind { Preset, File, Clone, Fork };
  Kind kind = Kind::Preset;
  QString name;            ///< of the preset, path of the file, id of the run
  std::int64_t step = -1;  ///< of a fork's checkpoint; -1: the newest
};

class DraftSpec : public QObject {
  Q_OBJECT
 public:
  explicit DraftSpec(QObject* parent = nullptr);
  ~DraftSpec() override;
  /// The one draft that pages share; made as a child of `owner` when it is first asked for.
  static DraftSpec& of(QObject& owner);

  // ---- What it is ------------------------------------------------------------------------------

  bool loaded() const { return m_spec != nullptr; }  ///< something was read at all
  const DraftOrigin& origin() const { return m_origin; }
  const QString& text() const { return m_text; }
  /// The values as of the last text that could be read.
  const RunSpec& spec() const;
  /// Where the draft started: the preset or the run; differences are seen from here.
  const RunSpec& baseline() const;
  /// The text is TOML, and its presets exist. Otherwise forms cannot edit it.
  bool readable() const { return m_readable; }
  /// The values belong to this text; false while it is being read.
  bool settled() const { return m_settled; }
  const std::vector<Problem>& problems() const { return m_problems; }
  bool ok() const;  ///< settled, without a problem of severity Error
  /// Of a key that the text itself sets: from 1; 0: it does not.
  int lineOf(const std::string& path) const;
  bool differs(const std::string& path) const { return m_different.count(path) > 0; }
  int differenceCount() const { return static_cast<int>(m_different.size()); }
  bool dirty() const;  ///< changed since it was loaded or saved
  QUndoStack& undoStack() { return *m_undo; }

  /// Every key with its value, relative paths made absolute: what a run is started with.
  std::string resolved() const;
  /// As a person would type it: `tessera train demo --set curriculum[0].steps=100`.
  QString command() const;
  /// Of the file it came from, where relative paths are seen from; empty: none.
  QString folderForPaths() const;

  // ---- Loading, answered by loaded() or failed() -----------------------------------------------

  void loadPreset(const QString& name);
  void loadFile(const QString& path);
  /// Another run's spec; `fork`: the new run goes on from a checkpoint of it.
  void loadRun(const QString& id, const QString& folder, bool fork, std::int64_t step = -1);
  /// Answered by presetsListed().
  void listPresets();
  /// Writes the text where it came from or somewhere else; answered by saved() or failed().
  void save(const QString& path);

  // ---- Changes ---------------------------------------------------------------------------------

  /// Null where it was set. Otherwise what is wrong with the value; nothing changed then.
  std::optional<Problem> setValue(const std::string& path, const spec::Value& value);
  /// Any change of values; `path` is the key or list to be written anew ("curriculum"). Changes
  /// with the same `merge` in quick succession are undone as one.
  void change(const QString& label, const std::string& path, const QString& merge,
              const std::function<void(RunSpec&)>& edit);
  void reset(const std::string& path);
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
  struct Snapshot {
    QString text;
    std::shared_ptr<const RunSpec> spec;
  };
  struct Reading;
  void load(const DraftOrigin& origin, const QString& path);
  void push(const QString& label, const QString& merge, Snapshot after, bool typed);
  void show(const Snapshot& snapshot, bool typed);
  void read(int delayMs);
  void take(const Reading& reading);
  void compare();
  std::filesystem::path folder() const;

  std::shared_ptr<Mailbox> m_mailbox;
  Worker* m_worker;
  std::unique_ptr<WorkerThread> m_thread;
  QUndoStack* m_undo;
  QTimer* m_pause;
  DraftOrigin m_origin;
  QString m_file;  ///< that it was read from or saved to
  QString m_text;
  std::shared_ptr<const RunSpec> m_spec, m_baseline;
  std::shared_ptr<const RunSpec> m_expected;  ///< what the text must read as, after a form's change
  std::vector<Problem> m_problems;
  std::map<std::string, SpecLocation> m_locations;
  std::set<std::string> m_different;
  bool m_readable = true, m_settled = true;
  std::uint64_t m_generation = 0;
};

}  // namespace tessera::ui
