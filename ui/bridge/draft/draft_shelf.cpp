// SPDX-License-Identifier: MIT
#include "ui/bridge/draft/draft_shelf.h"

#include <QCryptographicHash>
#include <QDir>
#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/config/paths.h"

namespace tessera::ui {

namespace {
constexpr std::size_t kMostKept = 30;
constexpr std::size_t kMostBytes = 8 << 20;
constexpr std::array kKinds = {"preset", "file", "clone", "fork"};

std::filesystem::path folder() {
  return home_folder() / "drafts";
}

std::filesystem::path fileOf(const QString& id) {
  return folder() / (id.toStdString() + ".json");
}

KeptDraft read(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, kMostBytes);
  const QJsonObject o = QJsonDocument::fromJson(QByteArray::fromStdString(bytes)).object();
  const auto kind = std::find(kKinds.begin(), kKinds.end(), o["kind"].toString().toStdString());
  if (kind == kKinds.end()) {
    throw Error(path.string(), "holds no draft of a spec", "delete the file");
  }
  KeptDraft draft;
  draft.id = QString::fromStdString(path.stem().string());
  draft.name = o["name"].toString();
  draft.origin.kind = static_cast<DraftOrigin::Kind>(kind - kKinds.begin());
  draft.origin.name = o["origin"].toString();
  draft.origin.step = o["step"].toInteger(-1);
  draft.file = o["file"].toString();
  draft.runFolder = o["run_folder"].toString();
  draft.text = o["text"].toString();
  draft.savedText = o["saved_text"].toString();
  draft.launchedText = o["launched_text"].toString();
  draft.changes = o["changes"].toInt();
  draft.time = QDateTime::fromString(o["time"].toString(), Qt::ISODate);
  return draft;
}
}  // namespace

QString draftId(const DraftOrigin& origin) {
  const QString words = QStringLiteral("%1|%2|%3")
                            .arg(QLatin1String(kKinds.at(static_cast<std::size_t>(origin.kind))))
                            .arg(origin.name)
                            .arg(origin.step);
  const QByteArray hash = QCryptographicHash::hash(words.toUtf8(), QCryptographicHash::Sha1);
  return QString::fromLatin1(hash.toHex().left(12));
}

void keepDraft(const KeptDraft& draft) {
  QJsonObject o;
  o["kind"] = QLatin1String(kKinds.at(static_cast<std::size_t>(draft.origin.kind)));
  o["origin"] = draft.origin.name;
  o["step"] = static_cast<qint64>(draft.origin.step);
  o["name"] = draft.name;
  o["file"] = draft.file;
  o["run_folder"] = draft.runFolder;
  o["text"] = draft.text;
  o["saved_text"] = draft.savedText;
  o["launched_text"] = draft.launchedText;
  o["changes"] = draft.changes;
  o["time"] = QDateTime::currentDateTimeUtc().toString(Qt::ISODate);
  std::filesystem::create_directories(folder());
  write_file_atomically(fileOf(draft.id), QJsonDocument(o).toJson().toStdString());
  const std::vector<KeptDraft> all = listDrafts();
  for (std::size_t i = kMostKept; i < all.size(); ++i) removeDraft(all[i].id);
}

void removeDraft(const QString& id) {
  std::error_code error;
  std::filesystem::remove(fileOf(id), error);
}

KeptDraft readDraft(const QString& id) {
  return read(fileOf(id));
}

std::vector<KeptDraft> listDrafts() {
  std::vector<KeptDraft> all;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder(), error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() != ".json") continue;
    try {
      all.push_back(read(entry->path()));
    } catch (const Error& problem) {
      log::warning("drafts: {}", problem.what());
    }
  }
  std::sort(all.begin(), all.end(),
            [](const KeptDraft& a, const KeptDraft& b) { return a.time > b.time; });
  return all;
}

}  // namespace tessera::ui
