// SPDX-License-Identifier: MIT
#include "ui/bridge/draft/data_look.h"

#include <QDir>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryFile>
#include <algorithm>
#include <utility>

#include "ui/bridge/desktop/last_words.h"

namespace tessera::ui {

namespace {
LookedDocument documentOf(const QJsonObject& o) {
  return {o["file"].toString(), o["line"].toInteger(),   o["bytes"].toInteger(),
          o["text"].toString(), o["dropped"].toString(), o["note"].toString()};
}

LookedSource sourceOf(const QJsonObject& o) {
  LookedSource source{.name = o["name"].toString(),
                      .files = o["files"].toInteger(),
                      .bytes = o["bytes"].toInteger(),
                      .read = o["read"].toInteger(),
                      .kept = o["kept"].toInteger(),
                      .whole = o["whole"].toBool()};
  const QJsonObject drops = o["dropped"].toObject();
  for (auto at = drops.begin(); at != drops.end(); ++at) {
    source.drops.emplace_back(at.key(), at.value().toInteger());
  }
  std::stable_sort(source.drops.begin(), source.drops.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const QJsonValue& warning : o["warnings"].toArray()) source.warnings << warning.toString();
  for (const QJsonValue& document : o["documents"].toArray()) {
    source.documents.push_back(documentOf(document.toObject()));
  }
  return source;
}

}  // namespace

DataLook::DataLook(QObject* parent) : QObject(parent) {}

DataLook::~DataLook() {
  drop();
}

void DataLook::start(const QString& program, const std::string& spec) {
  drop();
  m_spec = new QTemporaryFile(QDir::tempPath() + QStringLiteral("/tessera-look-XXXXXX.toml"), this);
  const bool written = m_spec->open() &&
                       m_spec->write(spec.data(), qint64(spec.size())) == qint64(spec.size()) &&
                       m_spec->flush();
  if (!written) {
    return end(tr("%1 cannot be written: %2").arg(m_spec->fileName(), m_spec->errorString()));
  }
  m_process = new QProcess(this);
  connect(m_process, &QProcess::finished, this, [this](int code, QProcess::ExitStatus status) {
    take(status == QProcess::NormalExit ? code : -1);
  });
  connect(m_process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
    if (error == QProcess::FailedToStart) end(m_process->errorString());
  });
  m_process->start(program, {QStringLiteral("data"), QStringLiteral("look"),
                             QStringLiteral("--json"), m_spec->fileName()});
}

void DataLook::cancel() {
  if (!m_process) return;
  end({}, true);
}

/// Reading is of no use to anybody any more; it must not hold up the window's end.
void DataLook::drop() {
  if (QProcess* process = std::exchange(m_process, nullptr)) {
    process->disconnect(this);
    process->setParent(nullptr);
    connect(process, &QProcess::finished, process, &QObject::deleteLater);
    if (process->state() == QProcess::NotRunning) process->deleteLater();
    process->kill();
  }
  delete std::exchange(m_spec, nullptr);
}

void DataLook::take(int code) {
  if (code != 0) {
    const QString said = lastWords(m_process->readAllStandardError());
    return end(!said.isEmpty() ? said
               : code < 0      ? tr("`tessera data look` was ended from outside or has crashed")
                               : tr("`tessera data look` ended with code %1").arg(code));
  }
  QJsonParseError error;
  const QJsonDocument answer = QJsonDocument::fromJson(m_process->readAllStandardOutput(), &error);
  if (!answer.isArray()) {
    return end(tr("The answer of `tessera data look` cannot be read: %1").arg(error.errorString()));
  }
  m_sources.clear();
  for (const QJsonValue& source : answer.array()) m_sources.push_back(sourceOf(source.toObject()));
  end({});
}

void DataLook::end(const QString& problem, bool cancelled) {
  drop();
  Q_EMIT ended(problem, cancelled);
}

}  // namespace tessera::ui
