// SPDX-License-Identifier: MIT
#include "ui/pages/chat/chat_inspector.h"

#include <QCheckBox>
#include <QClipboard>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QGuiApplication>
#include <QHeaderView>
#include <QPainter>
#include <QPushButton>
#include <QSpinBox>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/pages/chat/expert_strip.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

// ---- AlternativesModel --------------------------------------------------------------------------

void AlternativesModel::assign(std::vector<ChatAlternative> alternatives, int chosen) {
  beginResetModel();
  m_rows = std::move(alternatives);
  m_chosen = chosen;
  endResetModel();
}

int AlternativesModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int AlternativesModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : 2;
}

QVariant AlternativesModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const ChatAlternative& row = at(index.row());
  const bool taken = row.id == m_chosen;
  if (role == Qt::DisplayRole) {
    if (index.column() == 1) return numbers::percent(double(row.probability));
    return taken ? tr("“%1” (taken)").arg(row.shown) : QStringLiteral("“%1”").arg(row.shown);
  }
  if (role == Qt::UserRole) return double(row.probability);
  if (role == Qt::ToolTipRole) return tr("Token %1").arg(row.id);
  if (role == Qt::TextAlignmentRole && index.column() == 1) {
    return QVariant(Qt::AlignRight | Qt::AlignVCenter);
  }
  if (role == Qt::FontRole && taken) return theme::font(theme::TextSize::Body, false, true);
  return {};
}

QVariant AlternativesModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  return section == 0 ? tr("Token") : tr("Probability");
}

namespace {
constexpr int kFieldWidth = 76;

/// A number with a bar behind it.
class BarDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option,
             const QModelIndex& index) const override {
    const double share = std::clamp(index.data(Qt::UserRole).toDouble(), 0.0, 1.0);
    if (!(option.state & QStyle::State_Selected)) {
      QRect bar = option.rect.adjusted(0, 3, 0, -3);
      bar.setLeft(bar.right() - static_cast<int>(bar.width() * share));
      painter->fillRect(bar, theme::mixed(theme::colors().surface, theme::colors().accent, 0.25));
    }
    QStyledItemDelegate::paint(painter, option, index);
  }
};

QDoubleSpinBox* real(double from, double to, double step, const QString& tip, QWidget* parent) {
  auto* box = new QDoubleSpinBox(parent);
  box->setRange(from, to);
  box->setSingleStep(step);
  box->setDecimals(2);
  box->setToolTip(tip);
  return box;
}

QSpinBox* whole(int from, int to, const QString& tip, QWidget* parent) {
  auto* box = new QSpinBox(parent);
  box->setRange(from, to);
  box->setToolTip(tip);
  return box;
}

QWidget* heading(const QString& text, QWidget* parent) {
  return new TextLabel(text, theme::TextSize::Heading, parent);
}
}  // namespace

// ---- ChatInspector ------------------------------------------------------------------------------

ChatInspector::ChatInspector(QWidget* parent) : QWidget(parent) {
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  auto* area = new ColumnArea(this);
  outer->addWidget(area);
  auto* content = new QWidget;
  auto* layout = new QVBoxLayout(content);
  layout->setContentsMargins(theme::kGrid, theme::kGrid, theme::kGrid, theme::kGrid);
  layout->setSpacing(theme::kGrid);
  layout->addWidget(tokenPart());
  layout->addWidget(separator(Qt::Horizontal, content));
  layout->addWidget(expertPart());
  layout->addWidget(separator(Qt::Horizontal, content));
  layout->addWidget(samplingPart());
  layout->addStretch(1);
  area->setWidget(content);
  setSampling({}, true);
  showNothing();
}

