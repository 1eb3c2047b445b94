// SPDX-License-Identifier: MIT
#include "ui/pages/chat/conversation_tree.h"

#include <QAbstractItemDelegate>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMenu>
#include <QPushButton>
#include <QScrollBar>
#include <QShortcut>
#include <QStandardItemModel>
#include <QTreeView>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {
constexpr int kFile = Qt::UserRole + 1, kId = Qt::UserRole + 2, kTurn = Qt::UserRole + 3;
constexpr int kMostRows = 400, kWords = 80;

QString words(const QString& text) {
  return text.left(kWords).simplified();
}
}  // namespace

ConversationTree::ConversationTree(QWidget* parent)
    : QWidget(parent),
      m_search(new SearchField(tr("Search chats"), 120, this)),
      m_view(new QTreeView(this)),
      m_model(new QStandardItemModel(this)) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(theme::kGrid, theme::kGrid, 0, theme::kGrid);
  layout->setSpacing(theme::kGrid);
  auto* fresh = new QPushButton(theme::icon(QStringLiteral("plus")), tr("New chat"), this);
  layout->addWidget(fresh);
  layout->addWidget(m_search);
  layout->addWidget(m_view, 1);
  m_view->setModel(m_model);
  m_view->setHeaderHidden(true);
  m_view->setUniformRowHeights(true);
  m_view->setIndentation(2 * theme::kGrid);
  m_view->setTextElideMode(Qt::ElideRight);
  m_view->setContextMenuPolicy(Qt::CustomContextMenu);
  m_view->setEditTriggers(QAbstractItemView::EditKeyPressed);
  m_view->setAccessibleName(tr("Chats and their branches"));
  connect(fresh, &QPushButton::clicked, this, &ConversationTree::newWanted);
  connect(m_search, &SearchField::searched, this, [this](const QString& text) {
    m_filter = text;
    rebuild();
  });
  connect(m_view, &QTreeView::clicked, this, &ConversationTree::activate);
  connect(m_view, &QTreeView::activated, this, &ConversationTree::activate);
  connect(m_view, &QWidget::customContextMenuRequested, this, &ConversationTree::menu);
  connect(m_model, &QStandardItemModel::itemChanged, this, [this](QStandardItem* item) {
    if (m_building || !item->data(kId).isValid()) return;
    Q_EMIT renameWanted(item->data(kFile).toString(), item->data(kId).toString(), item->text());
  });
  connect(
      m_view->itemDelegate(), &QAbstractItemDelegate::closeEditor, this,
      [this] {
        if (m_behind) rebuild();
      },
      Qt::QueuedConnection);  // the editor is gone by then
  auto* remove = new QShortcut(QKeySequence(Qt::Key_Delete), m_view);
  remove->setContext(Qt::WidgetShortcut);
  connect(remove, &QShortcut::activated, this, [this] {
    const QModelIndex index = m_view->currentIndex();
    if (index.data(kId).isValid()) {
      Q_EMIT removeWanted(index.data(kFile).toString(), index.data(kId).toString());
    }
  });
}

void ConversationTree::setList(const std::vector<ChatEntry>& list) {
  m_list = list;
  rebuild();
}

void ConversationTree::setCurrent(const Conversation& conversation) {
  m_current = conversation;
  m_path = conversation.path(0);
  rebuild();
}

bool ConversationTree::matches(const ChatEntry& entry) const {
  return m_filter.isEmpty() || entry.header.title.contains(m_filter, Qt::CaseInsensitive);
}

