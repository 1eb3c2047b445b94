// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/run_store.h"

#include <QHash>

#include "ui/bridge/runs/run_store_worker.h"

namespace tessera::ui {

struct RunStore::State {
  std::shared_ptr<Mailbox> mailbox;
  Worker* worker = nullptr;
  std::unique_ptr<WorkerThread> thread;
  RunRows rows = std::make_shared<const std::vector<RunRow>>();
  QHash<QString, std::size_t> index;
  bool loaded = false;
  quint64 edits = 0;  ///< made by the user, in this object
  std::vector<TrashedRun> trash;
  QHash<QString, std::weak_ptr<RunFeed>> feeds;
};

RunStore::RunStore(const QString& library, QObject* parent)
    : QObject(parent), m_state(std::make_unique<State>()) {
  State& s = *m_state;
  s.mailbox = std::make_shared<Mailbox>(this);
  s.worker = new Worker(library.toStdString(), s.mailbox, this);
  s.thread = std::make_unique<WorkerThread>("runs", s.worker);
  tell(s.worker, [worker = s.worker] { worker->start(); });
}

RunStore::~RunStore() {
  m_state->mailbox->close();
}

RunRows RunStore::runs() const {
  return m_state->rows;
}
bool RunStore::loaded() const {
  return m_state->loaded;
}

const RunRow* RunStore::run(const QString& id) const {
  const auto found = m_state->index.constFind(id);
  return found == m_state->index.constEnd() ? nullptr : &(*m_state->rows)[*found];
}

std::shared_ptr<RunFeed> RunStore::feed(const QString& id) {
  if (auto known = m_state->feeds.value(id).lock()) return known;
  const RunRow* row = run(id);
  if (!row) return nullptr;
  m_state->feeds.removeIf([](const auto& item) { return item.value().expired(); });
  // Whoever holds it last may be in one of its signals.
  std::shared_ptr<RunFeed> made(new RunFeed(id, row->folder),
                                [](RunFeed* feed) { feed->deleteLater(); });
  m_state->feeds.insert(id, made);
  return made;
}

/// Rows that were read before the newest edit would undo it for a moment: better ones are coming.
void RunStore::take(const RunRows& rows, quint64 edits) {
  State& s = *m_state;
  if (edits < s.edits) return;
  s.rows = rows;
  s.index.clear();
  s.index.reserve(static_cast<qsizetype>(rows->size()));
  for (std::size_t i = 0; i < rows->size(); ++i) {
    s.index.insert(QString::fromStdString((*rows)[i].id), i);
  }
  s.loaded = true;
  Q_EMIT runsChanged();
}

void RunStore::takeTrash(const std::vector<TrashedRun>& list) {
  m_state->trash = list;
  Q_EMIT trashChanged();
}

const std::vector<TrashedRun>& RunStore::trashed() const {
  return m_state->trash;
}

void RunStore::setColumns(const QStringList& columns) {
  RunColumns wanted;
  for (const QString& column : columns) wanted.push_back(column.toStdString());
  tell(m_state->worker, [worker = m_state->worker, wanted] { worker->setColumns(wanted); });
}

void RunStore::requestSettingNames() {
  tell(m_state->worker, [worker = m_state->worker] { worker->tellSettingNames(); });
}

void RunStore::refresh() {
  tell(m_state->worker, [worker = m_state->worker] { worker->refreshSoon(); });
}

void RunStore::addRoot(const QString& folder) {
  tell(m_state->worker,
       [worker = m_state->worker, path = std::filesystem::path(folder.toStdString())] {
         worker->addRoot(path);
       });
}

/// Shown at once; the worker writes it down and answers with what is true then.
void RunStore::edit(const QString& id, const std::function<void(RunRow&)>& change,
                    std::function<void(Worker&)> order) {
  State& s = *m_state;
  const auto found = s.index.constFind(id);
  if (found == s.index.constEnd()) {
    Q_EMIT failed(tr("There is no run %1.").arg(id));
    return;
  }
  ++s.edits;
  if (change) {
    auto rows = std::make_shared<std::vector<RunRow>>(*s.rows);
    change((*rows)[*found]);
    s.rows = std::move(rows);
  }
  tell(s.worker, [worker = s.worker, order = std::move(order)] { order(*worker); });
  if (change) Q_EMIT runsChanged();
}

void RunStore::setTags(const QString& id, const QStringList& tags) {
  std::vector<std::string> words;
  for (const QString& tag : tags) words.push_back(tag.toStdString());
  edit(
      id, [&words](RunRow& row) { row.tags = words; },
      [run = id.toStdString(), words](Worker& worker) {
        worker.change([&](Library& library) { library.set_tags(run, words); });
      });
}

void RunStore::setNotes(const QString& id, const QString& notes) {
  edit(
      id, [&notes](RunRow& row) { row.notes = notes.toStdString(); },
      [run = id.toStdString(), text = notes.toStdString()](Worker& worker) {
        worker.change([&](Library& library) { library.set_notes(run, text); });
      });
}

void RunStore::setName(const QString& id, const QString& name) {
  edit(
      id, [&name](RunRow& row) { row.name = name.toStdString(); },
      [run = id.toStdString(), text = name.toStdString()](Worker& worker) {
        worker.change([&](Library& library) { library.set_name(run, text); });
      });
}

void RunStore::setArchived(const QString& id, bool archived) {
  edit(
      id, [archived](RunRow& row) { row.archived = archived; },
      [run = id.toStdString(), archived](Worker& worker) {
        worker.change([&](Library& library) { library.set_archived(run, archived); });
      });
}

void RunStore::remove(const QString& id) {
  edit(id, {}, [run = id.toStdString()](Worker& worker) { worker.remove(run); });
}

void RunStore::restore(const QString& id) {
  ++m_state->edits;
  tell(m_state->worker,
       [worker = m_state->worker, run = id.toStdString()] { worker->restore(run); });
}

}  // namespace tessera::ui