QWidget* ChatInspector::samplingPart() {
  auto* part = new QWidget(this);
  auto* layout = new QFormLayout(part);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(theme::kHalf);
  layout->setFieldGrowthPolicy(QFormLayout::ExpandingFieldsGrow);
  layout->addRow(heading(tr("Sampling"), part));
  m_temperature = real(0, 5, 0.05,
                       tr("Flattens or sharpens the probabilities before a token is drawn. "
                          "0 always takes the likeliest, 1 is as the model says."),
                       part);
  m_topP = real(0.01, 1, 0.01,
                tr("Only the likeliest tokens that together have this probability. 1: all."), part);
  m_topK = whole(0, 100000, tr("Only this many of the likeliest tokens. 0: all."), part);
  m_minP =
      real(0, 1, 0.01,
           tr("Only tokens with at least this share of the likeliest one's probability."), part);
  m_penalty = real(0.5, 3, 0.05,
                   tr("Makes tokens that were used already less likely. 1: no penalty."), part);
  m_maxTokens = whole(1, 1000000, tr("The longest answer, in tokens."), part);
  m_seed = whole(0, 2147483647,
                 tr("The same seed and conversation give the same answer, token by token."), part);
  m_fresh = new QCheckBox(tr("New seed each time"), part);
  layout->addRow(tr("Temperature"), m_temperature);
  layout->addRow(tr("Top-p"), m_topP);
  layout->addRow(tr("Top-k"), m_topK);
  layout->addRow(tr("Min-p"), m_minP);
  layout->addRow(tr("Repetition penalty"), m_penalty);
  layout->addRow(tr("Most tokens"), m_maxTokens);
  layout->addRow(tr("Seed"), m_seed);
  // Their ranges are wide; what is written in them is not.
  for (QAbstractSpinBox* box : std::initializer_list<QAbstractSpinBox*>{
           m_temperature, m_topP, m_topK, m_minP, m_penalty, m_maxTokens, m_seed}) {
    box->setMinimumWidth(kFieldWidth);
    box->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  }
  layout->addRow(m_fresh);
  auto* reset = new QPushButton(tr("Reset sampling"), part);
  layout->addRow(reset);
  for (int row = 0; row < layout->rowCount(); ++row) {
    auto* label = layout->itemAt(row, QFormLayout::LabelRole);
    auto* field = layout->itemAt(row, QFormLayout::FieldRole);
    if (label && field && label->widget() && field->widget()) {
      label->widget()->setToolTip(field->widget()->toolTip());
    }
  }
  const auto changed = [this] {
    m_seed->setEnabled(!m_fresh->isChecked());
    if (!m_filling) Q_EMIT samplingChanged();
  };
  for (QDoubleSpinBox* box : {m_temperature, m_topP, m_minP, m_penalty}) {
    connect(box, &QDoubleSpinBox::valueChanged, this, changed);
  }
  for (QSpinBox* box : {m_topK, m_maxTokens, m_seed}) {
    connect(box, &QSpinBox::valueChanged, this, changed);
  }
  connect(m_fresh, &QCheckBox::toggled, this, changed);
  connect(reset, &QPushButton::clicked, this, [this, changed] {
    setSampling({}, true);
    changed();
  });
  return part;
}

QWidget* ChatInspector::tokenPart() {
  auto* part = new QWidget(this);
  auto* layout = new QVBoxLayout(part);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(theme::kHalf);
  layout->addWidget(heading(tr("Token"), part));
  m_token = new TextLabel({}, theme::TextSize::Body, part);
  m_token->setWrapped()->setSelectable();
  m_tokenHint = new TextLabel(tr("Switch to Tokens above the messages and click one: here is what "
                                 "else it might have been."),
                              theme::TextSize::Caption, part);
  m_tokenHint->setTone(TextLabel::Tone::Secondary)->setWrapped();
  m_alternatives = new AlternativesModel(this);
  m_view = new QTableView(part);
  enableCopy(m_view);
  m_view->setModel(m_alternatives);
  m_view->setItemDelegateForColumn(1, new BarDelegate(m_view));
  m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_view->setSelectionMode(QAbstractItemView::SingleSelection);
  m_view->setShowGrid(false);
  m_view->verticalHeader()->hide();
  m_view->verticalHeader()->setDefaultSectionSize(theme::kRowHeight - theme::kHalf);
  m_view->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
  m_view->horizontalHeader()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
  m_view->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_view->setAccessibleName(tr("What the token might have been"));
  m_regrow = new QPushButton(theme::icon(QStringLiteral("branch")), tr("Regrow from this"), part);
  layout->addWidget(m_token);
  layout->addWidget(m_tokenHint);
  layout->addWidget(m_view);
  layout->addWidget(m_regrow, 0, Qt::AlignLeft);
  const auto grow = [this] {
    const QModelIndex row = m_view->currentIndex();
    if (row.isValid() && m_regrow->isEnabled()) {
      Q_EMIT regrow(m_index, m_at, m_alternatives->at(row.row()));
    }
  };
  connect(m_regrow, &QPushButton::clicked, this, grow);
  connect(m_view, &QTableView::activated, this, grow);
  connect(m_view->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
          &ChatInspector::refreshRegrow);
  return part;
}

