// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/run_queue.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSaveFile>
#include <algorithm>

#include "core/base/error.h"

namespace tessera::ui {

namespace {
constexpr int kVersion = 1;

QJsonObject toJson(const QueueEntry& e) {
  QJsonObject o{{"id", e.id}, {"name", e.name}, {"spec", e.spec}};
  if (!e.resume.isEmpty()) o["resume"] = e.resume;
  if (!e.forkFrom.isEmpty()) o["fork_from"] = e.forkFrom;
  if (e.forkStep >= 0) o["fork_step"] = static_cast<qint64>(e.forkStep);
  if (!e.problem.isEmpty()) o["problem"] = e.problem;
  if (!e.announced.isEmpty()) o["announced"] = e.announced;
  return o;
}

QueueEntry fromJson(const QJsonObject& o) {
  QueueEntry e;
  e.id = o["id"].toString();
  e.name = o["name"].toString();
  e.spec = o["spec"].toString();
  e.resume = o["resume"].toString();
  e.forkFrom = o["fork_from"].toString();
  e.forkStep = o["fork_step"].toInteger(-1);
  e.problem = o["problem"].toString();
  e.announced = o["announced"].toString();
  return e;
}

auto place(std::vector<QueueEntry>& entries, const QString& id) {
  return std::find_if(entries.begin(), entries.end(),
                      [&id](const QueueEntry& e) { return e.id == id; });
}
}  // namespace

QueueEntry* RunQueue::find(const QString& entryId) {
  const auto at = place(entries, entryId);
  return at == entries.end() ? nullptr : &*at;
}

void RunQueue::move(const QString& entryId, int to) {
  const auto at = place(entries, entryId);
  if (at == entries.end()) return;
  const auto target = entries.begin() + std::clamp(to, 0, static_cast<int>(entries.size()) - 1);
  if (target < at) {
    std::rotate(target, at, at + 1);
  } else {
    std::rotate(at, at + 1, target + 1);
  }
}

void RunQueue::remove(const QString& entryId) {
  const auto at = place(entries, entryId);
  if (at != entries.end()) entries.erase(at);
}

RunQueue RunQueue::load(const QString& path) {
  QFile file(path);
  if (!file.exists()) return {};
  if (!file.open(QIODevice::ReadOnly)) {
    throw Error(path.toStdString(), "cannot be read: " + file.errorString().toStdString());
  }
  QJsonParseError problem;
  const QJsonObject o = QJsonDocument::fromJson(file.readAll(), &problem).object();
  const int version = o["version"].toInt();
  if (problem.error != QJsonParseError::NoError || version < 1) {
    throw Error(path.toStdString(), "is no queue of runs");
  }
  if (version > kVersion) {
    throw Error(path.toStdString(), fmt::format("is a queue of version {}", version),
                "use a newer Tessera");
  }
  RunQueue queue;
  queue.paused = o["paused"].toBool();
  for (const auto& entry : o["entries"].toArray()) queue.add(fromJson(entry.toObject()));
  return queue;
}

void RunQueue::save(const QString& path) const {
  QJsonArray list;
  for (const QueueEntry& e : entries) list.append(toJson(e));
  const QJsonObject o{{"version", kVersion}, {"paused", paused}, {"entries", list}};
  QSaveFile file(path);
  const bool ok = file.open(QIODevice::WriteOnly) && file.write(QJsonDocument(o).toJson()) >= 0 &&
                  file.commit();
  if (!ok) {
    throw Error(path.toStdString(), "cannot be written: " + file.errorString().toStdString(),
                "free some space on this disk");
  }
}

}  // namespace tessera::ui
