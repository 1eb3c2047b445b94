// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/board_picker.h"

#include <QBoxLayout>
#include <QComboBox>
#include <QToolButton>
#include <algorithm>

#include "ui/bridge/desktop/preferences.h"
#include "ui/widgets/chart/board_dialog.h"
#include "ui/widgets/controls.h"

namespace tessera::ui {

BoardPicker::BoardPicker(Preferences& preferences, QWidget* parent)
    : QWidget(parent), m_preferences(preferences), m_box(new QComboBox(this)) {
  m_box->setAccessibleName(tr("Board of charts"));
  m_box->setToolTip(tr("Which charts are shown: all, or a board of your own"));
  m_box->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  m_box->setMaximumWidth(260);
  m_edit = iconButton(QStringLiteral("edit"), tr("Change this board"), this);
  m_new = iconButton(QStringLiteral("plus"), tr("Make a board of your own"), this);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kHalf);
  for (QWidget* w : std::initializer_list<QWidget*>{m_box, m_edit, m_new}) row->addWidget(w);
  row->addStretch();
  connect(m_box, &QComboBox::activated, this, [this] { show(m_box->currentData().toString()); });
  connect(m_edit, &QToolButton::clicked, this, [this] { edit(); });
  connect(m_new, &QToolButton::clicked, this, [this] { make(); });
  // Another page or window may have changed them.
  connect(&preferences, &Preferences::changed, this, [this](const QString& key) {
    if (!key.startsWith(QLatin1String("charts/board"))) return;
    fill();
    Q_EMIT panelsChanged();
  });
  fill();
}

std::vector<ChartPanelSpec> BoardPicker::panels() const {
  return panelsOf(m_preferences, shownBoard(m_preferences));
}

void BoardPicker::fill() {
  const QSignalBlocker quiet(m_box);
  m_box->clear();
  m_box->addItem(tr("All charts"), QString());
  for (const ChartBoard& board : chartBoards(m_preferences)) {
    m_box->addItem(board.name, board.name);
  }
  m_box->setCurrentIndex(std::max(0, m_box->findData(shownBoard(m_preferences))));
  setEnabledBecause(m_edit, m_box->currentIndex() > 0,
                    tr("All charts cannot be changed: make a board of your own"));
}

void BoardPicker::show(const QString& name) {
  keepShownBoard(m_preferences, name);
}

BoardDialog* BoardPicker::edit() {
  const QString name = m_box->currentData().toString();
  for (const ChartBoard& board : chartBoards(m_preferences)) {
    if (board.name == name) return openDialog(name, board.panels);
  }
  return nullptr;
}

/// It begins with what is shown now.
BoardDialog* BoardPicker::make() {
  QStringList ids;
  for (const ChartPanelSpec& spec : panels()) ids << spec.id;
  return openDialog({}, ids);
}

void BoardPicker::undoDelete() {
  keepBoards(m_preferences, m_before);
  show(m_deleted);
}

BoardDialog* BoardPicker::openDialog(const QString& name, const QStringList& panels) {
  QStringList taken;
  for (const ChartBoard& board : chartBoards(m_preferences)) {
    if (board.name != name) taken << board.name;
  }
  auto* dialog = new BoardDialog({name, panels}, taken, this);
  connect(dialog, &BoardDialog::saved, this, [this, name](const ChartBoard& made) {
    std::vector<ChartBoard> all = chartBoards(m_preferences);
    const auto old = std::find_if(all.begin(), all.end(), [&](const ChartBoard& board) {
      return !name.isEmpty() && board.name == name;
    });
    if (old != all.end()) {
      *old = made;
    } else {
      all.push_back(made);
    }
    keepBoards(m_preferences, all);
    show(made.name);
  });
  connect(dialog, &BoardDialog::deleted, this, [this, name] {
    m_before = chartBoards(m_preferences);
    m_deleted = name;
    std::vector<ChartBoard> left = m_before;
    std::erase_if(left, [&](const ChartBoard& board) { return board.name == name; });
    keepBoards(m_preferences, left);
    show({});
    Q_EMIT boardDeleted(name);
  });
  dialog->open();
  return dialog;
}

}  // namespace tessera::ui
