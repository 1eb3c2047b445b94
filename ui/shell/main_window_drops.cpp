// SPDX-License-Identifier: MIT
// What is dropped on the window is opened where it belongs.
#include <QCoreApplication>
#include <QDir>
#include <QDragEnterEvent>
#include <QFileInfo>
#include <QMimeData>
#include <QPointer>
#include <QThreadPool>
#include <QUrl>

#include "core/run/run_folder.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/dropped.h"
#include "ui/shell/main_window.h"

namespace tessera::ui {

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  const QList<QUrl> urls = event->mimeData()->urls();
  if (urls.size() == 1 && urls.front().isLocalFile()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  event->acceptProposedAction();
  const QString path = event->mimeData()->urls().value(0).toLocalFile();
  // A folder may be large and on a slow disk: it is looked at elsewhere.
  QThreadPool::globalInstance()->start([window = QPointer<MainWindow>(this), path] {
    const DroppedPath found = classifyDropped(path);
    QMetaObject::invokeMethod(
        qApp,
        [window, found] {
          if (window) window->takeDropped(found);
        },
        Qt::QueuedConnection);
  });
}

/// A checkpoint of a run is opened as that run's; any other model by its folder.
void MainWindow::talkTo(const QString& path) {
  const QFileInfo checkpoint(path);
  QDir run = checkpoint.dir();
  const bool ofRun = run.dirName() == QLatin1String("checkpoints") && run.cdUp() &&
                     RunFolder::is_run(run.path().toStdString());
  if (!ofRun) return open({QStringLiteral("chat"), path, {}});
  m_parts.runs.addRoot(QFileInfo(run.path()).path());
  open({QStringLiteral("chat"),
        run.dirName(),
        {{QStringLiteral("checkpoint"), checkpoint.fileName()}}});
}

void MainWindow::takeDropped(const DroppedPath& dropped) {
  const auto argument = [&](const char* name) {
    return QMap<QString, QString>{{QLatin1String(name), dropped.path}};
  };
  switch (dropped.kind) {
    case Dropped::Spec:
      return open({QStringLiteral("configure"), {}, argument("spec")});
    case Dropped::Text:
      return open({QStringLiteral("configure"), {}, argument("text")});
    case Dropped::Checkpoint:
      return talkTo(dropped.path);
    case Dropped::Run:
      m_parts.runs.addRoot(QFileInfo(dropped.path).path());
      return open({QStringLiteral("monitor"), QFileInfo(dropped.path).fileName(), {}});
    default:
      notify(QStringLiteral("warning"), dropped.why);
  }
}

}  // namespace tessera::ui