/// Rows are made anew, but not under the hand: a title that is being edited stays, and so does what
/// the list was scrolled to.
void ConversationTree::rebuild() {
  m_behind = m_view->isPersistentEditorOpen(m_view->currentIndex());
  if (m_behind) return;
  m_building = true;
  const int scrolled = m_view->verticalScrollBar()->value();
  const bool same = std::exchange(m_shownId, m_current.id) == m_current.id;
  const QString at = m_view->currentIndex().data(kId).toString();
  m_model->clear();
  const auto add = [&](const QString& file, const QString& id, const QString& title,
                       const QDateTime& updated) {
    auto* item = new QStandardItem(title.isEmpty() ? tr("New chat") : title);
    item->setData(file, kFile);
    item->setData(id, kId);
    item->setToolTip(item->text() + u'\n' +
                     numbers::ageOf(static_cast<double>(updated.toSecsSinceEpoch())));
    item->setSizeHint(QSize(0, theme::kRowHeight));
    m_model->appendRow(item);
    if (same && id == at) m_view->setCurrentIndex(item->index());
    if (id != m_current.id) return;
    QFont font = item->font();
    font.setBold(true);
    item->setFont(font);
    fillTurns(item);
    m_view->expand(item->index());
    if (!same || at.isEmpty()) m_view->setCurrentIndex(item->index());
  };
  const bool listed = std::any_of(m_list.begin(), m_list.end(), [this](const ChatEntry& entry) {
    return entry.header.id == m_current.id;
  });
  if (!listed) add({}, m_current.id, m_current.titleOrBeginning(), m_current.updated);
  for (const ChatEntry& entry : m_list) {
    const bool current = entry.header.id == m_current.id;
    const QString title = current ? m_current.titleOrBeginning() : entry.header.title;
    if (current || matches(entry)) {
      add(entry.file, entry.header.id, title, entry.header.updated);
    }
  }
  if (same) {
    m_view->doItemsLayout();  // else the bar does not reach so far yet
    m_view->verticalScrollBar()->setValue(scrolled);
  }
  m_building = false;
}

void ConversationTree::fillTurns(QStandardItem* parent) {
  m_rows = 0;
  addTurns(parent, -1);
}

/// What the user said, one row a turn as long as there is one way on; where there are several, each
/// is a row with its own turns below.
void ConversationTree::addTurns(QStandardItem* parent, int from) {
  while (m_rows < kMostRows) {
    std::vector<int> next;  // what the user said next, after any of the answers
    for (const int child : m_current.children(from)) {
      if (m_current.at(child).side != 0) continue;
      if (!m_current.at(child).isAnswer()) next.push_back(child);
      for (const int after : m_current.children(child)) {
        if (m_current.at(child).isAnswer() && m_current.at(after).side == 0) next.push_back(after);
      }
    }
    if (next.empty()) return;
    for (const int turn : next) {
      auto* item = new QStandardItem(words(m_current.at(turn).text));
      item->setEditable(false);
      item->setData(turn, kTurn);
      const bool shown = std::find(m_path.begin(), m_path.end(), turn) != m_path.end();
      if (next.size() > 1) item->setIcon(theme::icon(QStringLiteral("branch")));
      if (!shown) item->setForeground(theme::colors().textSecondary);
      item->setToolTip(shown ? item->text() : tr("Another branch: %1").arg(item->text()));
      parent->appendRow(item);
      ++m_rows;
      if (next.size() > 1) addTurns(item, turn);
      if (next.size() > 1 && shown) m_view->expand(item->index());
    }
    if (next.size() > 1) return;
    from = next.front();
  }
}

void ConversationTree::activate(const QModelIndex& index) {
  if (index.data(kTurn).isValid()) return Q_EMIT turnPicked(index.data(kTurn).toInt());
  if (index.data(kId).toString() != m_current.id) Q_EMIT opened(index.data(kFile).toString());
}

void ConversationTree::menu(const QPoint& at) {
  const QModelIndex index = m_view->indexAt(at);
  if (!index.data(kId).isValid()) return;
  auto* menu = new QMenu(this);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  const QString file = index.data(kFile).toString(), id = index.data(kId).toString();
  const QPersistentModelIndex row(index);
  QAction* rename = menu->addAction(theme::icon(QStringLiteral("edit")), tr("Rename"));
  QAction* remove = menu->addAction(theme::icon(QStringLiteral("trash")), tr("Remove"));
  connect(rename, &QAction::triggered, this, [this, row] {
    if (row.isValid()) m_view->edit(row);
  });
  connect(remove, &QAction::triggered, this, [this, file, id] { Q_EMIT removeWanted(file, id); });
  menu->popup(m_view->viewport()->mapToGlobal(at));
}

}  // namespace tessera::ui
