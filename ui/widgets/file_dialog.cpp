// SPDX-License-Identifier: MIT
#include "ui/widgets/file_dialog.h"

#include <QFileDialog>
#include <QFileInfo>
#include <QLineEdit>
#include <QPointer>
#include <QRegularExpression>

namespace tessera::ui {

namespace {
QWidget* outermost(QWidget* widget) {
  QWidget* window = widget->window();
  while (window->parentWidget()) window = window->parentWidget()->window();
  return window;
}

class KeptDialog : public QFileDialog {
 public:
  KeptDialog(QWidget* window, const QString& title) : QFileDialog(window, title) {
    setObjectName(title);
    // With several filters the suffix is that of the one that is picked: "JSON (*.json)".
    connect(this, &QFileDialog::filterSelected, this, [this](const QString& filter) {
      static const QRegularExpression suffix(QStringLiteral(R"(\*\.(\w+))"));
      const QString found = suffix.match(filter).captured(1);
      if (!found.isEmpty()) setDefaultSuffix(found);
    });
  }

  QPointer<QObject> opening;  ///< what the answer goes through: to who asked last
};

KeptDialog* keptOrNew(QWidget* window, const QString& title) {
  for (QObject* child : window->children()) {
    auto* kept = dynamic_cast<KeptDialog*>(child);
    if (kept && kept->objectName() == title) return kept;
  }
  return new KeptDialog(window, title);
}

void propose(QFileDialog* dialog, const QString& at) {
  if (auto* name = dialog->findChild<QLineEdit*>(QStringLiteral("fileNameEdit"))) name->clear();
  if (at.isEmpty()) return;
  const QFileInfo info(at);
  // A name is a name, whatever has it in the folder that the studio was started in.
  const bool isName = !at.contains(QLatin1Char('/'));
  if (!isName) dialog->setDirectory(info.isDir() ? at : info.path());
  if (isName || !info.isDir()) dialog->selectFile(info.fileName());
}
}  // namespace

QFileDialog* fileDialog(QWidget* window, QObject* owner, const QString& title,
                        std::function<void(const QString&)> chosen, const QString& at) {
  KeptDialog* dialog = keptOrNew(outermost(window), title);
  delete dialog->opening;
  dialog->opening = new QObject(owner);
  QObject::connect(dialog, &QFileDialog::fileSelected, dialog->opening.data(), std::move(chosen));
  propose(dialog, at);
  return dialog;
}

}  // namespace tessera::ui
