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

namespace {
bool isOneFile(const QMimeData& data) {
  const QList<QUrl> urls = data.urls();
  return urls.size() == 1 && urls.front().isLocalFile();
}

/// Fields of text would take a file's address as words, in the middle of a spec, say: a file is the
/// window's, wherever on it it is let go. Text that is dragged stays theirs.
class FilesAreTheWindows : public QObject {
 public:
  using QObject::QObject;

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override {
    if (event->type() != QEvent::DragEnter || !watched->isWidgetType()) return false;
    auto* drag = static_cast<QDragEnterEvent*>(event);
    if (qobject_cast<QMainWindow*>(watched) || !isOneFile(*drag->mimeData())) return false;
    if (!qobject_cast<QMainWindow*>(static_cast<QWidget*>(watched)->window())) return false;
    event->ignore();  // it is offered to the parents then
    return true;
  }
};
}  // namespace

void MainWindow::takeDrops() {
  setAcceptDrops(true);
  qApp->installEventFilter(new FilesAreTheWindows(this));
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  if (isOneFile(*event->mimeData())) event->acceptProposedAction();
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
