// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/board_dialog.h"

#include <QBoxLayout>
#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>

#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"

namespace tessera::ui {

namespace {
constexpr int kIdRole = Qt::UserRole;
}  // namespace

BoardDialog::BoardDialog(const ChartBoard& board, QStringList taken, QWidget* parent)
    : QDialog(parent),
      m_taken(std::move(taken)),
      m_name(new QLineEdit(board.name, this)),
      m_list(new QListWidget(this)),
      m_problem(new TextLabel({}, theme::TextSize::Caption, this)),
      m_up(new QPushButton(tr("Move up"), this)),
      m_down(new QPushButton(tr("Move down"), this)),
      m_together(new QPushButton(tr("Draw together"), this)) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(board.name.isEmpty() ? tr("New board") : tr("Board %1").arg(board.name));
  resize(520, 600);
  auto* column = new QVBoxLayout(this);
  column->setSpacing(theme::kGrid);
  m_name->setPlaceholderText(tr("Name of the board"));
  m_name->setAccessibleName(tr("Name of the board"));
  m_list->setAccessibleName(tr("Charts of the board"));
  m_list->setSelectionMode(QAbstractItemView::ExtendedSelection);
  m_list->setDragDropMode(QAbstractItemView::InternalMove);
  column->addWidget(m_name);
  auto* hint =
      new TextLabel(tr("Space adds a chart to the board or hides it; Alt with an arrow, or "
                       "the mouse, moves it."),
                    theme::TextSize::Caption, this);
  hint->setTone(TextLabel::Tone::Secondary)->setWrapped();
  column->addWidget(hint);
  column->addWidget(m_list, 1);
  for (const QString& id : board.panels) addPanel(id, true);
  for (const ChartPanelSpec& spec : standardPanels()) {
    if (!board.panels.contains(spec.id)) addPanel(spec.id, false);
  }
  m_problem->setTone(TextLabel::Tone::Warning)->setWrapped();
  column->addWidget(m_problem);
  column->addWidget(buildButtons(board.name.isEmpty()));
  m_list->setCurrentRow(0);

  connect(m_name, &QLineEdit::textChanged, this, [this] { reflect(); });
  connect(m_list, &QListWidget::itemSelectionChanged, this, [this] { reflect(); });
  connect(m_list, &QListWidget::itemChanged, this, [this] { reflect(); });
  connect(m_up, &QPushButton::clicked, this, [this] { move(-1); });
  connect(m_down, &QPushButton::clicked, this, [this] { move(1); });
  m_list->installEventFilter(this);
  connect(m_together, &QPushButton::clicked, this, [this] { drawTogether(); });
  m_name->setFocus();
  reflect();
}

QWidget* BoardDialog::buildButtons(bool isNew) {
  auto* bar = new QWidget(this);
  auto* column = new QVBoxLayout(bar);
  column->setContentsMargins(0, 0, 0, 0);
  auto* order = new QHBoxLayout;
  for (QPushButton* button : {m_up, m_down, m_together}) {
    button->setAutoDefault(false);
    order->addWidget(button);
  }
  m_together->setToolTip(tr("Makes one chart of those that are chosen, beside theirs"));
  order->addStretch();
  column->addLayout(order);
  auto* end = new QHBoxLayout;
  if (!isNew) {
    auto* remove = new QPushButton(tr("Delete the board"), bar);
    remove->setAutoDefault(false);
    connect(remove, &QPushButton::clicked, this, [this] {
      Q_EMIT deleted();
      close();
    });
    end->addWidget(remove);
  }
  end->addStretch();
  auto* cancel = new QPushButton(tr("Cancel"), bar);
  cancel->setAutoDefault(false);
  connect(cancel, &QPushButton::clicked, this, &QDialog::reject);
  m_save = primaryButton(tr("Save the board"), bar);
  connect(m_save, &QPushButton::clicked, this, [this] {
    Q_EMIT saved(board());
    accept();
  });
  end->addWidget(cancel);
  end->addWidget(m_save);
  column->addLayout(end);
  return bar;
}

/// A chart of another version is kept, so that going back there shows it again.
void BoardDialog::addPanel(const QString& id, bool shown) {
  const auto spec = panelOf(id);
  auto* item = new QListWidgetItem(spec ? spec->title : tr("%1, unknown here").arg(id), m_list);
  item->setData(kIdRole, id);
  item->setSizeHint(QSize(0, theme::kRowHeight));
  item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable |
                 Qt::ItemIsDragEnabled);
  item->setCheckState(shown ? Qt::Checked : Qt::Unchecked);
}

ChartBoard BoardDialog::board() const {
  ChartBoard made{m_name->text().simplified(), {}};
  for (int i = 0; i < m_list->count(); ++i) {
    const QListWidgetItem* item = m_list->item(i);
    if (item->checkState() == Qt::Checked) made.panels << item->data(kIdRole).toString();
  }
  return made;
}

/// Alt with an arrow moves a chart; without Alt it goes to another one.
bool BoardDialog::eventFilter(QObject* object, QEvent* event) {
  if (object == m_list && event->type() == QEvent::KeyPress) {
    const auto* key = static_cast<QKeyEvent*>(event);
    const bool up = key->key() == Qt::Key_Up, down = key->key() == Qt::Key_Down;
    if ((up || down) && key->modifiers().testFlag(Qt::AltModifier)) {
      move(up ? -1 : 1);
      return true;
    }
  }
  return QDialog::eventFilter(object, event);
}

void BoardDialog::move(int by) {
  const int from = m_list->currentRow(), to = from + by;
  if (from < 0 || to < 0 || to >= m_list->count()) return;
  QListWidgetItem* item = m_list->takeItem(from);
  m_list->insertItem(to, item);
  m_list->setCurrentRow(to);
  reflect();
}

/// The chosen ones in the order of the list; the new chart stands behind the last of them.
void BoardDialog::drawTogether() {
  QStringList ids;
  int last = -1;
  for (int i = 0; i < m_list->count(); ++i) {
    if (!m_list->item(i)->isSelected()) continue;
    for (const QString& part : m_list->item(i)->data(kIdRole).toString().split(u'+')) {
      if (!ids.contains(part)) ids << part;
    }
    last = i;
  }
  if (ids.size() < 2) return;
  const QString id = ids.join(u'+');
  for (int i = 0; i < m_list->count(); ++i) {
    if (m_list->item(i)->data(kIdRole).toString() != id) continue;
    m_list->item(i)->setCheckState(Qt::Checked);
    return m_list->setCurrentRow(i, QItemSelectionModel::ClearAndSelect);
  }
  addPanel(id, true);
  m_list->insertItem(last + 1, m_list->takeItem(m_list->count() - 1));
  m_list->setCurrentRow(last + 1, QItemSelectionModel::ClearAndSelect);
  reflect();
}

void BoardDialog::reflect() {
  const int row = m_list->currentRow();
  setEnabledBecause(m_up, row > 0, tr("It is the first"));
  setEnabledBecause(m_down, row >= 0 && row + 1 < m_list->count(), tr("It is the last"));
  setEnabledBecause(m_together, m_list->selectedItems().size() > 1,
                    tr("Choose two charts or more, with Shift or Ctrl"));
  const ChartBoard now = board();
  const QString problem = now.name.isEmpty() ? tr("The board needs a name")
                          : m_taken.contains(now.name, Qt::CaseInsensitive)
                              ? tr("There is a board with this name already")
                              : QString();
  m_problem->setText(problem);
  setEnabledBecause(m_save, problem.isEmpty(), problem);
}

}  // namespace tessera::ui
