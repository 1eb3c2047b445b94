// SPDX-License-Identifier: MIT
#include "ui/shell/palette.h"

#include <QApplication>
#include <QKeyEvent>
#include <QListView>
#include <QPainter>
#include <QPointer>
#include <QStyledItemDelegate>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/shell/fuzzy.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {

constexpr std::size_t kMostShown = 100;
constexpr int kWidth = 600, kHeight = 420;

class Delegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;

  QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override {
    return {0, theme::kRowHeight + theme::kHalf};
  }

  void paint(QPainter* painter, const QStyleOptionViewItem& option,
             const QModelIndex& index) const override {
    const theme::Colors& c = theme::colors();
    const bool selected = option.state.testFlag(QStyle::State_Selected);
    const bool enabled = index.flags().testFlag(Qt::ItemIsEnabled);
    if (selected) painter->fillRect(option.rect, c.selection);
    QRect rest = option.rect.adjusted(theme::kGrid, 0, -theme::kGrid, 0);
    const QRect icon(rest.left(), rest.center().y() - theme::kIcon / 2 + 1, theme::kIcon,
                     theme::kIcon);
    index.data(Qt::DecorationRole).value<QIcon>().paint(painter, icon);
    rest.setLeft(icon.right() + theme::kGrid + 1);
    const QColor quiet = selected ? c.selectionText : c.textSecondary;
    painter->setFont(theme::font(theme::TextSize::Caption));
    painter->setPen(quiet);
    for (const int role :
         {static_cast<int>(PaletteModel::HintRole), static_cast<int>(PaletteModel::KindRole)}) {
      const QString text = index.data(role).toString();
      if (text.isEmpty()) continue;
      painter->drawText(rest, Qt::AlignVCenter | Qt::AlignRight, text);
      rest.setRight(rest.right() - painter->fontMetrics().horizontalAdvance(text) -
                    2 * theme::kGrid);
    }
    painter->setPen(!enabled ? c.textDisabled : selected ? c.selectionText : c.text);
    drawTitle(*painter, rest, index);
  }

 private:
  /// Letters that matched are bold.
  static void drawTitle(QPainter& painter, const QRect& rect, const QModelIndex& index) {
    const QString title = index.data().toString();
    const QVariantList marks = index.data(PaletteModel::PositionsRole).toList();
    const QFont plain = theme::font(theme::TextSize::Body);
    const QFont bold = theme::font(theme::TextSize::Body, false, true);
    int x = rect.left();
    for (int i = 0; i < title.size();) {
      const bool marked = marks.contains(i);
      int end = i + 1;
      while (end < title.size() && marks.contains(end) == marked) ++end;
      painter.setFont(marked ? bold : plain);
      const QFontMetrics metrics = painter.fontMetrics();
      const int room = rect.right() - x;
      if (room <= 0) return;
      const QString part = metrics.elidedText(title.mid(i, end - i), Qt::ElideRight, room);
      painter.drawText(QRect(x, rect.top(), room, rect.height()), Qt::AlignVCenter, part);
      x += metrics.horizontalAdvance(part);
      i = end;
    }
  }
};

}  // namespace

void PaletteModel::setEntries(std::vector<PaletteEntry> entries) {
  beginResetModel();
  m_entries = std::move(entries);
  m_shown.clear();
  endResetModel();
  setPattern({});
}

void PaletteModel::setPattern(const QString& pattern) {
  beginResetModel();
  m_shown.clear();
  for (std::size_t i = 0; i < m_entries.size(); ++i) {
    FuzzyMatch match = fuzzyMatch(pattern, m_entries[i].title);
    if (match.score < 0 && !m_entries[i].keywords.isEmpty()) {
      match = fuzzyMatch(pattern, m_entries[i].title + u' ' + m_entries[i].keywords);
      match.score = match.score < 0 ? -1 : match.score / 3;
      match.positions.clear();
    }
    if (match.score >= 0) m_shown.push_back({i, match.score, std::move(match.positions)});
  }
  const auto end =
      m_shown.begin() + static_cast<std::ptrdiff_t>(std::min(kMostShown, m_shown.size()));
  std::partial_sort(m_shown.begin(), end, m_shown.end(), [this](const Shown& a, const Shown& b) {
    if (a.score != b.score) return a.score > b.score;
    const bool onA = m_entries[a.entry].enabled, onB = m_entries[b.entry].enabled;
    return onA != onB ? onA : a.entry < b.entry;
  });
  m_shown.erase(end, m_shown.end());
  endResetModel();
}

const PaletteEntry& PaletteModel::entry(int row) const {
  return m_entries[m_shown[static_cast<std::size_t>(row)].entry];
}

int PaletteModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_shown.size());
}

