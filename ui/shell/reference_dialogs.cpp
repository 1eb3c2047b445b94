// SPDX-License-Identifier: MIT
#include "ui/shell/reference_dialogs.h"

#include <QCoreApplication>
#include <QDialog>
#include <QGridLayout>
#include <QListWidget>
#include <QPainter>
#include <QScrollArea>
#include <QTextBrowser>
#include <QVBoxLayout>

#include "ui/widgets/controls.h"
#include "ui/widgets/glossary.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {

QString say(const char* text) {
  return QCoreApplication::translate("ReferenceDialogs", text);
}

QDialog* dialogWith(QWidget* parent, const QString& name, const QString& title, const QSize& size) {
  auto* dialog = new QDialog(parent);
  dialog->setObjectName(name);
  dialog->setWindowTitle(title);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->resize(size);
  new QVBoxLayout(dialog);
  return dialog;
}

/// Keys as they stand on the keyboard.
class KeyLabel : public TextLabel {
 public:
  explicit KeyLabel(const QKeySequence& keys)
      : TextLabel(keys.toString(QKeySequence::NativeText), theme::TextSize::Caption) {
    setContentsMargins(theme::kGrid, 2, theme::kGrid, 2);
    setAlignment(Qt::AlignCenter);
  }

 protected:
  void paintEvent(QPaintEvent* event) override;
};

void KeyLabel::paintEvent(QPaintEvent* event) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(theme::colors().border, 1));
  painter.setBrush(theme::colors().surface);
  painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
  painter.end();
  TextLabel::paintEvent(event);
}

bool matches(const ShortcutLine& line, const QString& text) {
  return text.isEmpty() || line.title.contains(text, Qt::CaseInsensitive) ||
         line.keys.toString(QKeySequence::NativeText).contains(text, Qt::CaseInsensitive);
}

QWidget* shortcutTable(const std::vector<ShortcutLine>& lines, const QString& text) {
  auto* table = new QWidget;
  auto* grid = new QGridLayout(table);
  grid->setColumnStretch(0, 1);
  QString group;
  int row = 0;
  for (const ShortcutLine& line : lines) {
    if (!matches(line, text)) continue;
    if (line.group != group) {
      group = line.group;
      grid->addWidget(new TextLabel(group, theme::TextSize::Heading), row++, 0, 1, 2);
    }
    grid->addWidget(new TextLabel(line.title), row, 0);
    grid->addWidget(new KeyLabel(line.keys), row++, 1, Qt::AlignRight);
  }
  if (row == 0)
    grid->addWidget(
        new TextLabel(say(QT_TRANSLATE_NOOP("ReferenceDialogs", "No shortcut is called that."))),
        row++, 0);
  grid->setRowStretch(row, 1);
  return table;
}

}  // namespace

void showShortcutsDialog(QWidget* parent, const std::vector<ShortcutLine>& lines) {
  QDialog* dialog = dialogWith(parent, QStringLiteral("shortcuts"),
                               say(QT_TRANSLATE_NOOP("ReferenceDialogs", "Shortcuts")), {460, 560});
  auto* search = new SearchField(say(QT_TRANSLATE_NOOP("ReferenceDialogs", "Search shortcuts")), 0);
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setWidget(shortcutTable(lines, {}));
  dialog->layout()->addWidget(search);
  dialog->layout()->addWidget(area);
  QObject::connect(search, &SearchField::textChanged, area, [area, lines](const QString& text) {
    area->setWidget(shortcutTable(lines, text));
  });
  dialog->open();
}

void showGlossaryDialog(QWidget* parent, const QString& term) {
  QDialog* dialog = dialogWith(parent, QStringLiteral("glossary"),
                               say(QT_TRANSLATE_NOOP("ReferenceDialogs", "Glossary")), {720, 480});
  auto* search = new SearchField(say(QT_TRANSLATE_NOOP("ReferenceDialogs", "Search terms")), 0);
  auto* list = new QListWidget;
  auto* text = new QTextBrowser;
  text->setFrameShape(QFrame::NoFrame);
  auto* row = new QHBoxLayout;
  row->addWidget(list, 2);
  row->addWidget(text, 3);
  static_cast<QVBoxLayout*>(dialog->layout())->addWidget(search);
  static_cast<QVBoxLayout*>(dialog->layout())->addLayout(row);
  for (const QString& key : glossaryTerms()) {
    auto* item = new QListWidgetItem(glossaryEntry(key)->title, list);
    item->setData(Qt::UserRole, key);
  }
  list->sortItems();
  QObject::connect(list, &QListWidget::currentItemChanged, text, [text](QListWidgetItem* item) {
    text->setHtml(item ? glossaryTip(item->data(Qt::UserRole).toString()) : QString());
  });
  QObject::connect(search, &SearchField::textChanged, list, [list](const QString& wanted) {
    for (int i = 0; i < list->count(); ++i) {
      const QString key = list->item(i)->data(Qt::UserRole).toString();
      const GlossaryEntry* entry = glossaryEntry(key);
      const bool has = key.contains(wanted, Qt::CaseInsensitive) ||
                       entry->title.contains(wanted, Qt::CaseInsensitive) ||
                       entry->text.contains(wanted, Qt::CaseInsensitive);
      list->item(i)->setHidden(!has);
    }
  });
  for (int i = 0; i < list->count(); ++i) {
    const bool asked = list->item(i)->data(Qt::UserRole).toString() == term;
    if (asked || (term.isEmpty() && i == 0)) list->setCurrentRow(i);
  }
  dialog->open();
}

}  // namespace tessera::ui
