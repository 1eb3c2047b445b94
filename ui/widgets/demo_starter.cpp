// SPDX-License-Identifier: MIT
#include "ui/widgets/demo_starter.h"

#include <QPointer>
#include <QUuid>

#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell_context.h"

namespace tessera::ui {

DemoStarter::DemoStarter(Studio& studio, QObject* parent) : QObject(parent), m_studio(studio) {
  connect(&studio.launcher, &Launcher::started, this,
          [this](const QString& tag, const QString& run) {
            if (!m_busy || tag != m_tag) return;
            end({});
            m_studio.runs.refresh();
            Q_EMIT started(run);
          });
  connect(&studio.launcher, &Launcher::startFailed, this,
          [this](const QString& tag, const QString& message) {
            if (!m_busy || tag != m_tag) return;
            end(message);
            m_studio.navigator.notify(QStringLiteral("error"),
                                      tr("The demo could not be started: %1").arg(message),
                                      tr("Try again"), [self = QPointer(this)] {
                                        if (self) self->start();
                                      });
          });
}

void DemoStarter::start() {
  if (m_busy) return;
  m_busy = true;
  m_tag = QUuid::createUuid().toString(QUuid::WithoutBraces);
  m_task = m_studio.tasks.begin(tr("Starting the demo"));
  Q_EMIT busyChanged(true);
  m_studio.launcher.start(QStringLiteral("preset = \"demo\"\n"), m_tag);
}

void DemoStarter::end(const QString& error) {
  m_busy = false;
  m_studio.tasks.finish(m_task, error);
  Q_EMIT busyChanged(false);
}

}  // namespace tessera::ui