QWidget* ChatInspector::expertPart() {
  auto* part = new QWidget(this);
  auto* layout = new QVBoxLayout(part);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(theme::kHalf);
  layout->addWidget(heading(tr("Experts"), part));
  m_expertNote = new TextLabel({}, theme::TextSize::Caption, part);
  m_expertNote->setTone(TextLabel::Tone::Secondary)->setWrapped();
  m_strip = new ExpertStrip(part);
  m_spanNote = new TextLabel({}, theme::TextSize::Caption, part);
  m_spanNote->setTone(TextLabel::Tone::Secondary)->setWrapped();
  m_usage = new UsageMap(part);
  m_spanList = new TextLabel({}, theme::TextSize::Caption, part);
  m_spanList->setTabular()->setWrapped()->setSelectable();
  m_table = new QPushButton(theme::icon(QStringLiteral("copy")), tr("Copy as table"), part);
  m_record = new QCheckBox(tr("Record experts of new answers"), part);
  m_record->setChecked(true);
  m_record->setToolTip(tr("What was read without a record is read once more when this is on."));
  for (QWidget* widget : {static_cast<QWidget*>(m_expertNote), static_cast<QWidget*>(m_strip),
                          static_cast<QWidget*>(m_spanNote), static_cast<QWidget*>(m_usage),
                          static_cast<QWidget*>(m_spanList), static_cast<QWidget*>(m_table),
                          static_cast<QWidget*>(m_record)}) {
    layout->addWidget(widget, 0, widget == m_table ? Qt::AlignLeft : Qt::Alignment());
  }
  connect(m_table, &QPushButton::clicked, this, &ChatInspector::copyTable);
  connect(m_record, &QCheckBox::toggled, this, [this] {
    if (!m_filling) Q_EMIT samplingChanged();
  });
  return part;
}

void ChatInspector::setSampling(const ChatSampling& s, bool fresh) {
  m_filling = true;
  m_temperature->setValue(s.temperature);
  m_topP->setValue(s.topP);
  m_topK->setValue(s.topK);
  m_minP->setValue(s.minP);
  m_penalty->setValue(s.repetitionPenalty);
  m_maxTokens->setValue(s.maxTokens);
  m_seed->setValue(static_cast<int>(s.seed & 0x7fffffff));
  m_fresh->setChecked(fresh);
  m_seed->setEnabled(!fresh);
  m_filling = false;
}

ChatSampling ChatInspector::sampling() const {
  ChatSampling s;
  s.temperature = m_temperature->value();
  s.topP = m_topP->value();
  s.topK = m_topK->value();
  s.minP = m_minP->value();
  s.repetitionPenalty = m_penalty->value();
  s.maxTokens = m_maxTokens->value();
  s.seed = static_cast<quint64>(m_seed->value());
  return s;
}

bool ChatInspector::freshSeed() const {
  return m_fresh->isChecked();
}

void ChatInspector::setRecording(bool experts) {
  m_filling = true;
  m_record->setChecked(experts);
  m_filling = false;
}

bool ChatInspector::recording() const {
  return m_record->isChecked();
}

void ChatInspector::setExpertNote(const QString& note) {
  m_record->setVisible(note.isEmpty());
  if (m_strip->rows().empty()) {
    m_expertNote->setText(note.isEmpty()
                              ? tr("Pick a token to see the experts that read it, layer by layer.")
                              : note);
  }
}

