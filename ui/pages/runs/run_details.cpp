// SPDX-License-Identifier: MIT
#include "ui/pages/runs/run_details.h"

#include <QEvent>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/bridge/runs/run_titles.h"
#include "ui/models/runs_model.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

using theme::TextSize;

namespace {
constexpr std::size_t kMostAncestors = 8, kMostChildren = 20;
}

RunDetails::RunDetails(Studio& studio, QWidget* parent) : QWidget(parent), m_studio(studio) {
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  m_nothing = new TextLabel(tr("Choose one run to see where it came from, its tags and notes."),
                            TextSize::Body, this);
  m_nothing->setTone(TextLabel::Tone::Secondary)->setWrapped();
  m_nothing->setMargin(theme::kGrid);
  m_content = new QWidget(this);
  outer->addWidget(m_nothing);
  outer->addWidget(m_content);
  outer->addStretch();

  auto* column = new QVBoxLayout(m_content);
  column->setContentsMargins(theme::kGrid, theme::kGrid, theme::kGrid, theme::kGrid);
  column->setSpacing(theme::kGrid);
  const auto caption = [&](const QString& text) {
    auto* label = new TextLabel(text, TextSize::Caption, m_content);
    label->setTone(TextLabel::Tone::Secondary);
    column->addWidget(label);
  };
  m_name = new TextLabel({}, TextSize::Heading, m_content);
  m_name->setWrapped()->setSelectable();
  m_badge = new StateBadge(RunState::Draft, m_content);
  m_reason = new TextLabel({}, TextSize::Body, m_content);
  m_reason->setWrapped()->setSelectable();
  m_numbers = new TextLabel({}, TextSize::Body, m_content);
  m_numbers->setTabular()->setWrapped();
  column->addWidget(m_name);
  column->addWidget(m_badge, 0, Qt::AlignLeft);
  column->addWidget(m_reason);
  column->addWidget(m_numbers);
  caption(tr("Lineage"));
  m_lineage = new QVBoxLayout;
  m_lineage->setSpacing(0);
  column->addLayout(m_lineage);
  caption(tr("Tags"));
  m_tags = new QLineEdit(m_content);
  m_tags->setPlaceholderText(tr("Words, with commas between"));
  m_tags->setAccessibleName(tr("Tags"));
  column->addWidget(m_tags);
  caption(tr("Notes"));
  m_notes = new QPlainTextEdit(m_content);
  m_notes->setAccessibleName(tr("Notes"));
  m_notes->setTabChangesFocus(true);
  m_notes->setFixedHeight(96);
  m_notes->installEventFilter(this);
  column->addWidget(m_notes);
  caption(tr("Folder"));
  m_folder = new TextLabel({}, TextSize::Caption, m_content);
  m_folder->setWrapped()->setSelectable();
  column->addWidget(m_folder);
  connect(m_tags, &QLineEdit::editingFinished, this, [this] { commit(); });
  connect(&studio.runs, &RunStore::runsChanged, this, [this] { refresh(); });
  refresh();
}

RunDetails::~RunDetails() = default;

void RunDetails::showRun(const QString& id) {
  if (id == m_id) return;
  commit();
  m_id = id;
  m_tags->setModified(false);
  m_notes->document()->setModified(false);
  refresh();
}

bool RunDetails::eventFilter(QObject* object, QEvent* event) {
  if (object == m_notes && event->type() == QEvent::FocusOut) commit();
  return QWidget::eventFilter(object, event);
}

/// What was written goes to the run it was written for.
void RunDetails::commit() {
  if (m_id.isEmpty() || !m_studio.runs.run(m_id)) return;
  if (m_tags->isModified()) {
    m_tags->setModified(false);
    m_studio.runs.setTags(m_id, RunsModel::tagsOf(m_tags->text()));
  }
  if (m_notes->document()->isModified()) {
    m_notes->document()->setModified(false);
    m_studio.runs.setNotes(m_id, m_notes->toPlainText());
  }
}

