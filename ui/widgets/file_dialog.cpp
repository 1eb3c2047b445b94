// SPDX-License-Identifier: MIT
#include "ui/widgets/file_dialog.h"

#include <QAbstractFileIconProvider>
#include <QAbstractItemView>
#include <QApplication>
#include <QCompleter>
#include <QCoreApplication>
#include <QFileDialog>
#include <QFileInfo>
#include <QLineEdit>
#include <QPointer>
#include <QRegularExpression>
#include <QStyle>
#include <QTimer>

namespace tessera::ui {

namespace {
QWidget* outermost(QWidget* widget) {
  QWidget* window = widget->window();
  while (window->parentWidget()) window = window->parentWidget()->window();
  return window;
}

/// Tells files and folders apart without opening them. Qt's own provider reads the beginning of
/// each file whose name does not tell its type, in the window's thread: where reading waits, as in
/// a network folder whose server is gone or in /proc/kmsg, the window would freeze.
class NamesOnly : public QAbstractFileIconProvider {
  Q_DECLARE_TR_FUNCTIONS(NamesOnly)

 public:
  QIcon icon(IconType type) const override { return type == Folder ? m_folder : m_file; }
  QIcon icon(const QFileInfo& info) const override { return icon(info.isDir() ? Folder : File); }
  QString type(const QFileInfo& info) const override {
    if (info.isDir()) return tr("Folder");
    const QString suffix = info.suffix();
    return suffix.isEmpty() ? tr("File") : tr("%1 file").arg(suffix);
  }

  /// One for all dialogs: a dialog's own threads may ask it until the dialog is gone.
  static NamesOnly* forAll() {
    static NamesOnly one;
    return &one;
  }

 private:
  QIcon m_folder = QApplication::style()->standardIcon(QStyle::SP_DirIcon);
  QIcon m_file = QApplication::style()->standardIcon(QStyle::SP_FileIcon);
};

class KeptDialog : public QFileDialog {
 public:
  KeptDialog(QWidget* window, const QString& title) : QFileDialog(window, title) {
    setIconProvider(NamesOnly::forAll());
    setObjectName(title);
    // With several filters the suffix is that of the one that is picked: "JSON (*.json)".
    connect(this, &QFileDialog::filterSelected, this, [this](const QString& filter) {
      static const QRegularExpression suffix(QStringLiteral(R"(\*\.(\w+))"));
      const QString found = suffix.match(filter).captured(1);
      if (found.isEmpty()) return;
      setDefaultSuffix(found);
      // So is that of the name which is there already.
      for (QLineEdit* name : findChildren<QLineEdit*>(QStringLiteral("fileNameEdit"))) {
        QString text = name->text();
        const QString old = QFileInfo(text).suffix();
        const bool offered = !nameFilters().filter(QStringLiteral("*.%1)").arg(old)).isEmpty();
        if (old.isEmpty() || !offered) continue;
        text.chop(old.size());
        name->setText(text + found);
      }
    });
    connect(this, &QFileDialog::fileSelected, this,
            [](const QString& file) { lastFolder() = QFileInfo(file).absolutePath(); });
    // The list of names that complete what is typed is a window of its own, and may come up after
    // the dialog has gone.
    connect(this, &QDialog::finished, this, [this] {
      hideCompletions();
      QTimer::singleShot(0, this, &KeptDialog::hideCompletions);
    });
  }

  /// The folder that a file was chosen in last, in any dialog.
  static QString& lastFolder() {
    static QString folder;
    return folder;
  }

  void hideCompletions() {
    for (QLineEdit* name : findChildren<QLineEdit*>()) {
      if (name->completer()) name->completer()->popup()->hide();
    }
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
  const QFileInfo info(at);
  const bool hasFolder = at.contains(QLatin1Char('/'));
  if (!hasFolder && !KeptDialog::lastFolder().isEmpty()) {
    dialog->setDirectory(KeptDialog::lastFolder());
  }
  if (at.isEmpty()) return;
  // A name is a name, whatever has it in the folder that the studio was started in.
  const bool isName = !hasFolder;
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