void ChatInspector::showNothing() {
  m_index = m_at = -1;
  m_token->clear();
  m_token->hide();
  m_tokenHint->show();
  m_view->hide();
  m_alternatives->assign({}, -1);
  m_strip->showToken(nullptr, -1, 0);
  m_usage->clear();
  m_expertNote->setText(tr("Pick a token to see the experts that read it, layer by layer."));
  m_spanNote->setText(
      tr("Select a part of an answer to compare what it used with the whole "
         "conversation."));
  m_spanList->hide();
  m_table->hide();
  m_regrow->hide();
}

void ChatInspector::showToken(const ChatMessage& message, int index, int token, int firstLayer) {
  if (!message.tokens || token < 0 || token >= message.tokens->size()) return showNothing();
  const TokenRecord& record = *message.tokens;
  m_index = index;
  m_at = token;
  m_token->setText(tr("“%1” · token %2 of %3 · probability %4")
                       .arg(record.shown(token, message.text))
                       .arg(token + 1)
                       .arg(record.size())
                       .arg(numbers::percent(double(record.probability(token)))));
  m_token->show();
  m_tokenHint->hide();
  std::vector<ChatAlternative> list = record.alternatives(token);
  const bool listed = std::any_of(list.begin(), list.end(), [&](const ChatAlternative& one) {
    return one.id == record.id(token);
  });
  if (!listed) {
    list.push_back(
        {record.id(token), record.shown(token, message.text), record.probability(token)});
  }
  m_alternatives->assign(std::move(list), record.id(token));
  const int rows = m_alternatives->rowCount();
  m_view->setFixedHeight(m_view->horizontalHeader()->sizeHint().height() +
                         rows * m_view->verticalHeader()->defaultSectionSize() + 4);
  m_view->show();
  m_regrow->show();
  refreshRegrow();
  m_strip->showToken(message.tokens, token, firstLayer);
  const bool known = !m_strip->rows().empty();
  m_expertNote->setText(known ? tr("Layer by layer, the heaviest gate weight first:")
                              : tr("The experts of this token were not recorded."));
  m_table->setVisible(known);
}

void ChatInspector::showSpan(const ChatMessage& message, int from, int to, int experts,
                             int firstLayer) {
  const bool span = message.tokens && to > from && message.tokens->layers() > 0 && experts > 0;
  if (!span) {
    m_usage->clear();
    m_spanList->hide();
    m_spanNote->setText(
        tr("Select a part of an answer to compare what it used with the whole "
           "conversation."));
    return;
  }
  const TokenRecord& record = *message.tokens;
  const std::vector<double> everywhere =
      message.usage ? *message.usage : record.usage(0, record.size(), experts);
  m_usage->showUsage(record.usage(from, to, experts), everywhere, record.layers(), experts,
                     firstLayer);
  m_spanNote->setText(
      tr("The selection (tokens: %1) against the whole conversation: each cell is an "
         "expert, rows are layers, the middle of the colours is as often as "
         "everywhere.")
          .arg(to - from));
  QStringList lines;
  for (const UsageMap::Row& row : m_usage->preferred(6)) {
    lines += tr("Layer %1, expert %2: %3, everywhere %4")
                 .arg(row.layer)
                 .arg(row.expert)
                 .arg(numbers::percent(row.share), numbers::percent(row.everywhere));
  }
  m_spanList->setText(lines.join(u'\n'));
  m_spanList->setVisible(!lines.isEmpty());
}

void ChatInspector::setBusy(bool busy) {
  m_busy = busy;
  refreshRegrow();
}

void ChatInspector::refreshRegrow() {
  const QModelIndex row = m_view->currentIndex();
  const bool other = row.isValid() && m_alternatives->at(row.row()).id != m_alternatives->chosen();
  setEnabledBecause(m_regrow, other && !m_busy,
                    m_busy ? tr("An answer is being written")
                           : tr("Pick a token from the list that was not taken"));
}

void ChatInspector::copyTable() {
  QGuiApplication::clipboard()->setText(m_strip->asText());
}

}  // namespace tessera::ui