QVariant PaletteModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= rowCount()) return {};
  const PaletteEntry& e = entry(index.row());
  switch (role) {
    case Qt::DisplayRole:
      return e.title;
    case Qt::DecorationRole:
      return theme::icon(e.icon.isEmpty() ? QStringLiteral("chevron-right") : e.icon);
    case Qt::ToolTipRole:
      return e.whyNot;
    case Qt::AccessibleTextRole:
      return QStringLiteral("%1: %2. %3").arg(e.kind, e.title, e.hint);
    case KindRole:
      return e.kind;
    case HintRole:
      return e.hint;
    case PositionsRole: {
      QVariantList marks;
      for (const int at : m_shown[static_cast<std::size_t>(index.row())].positions) marks += at;
      return marks;
    }
    default:
      return {};
  }
}

Palette::Palette(QWidget* window)
    : QFrame(window),
      m_field(new SearchField(tr("Find a command, page, run or setting"), 0)),
      m_model(new PaletteModel(this)),
      m_list(new QListView),
      m_nothing(new TextLabel(tr("Nothing is called that."))) {
  setObjectName(QStringLiteral("palette"));
  setAccessibleName(tr("Palette"));
  setAutoFillBackground(false);
  m_list->setModel(m_model);
  m_list->setItemDelegate(new Delegate(m_list));
  m_list->setUniformItemSizes(true);
  m_list->setFrameShape(QFrame::NoFrame);
  m_list->setFocusPolicy(Qt::NoFocus);
  m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_list->setAccessibleName(tr("What was found"));
  m_nothing->setTone(TextLabel::Tone::Secondary);
  m_nothing->setAlignment(Qt::AlignCenter);
  auto* box = new QVBoxLayout(this);
  box->setContentsMargins(theme::kGrid, theme::kGrid, theme::kGrid, theme::kGrid);
  box->addWidget(m_field);
  box->addWidget(m_list, 1);
  box->addWidget(m_nothing);
  connect(m_field, &SearchField::textChanged, this, [this](const QString& text) {
    m_model->setPattern(text);
    m_list->setCurrentIndex(m_model->index(0));
    m_nothing->setVisible(m_model->rowCount() == 0);
  });
  connect(m_field, &SearchField::left, this, &Palette::moveCurrent);
  connect(m_field, &SearchField::returnPressed, this, &Palette::runCurrent);
  connect(m_list, &QListView::clicked, this, &Palette::runCurrent);
  QFrame::hide();
}

void Palette::open(std::vector<PaletteEntry> entries) {
  if (isVisible()) return;
  m_before = window()->focusWidget();  // also while the window is not in front
  qApp->installEventFilter(this);
  m_model->setEntries(std::move(entries));
  m_field->clear();
  m_nothing->hide();
  place();
  show();
  raise();
  m_list->setCurrentIndex(m_model->index(0));
  m_field->setFocus(Qt::ShortcutFocusReason);
}

void Palette::dismiss() {
  if (!isVisible()) return;
  qApp->removeEventFilter(this);
  hide();
  if (m_before && m_before->isVisible()) m_before->setFocus(Qt::OtherFocusReason);
  m_before = nullptr;
}

void Palette::place() {
  const QRect room = parentWidget()->rect();
  const int width = std::min(kWidth, room.width() - 4 * theme::kGrid);
  const int height = std::min(kHeight, room.height() - 10 * theme::kGrid);
  setGeometry((room.width() - width) / 2, 6 * theme::kGrid, width, height);
}

void Palette::moveCurrent(int key) {
  const int rows = m_model->rowCount();
  if (rows == 0) return;
  const int page = std::max(1, m_list->height() / (theme::kRowHeight + theme::kHalf) - 1);
  const int by = key == Qt::Key_Up       ? -1
                 : key == Qt::Key_Down   ? 1
                 : key == Qt::Key_PageUp ? -page
                                         : page;
  int row = m_list->currentIndex().row() + by;
  if (key == Qt::Key_Up || key == Qt::Key_Down) row = (row + rows) % rows;
  m_list->setCurrentIndex(m_model->index(std::clamp(row, 0, rows - 1)));
}

void Palette::runCurrent() {
  const QModelIndex index = m_list->currentIndex();
  if (!index.isValid()) return;
  const PaletteEntry chosen = m_model->entry(index.row());
  if (!chosen.enabled) return;
  dismiss();
  if (chosen.run) chosen.run();
}

bool Palette::eventFilter(QObject* watched, QEvent* event) {
  switch (event->type()) {
    case QEvent::Resize:
      if (watched == parentWidget()) place();
      break;
    case QEvent::KeyPress:
      if (watched != m_field || static_cast<QKeyEvent*>(event)->key() != Qt::Key_Escape) break;
      dismiss();
      return true;
    case QEvent::MouseButtonPress: {  // beside it
      const auto* widget = qobject_cast<QWidget*>(watched);
      if (widget && widget != this && !isAncestorOf(widget)) dismiss();
      break;
    }
    case QEvent::FocusOut:
      if (watched != m_field || static_cast<QFocusEvent*>(event)->reason() != Qt::TabFocusReason) {
        break;
      }
      m_before = nullptr;
      dismiss();
      break;
    default:
      break;
  }
  return QFrame::eventFilter(watched, event);
}

void Palette::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(theme::colors().textDisabled, 1));
  painter.setBrush(theme::colors().raised);
  painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
}

}  // namespace tessera::ui
