// SPDX-License-Identifier: MIT
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/runs/numbers_note.h"
#include "ui/pages/runs/run_actions.h"
#include "ui/widgets/chart/background.h"

namespace tessera::ui {

NumbersExport::NumbersExport(Studio& studio, QStringList ids, QString target, bool targetIsFile,
                             QObject* parent)
    : QObject(parent),
      m_studio(studio),
      m_ids(std::move(ids)),
      m_target(std::move(target)),
      m_targetIsFile(targetIsFile),
      m_cancel(std::make_shared<std::atomic<bool>>(false)) {
  m_task =
      studio.tasks.begin(tr("Exporting %n runs", nullptr, static_cast<int>(m_ids.size())), [this] {
        *m_cancel = true;
        finish(tr("cancelled"));
      });
  next();
}

void NumbersExport::next() {
  if (m_finished) return;
  if (m_done == m_ids.size()) return finish({});
  const QString id = m_ids[m_done];
  m_studio.tasks.setProgress(m_task,
                             static_cast<double>(m_done) / static_cast<double>(m_ids.size()), id);
  const RunRow* row = m_studio.runs.run(id);
  if (!row) return finish(tr("There is no run %1 any more.").arg(id));
  const std::filesystem::path log = row->folder / "events.log";
  const QString file = m_targetIsFile ? m_target : m_target + '/' + id + ".csv";
  inBackground(
      this,
      [log, file = file.toStdString(), cancel = m_cancel] {
        return write_run_numbers(log, file, numbers_format_of(file), cancel);
      },
      [this, id](const NumbersWritten& written) {
        if (written.cancelled) return;
        if (!written.error.empty()) return finish(QString::fromStdString(written.error));
        if (const QString note = numbersNote(written); !note.isEmpty()) {
          m_notes << QStringLiteral("%1: %2").arg(id, note);
        }
        ++m_done;
        next();
      });
}

void NumbersExport::finish(const QString& error) {
  if (std::exchange(m_finished, true)) return;
  m_studio.tasks.finish(m_task, error);
  if (!error.isEmpty()) {
    m_studio.navigator.notify(QStringLiteral("error"), tr("The export ended early. %1").arg(error));
  } else if (m_notes.isEmpty()) {
    m_studio.navigator.toast(tr("Exported to %1").arg(m_target));
  } else {
    m_studio.navigator.notify(
        QStringLiteral("info"),
        tr("Exported to %1. %2").arg(m_target, m_notes.join(QStringLiteral("\n"))));
  }
  deleteLater();
}

}  // namespace tessera::ui
