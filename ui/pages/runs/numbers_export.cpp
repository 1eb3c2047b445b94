// SPDX-License-Identifier: MIT
#include <memory>

#include "ui/bridge/tasks.h"
#include "ui/pages/runs/run_actions.h"
#include "ui/widgets/chart/background.h"
#include "ui/widgets/chart/chart_export.h"

namespace tessera::ui {

NumbersExport::NumbersExport(Studio& studio, QStringList ids, QString target, bool targetIsFile,
                             QObject* parent)
    : QObject(parent),
      m_studio(studio),
      m_ids(std::move(ids)),
      m_target(std::move(target)),
      m_targetIsFile(targetIsFile) {
  m_task = studio.tasks.begin(tr("Exporting %n runs", nullptr, static_cast<int>(m_ids.size())),
                              [this] { finish(tr("cancelled")); });
  next();
}

void NumbersExport::next() {
  if (m_finished) return;
  if (m_done == m_ids.size()) return finish({});
  m_writing = false;
  m_studio.tasks.setProgress(
      m_task, static_cast<double>(m_done) / static_cast<double>(m_ids.size()), m_ids[m_done]);
  m_feed = m_studio.runs.feed(m_ids[m_done]);
  if (!m_feed) return finish(tr("There is no run %1 any more.").arg(m_ids[m_done]));
  connect(m_feed.get(), &RunFeed::changed, this, [this] { take(); });
  connect(m_feed.get(), &RunFeed::failed, this, [this](const QString& message) {
    if (!m_feed->loaded()) finish(message);
  });
  take();
}

/// Once the log was read: its numbers are copied here and written elsewhere.
void NumbersExport::take() {
  if (m_finished || m_writing || !m_feed->loaded()) return;
  m_writing = true;
  const QString id = m_ids[m_done];
  RunCurves curves(id, id);
  curves.update(m_feed->history(), m_feed);
  auto table = std::make_shared<const chart::CsvTable>(chart::csvTable(curves));
  m_feed->disconnect(this);
  m_feed.reset();
  const QString file = m_targetIsFile ? m_target : m_target + '/' + id + ".csv";
  inBackground(
      this, [table, file] { return chart::writeCsv(*table, file); },
      [this](const QString& error) {
        if (!error.isEmpty()) return finish(error);
        ++m_done;
        next();
      });
}

void NumbersExport::finish(const QString& error) {
  if (std::exchange(m_finished, true)) return;
  m_studio.tasks.finish(m_task, error);
  if (error.isEmpty()) {
    m_studio.navigator.toast(tr("Exported to %1").arg(m_target));
  } else {
    m_studio.navigator.notify(QStringLiteral("error"), tr("The export ended early. %1").arg(error));
  }
  deleteLater();
}

}  // namespace tessera::ui
