// SPDX-License-Identifier: MIT
#include "ui/widgets/spec/draft_page.h"

#include <QApplication>
#include <QBoxLayout>
#include <QKeyEvent>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QToolButton>
#include <QUndoStack>

#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"

namespace tessera::ui {

DraftPage::DraftPage(Studio& studio, const QString& sentence, const QString& icon, QWidget* parent)
    : Page(studio, parent),
      m_draft(DraftSpec::of(studio.preferences)),
      m_body(new QWidget(this)),
      m_empty(new EmptyState(sentence, tr("Begin with the demo"), icon, this)) {
  connect(m_empty, &EmptyState::pressed, this,
          [this] { m_draft.loadPreset(QStringLiteral("demo")); });
  connect(&m_draft.undoStack(), &QUndoStack::indexChanged, this, &DraftPage::showUndo);
  connect(&m_draft, &DraftSpec::changed, this, &Page::commandChanged);
  connect(qApp, &QApplication::focusChanged, this, [this](QWidget*, QWidget* now) {
    const bool edits = qobject_cast<QLineEdit*>(now) || qobject_cast<QPlainTextEdit*>(now);
    if (edits && isAncestorOf(now)) now->installEventFilter(this);  // again is as once
  });
}

namespace {
/// Both that people know: which one is the desktop's own differs.
const QList<QKeySequence>& redoKeys() {
  static const QList<QKeySequence> keys = {QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_Z),
                                           QKeySequence(Qt::CTRL | Qt::Key_Y)};
  return keys;
}
}  // namespace

/// Undo is the draft's, wherever the focus is: a field that has nothing typed in it yet would eat
/// the key and do nothing.
bool DraftPage::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride) {
    auto* key = static_cast<QKeyEvent*>(event);
    const auto* line = qobject_cast<QLineEdit*>(watched);
    const auto* text = qobject_cast<QPlainTextEdit*>(watched);
    const bool typing = line ? line->isModified() : text && text->document()->isModified();
    const bool redo = redoKeys().contains(QKeySequence(key->keyCombination()));
    if (!typing && (redo || key->matches(QKeySequence::Undo))) {
      event->ignore();
      return true;
    }
  }
  return Page::eventFilter(watched, event);
}

QString DraftPage::command() const {
  return m_draft.loaded() ? m_draft.command() : QString();
}

QAction* DraftPage::addCommand(const QString& name, const char* icon, const QKeySequence& keys,
                               const std::function<void()>& run) {
  auto* action = new QAction(theme::icon(QString::fromLatin1(icon)), name, this);
  action->setShortcut(keys);
  // In all of the window while the page is shown, whatever has the focus.
  action->setShortcutContext(Qt::WindowShortcut);
  connect(action, &QAction::triggered, this, run);
  addAction(action);
  m_commands.push_back(action);
  return action;
}

void DraftPage::addUndoCommands() {
  addCommand(tr("Undo"), "undo", QKeySequence::Undo, [this] { m_draft.undoStack().undo(); });
  QAction* redo =
      addCommand(tr("Redo"), "redo", QKeySequence::Redo, [this] { m_draft.undoStack().redo(); });
  redo->setShortcuts(redoKeys());
}

void DraftPage::addUndoButtons(QBoxLayout* row) {
  m_undo = iconButton(QStringLiteral("undo"), tr("Undo"), this);
  m_redo = iconButton(QStringLiteral("redo"), tr("Redo"), this);
  row->addWidget(m_undo);
  row->addWidget(m_redo);
  connect(m_undo, &QToolButton::clicked, this, [this] { m_draft.undoStack().undo(); });
  connect(m_redo, &QToolButton::clicked, this, [this] { m_draft.undoStack().redo(); });
}

void DraftPage::showUndo() {
  if (!m_undo) return;
  const QUndoStack& undo = m_draft.undoStack();
  setEnabledBecause(m_undo, undo.canUndo(), tr("Nothing to undo"));
  setEnabledBecause(m_redo, undo.canRedo(), tr("Nothing to redo"));
  if (undo.canUndo()) m_undo->setToolTip(tr("Undo: %1").arg(undo.undoText()));
  if (undo.canRedo()) m_redo->setToolTip(tr("Redo: %1").arg(undo.redoText()));
}

void DraftPage::showBody() {
  m_body->setVisible(m_draft.loaded());
  m_empty->setVisible(!m_draft.loaded());
}

}  // namespace tessera::ui