void RunDetails::refresh() {
  const RunRow* row = m_id.isEmpty() ? nullptr : m_studio.runs.run(m_id);
  m_nothing->setVisible(!row);
  m_content->setVisible(row);
  if (!row) return;
  m_name->setText(QString::fromStdString(row->name));
  const QString reason =
      row->missing ? tr("Its folder is gone. Move it back to %1, or remove the run from the list.")
                         .arg(QString::fromStdString(row->folder.string()))
                   : engineWord(row->reason);
  m_badge->setState(row->state, reason);
  m_badge->setVisible(!row->missing);
  m_reason->setText(reason);
  m_reason->setVisible(!reason.isEmpty());
  m_reason->setTone(row->missing || needsAttention(row->state) ? TextLabel::Tone::Bad
                                                               : TextLabel::Tone::Secondary);
  m_numbers->setText(
      tr("%1 steps\n%2\nLoss %3, validation %4")
          .arg(numbers::progress(row->step < 0 ? -1 : row->step + 1, row->total_steps),
               numbers::tokens(static_cast<double>(row->tokens)), numbers::fixed(row->loss, 4),
               numbers::fixed(row->validation_loss, 4)));
  m_folder->setText(QString::fromStdString(row->folder.string()));
  if (!m_tags->hasFocus()) {
    QStringList tags;
    for (const std::string& tag : row->tags) tags << QString::fromStdString(tag);
    m_tags->setText(tags.join(", "));
  }
  const QString notes = QString::fromStdString(row->notes);
  if (!m_notes->hasFocus() && m_notes->toPlainText() != notes) m_notes->setPlainText(notes);
  refreshLineage(*row);
}

/// Ancestors above, the run itself, its forks below; each is a link.
void RunDetails::refreshLineage(const RunRow& row) {
  const auto& store = m_studio.runs;
  std::vector<std::pair<QString, const RunRow*>> ancestors;  // nearest first
  QString key = m_id;
  for (const RunRow* at = &row; at && !at->parent.empty();) {
    const QString parent = QString::fromStdString(at->parent);
    if (ancestors.size() == kMostAncestors) break;
    at = store.run(parent);
    ancestors.emplace_back(parent, at);
    key += '<' + parent + (at ? QString::fromStdString(at->name) : QString());
  }
  std::vector<const RunRow*> children;
  for (const RunRow& other : *store.runs()) {
    if (other.parent != row.id) continue;
    children.push_back(&other);
    key += '>' + QString::fromStdString(other.id + other.name);
  }
  if (key == m_lineageKey) return;
  m_lineageKey = key;
  while (QLayoutItem* item = m_lineage->takeAt(0)) {
    if (QWidget* old = item->widget()) old->deleteLater();
    delete item;
  }
  if (children.size() > kMostChildren) children.resize(kMostChildren);
  // A fork mostly has its parent's name: then the ends of their ids tell them apart.
  QStringList ids;
  for (auto at = ancestors.rbegin(); at != ancestors.rend(); ++at) ids << at->first;
  ids << m_id;
  for (const RunRow* child : children) ids << QString::fromStdString(child->id);
  const QStringList titles = runTitles(store, ids);
  int depth = 0;
  qsizetype i = 0;
  for (auto at = ancestors.rbegin(); at != ancestors.rend(); ++at, ++i) {
    addRelative(at->second ? titles[i] : tr("%1 (not there)").arg(at->first), at->second != nullptr,
                at->first, depth++);
  }
  addRelative(titles[i++], true, m_id, depth);
  for (const RunRow* child : children) {
    addRelative(tr("%1, after %2 steps").arg(titles[i], numbers::whole(child->parent_step)), true,
                ids[i], depth + 1);
    ++i;
  }
  if (ancestors.empty() && children.empty()) {
    auto* alone = new TextLabel(tr("It was not forked, and nothing was forked from it."),
                                TextSize::Caption, m_content);
    alone->setTone(TextLabel::Tone::Secondary)->setWrapped();
    m_lineage->addWidget(alone);
  }
}

void RunDetails::addRelative(const QString& title, bool there, const QString& id, int depth) {
  auto* link = new QPushButton(title, m_content);
  link->setFlat(true);
  link->setFont(theme::font(TextSize::Body, false, id == m_id));
  link->setCursor(Qt::PointingHandCursor);
  link->setIcon(theme::icon(QStringLiteral("fork")));
  link->setToolTip(id);
  setEnabledBecause(link, there, tr("%1 is not among the runs").arg(id));
  connect(link, &QPushButton::clicked, this, [this, id] { Q_EMIT runRequested(id); });
  auto* line = new QHBoxLayout;
  line->setContentsMargins(depth * 2 * theme::kGrid, 0, 0, 0);
  line->addWidget(link);
  line->addStretch();
  auto* holder = new QWidget(m_content);
  holder->setLayout(line);
  m_lineage->addWidget(holder);
}

}  // namespace tessera::ui
