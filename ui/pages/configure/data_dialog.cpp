// SPDX-License-Identifier: MIT
#include "ui/pages/configure/data_dialog.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QHeaderView>
#include <QPlainTextEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableWidget>
#include <QVBoxLayout>
#include <array>

#include "ui/bridge/draft/data_look.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/table_copy.h"

namespace tessera::ui {

namespace {
constexpr int kBeginning = 160;  ///< characters of a document in its row

/// Reasons as core/data names them (core/data/source.h), in words.
QString reasonWord(const QString& reason) {
  static constexpr std::array<std::pair<const char*, const char*>, 19> kWords{{
      {"empty", QT_TRANSLATE_NOOP("DropReason", "empty")},
      {"unreadable", QT_TRANSLATE_NOOP("DropReason", "cannot be read")},
      {"binary", QT_TRANSLATE_NOOP("DropReason", "not text")},
      {"invalid_text", QT_TRANSLATE_NOOP("DropReason", "not UTF-8")},
      {"damaged_archive", QT_TRANSLATE_NOOP("DropReason", "damaged archive")},
      {"broken_json", QT_TRANSLATE_NOOP("DropReason", "broken JSON")},
      {"no_text_field", QT_TRANSLATE_NOOP("DropReason", "no text field")},
      {"huge_line", QT_TRANSLATE_NOOP("DropReason", "line too long to read")},
      {"too_short", QT_TRANSLATE_NOOP("DropReason", "too short")},
      {"too_long", QT_TRANSLATE_NOOP("DropReason", "too long")},
      {"few_letters", QT_TRANSLATE_NOOP("DropReason", "few letters")},
      {"many_symbols", QT_TRANSLATE_NOOP("DropReason", "many symbols")},
      {"control_characters", QT_TRANSLATE_NOOP("DropReason", "control characters")},
      {"long_lines", QT_TRANSLATE_NOOP("DropReason", "long lines")},
      {"long_words", QT_TRANSLATE_NOOP("DropReason", "long words")},
      {"repeated_lines", QT_TRANSLATE_NOOP("DropReason", "repeated lines")},
      {"repeated_phrases", QT_TRANSLATE_NOOP("DropReason", "repeated phrases")},
      {"exact_duplicate", QT_TRANSLATE_NOOP("DropReason", "duplicate")},
      {"near_duplicate", QT_TRANSLATE_NOOP("DropReason", "nearly a duplicate")},
  }};
  for (const auto& [name, word] : kWords) {
    if (reason == QLatin1String(name)) return QCoreApplication::translate("DropReason", word);
  }
  return QString(reason).replace(u'_', u' ');
}

QString placeOf(const LookedDocument& document) {
  const QString file = QFileInfo(document.file).fileName();
  return document.line > 0 ? QStringLiteral("%1:%2").arg(file).arg(document.line) : file;
}

QString verdictOf(const LookedDocument& document) {
  if (document.dropped.isEmpty()) return DataDialog::tr("kept");
  return DataDialog::tr("dropped: %1").arg(reasonWord(document.dropped));
}

QTableWidget* makeTable(const QString& name, const QStringList& titles, QWidget* parent) {
  auto* table = new QTableWidget(0, static_cast<int>(titles.size()), parent);
  table->setAccessibleName(name);
  table->setHorizontalHeaderLabels(titles);
  table->setSelectionBehavior(QAbstractItemView::SelectRows);
  table->setSelectionMode(QAbstractItemView::SingleSelection);
  table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table->setShowGrid(false);
  table->setWordWrap(false);
  table->setTabKeyNavigation(false);
  table->verticalHeader()->hide();
  table->verticalHeader()->setDefaultSectionSize(theme::kRowHeight);
  table->horizontalHeader()->setHighlightSections(false);
  table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  table->horizontalHeader()->setStretchLastSection(true);
  enableCopy(table);
  return table;
}

/// As wide as what they hold, with a gap to the next one.
void fitColumns(QTableWidget& table, int columns) {
  for (int column = 0; column < columns; ++column) {
    table.resizeColumnToContents(column);
    table.setColumnWidth(column, table.columnWidth(column) + 2 * theme::kGrid);
  }
}

void setCells(QTableWidget& table, int row, const QStringList& texts) {
  for (int i = 0; i < texts.size(); ++i) {
    auto* item = new QTableWidgetItem(texts[i]);
    item->setToolTip(texts[i]);
    table.setItem(row, i, item);
  }
}
}  // namespace

DataDialog::DataDialog(DraftSpec& draft, QWidget* parent)
    : QDialog(parent), m_draft(draft), m_look(new DataLook(this)) {
  setObjectName(QStringLiteral("data-dialog"));
  setWindowTitle(tr("The data, before it is trained on"));
  setAttribute(Qt::WA_DeleteOnClose);
  resize(1000, 640);
  auto* column = new QVBoxLayout(this);
  column->setSpacing(theme::kGrid);
  column->addWidget(makeTop());
  m_empty = new EmptyState({}, tr("Read again"), QStringLiteral("eye"), this);
  connect(m_empty, &EmptyState::pressed, this, &DataDialog::read);
  m_stack = new QStackedWidget(this);
  m_stack->addWidget(m_empty);
  m_stack->addWidget(makeContent());
  column->addWidget(m_stack, 1);
  connect(m_look, &DataLook::ended, this, [this](const QString& problem, bool cancelled) {
    m_problem = problem;
    m_cancelled = cancelled;
    if (problem.isEmpty() && !cancelled) {
      m_hasRead = true;
      showSources();
    }
    showState();
  });
  connect(&m_draft, &DraftSpec::changed, this, &DataDialog::showState);
  read();
}

QWidget* DataDialog::makeTop() {
  auto* top = new QWidget(this);
  auto* row = new QHBoxLayout(top);
  row->setContentsMargins(0, 0, 0, 0);
  m_state = new TextLabel({}, theme::TextSize::Body, top);
  m_state->setWrapped()->setSelectable();
  m_state->setObjectName(QStringLiteral("data-state"));
  m_bar = new QProgressBar(top);
  m_bar->setRange(0, 0);
  m_bar->setTextVisible(false);
  m_bar->setFixedWidth(160);
  m_bar->setAccessibleName(tr("Reading the sources"));
  m_again = new QPushButton(top);
  row->addWidget(m_state, 1);
  row->addWidget(m_bar);
  row->addWidget(m_again);
  connect(m_again, &QPushButton::clicked, this, [this] {
    if (m_look->running()) return m_look->cancel();
    read();
  });
  return top;
}

QWidget* DataDialog::makeContent() {
  m_sources = makeTable(tr("Sources"), {tr("Source"), tr("Kept"), tr("Files"), tr("Size")}, this);
  m_documents = makeTable(tr("Documents"),
                          {tr("Document"), tr("Verdict"), tr("Length"), tr("Begins with")}, this);
  m_facts = new TextLabel({}, theme::TextSize::Caption, this);
  m_facts->setTone(TextLabel::Tone::Secondary)->setWrapped()->setSelectable();
  m_text = new QPlainTextEdit(this);
  m_text->setReadOnly(true);
  m_text->setAccessibleName(tr("Beginning of the document"));
  m_text->setFrameShape(QFrame::NoFrame);
  auto* right = new QWidget(this);
  auto* column = new QVBoxLayout(right);
  column->setContentsMargins(theme::kGrid, 0, 0, 0);
  column->setSpacing(theme::kGrid);
  column->addWidget(m_facts);
  auto* down = new QSplitter(Qt::Vertical, right);
  down->setChildrenCollapsible(false);
  down->addWidget(m_documents);
  down->addWidget(m_text);
  down->setStretchFactor(0, 2);
  down->setStretchFactor(1, 1);
  column->addWidget(down, 1);
  auto* across = new QSplitter(Qt::Horizontal, this);
  across->setChildrenCollapsible(false);
  across->addWidget(m_sources);
  across->addWidget(right);
  across->setSizes({340, 640});
  connect(m_sources, &QTableWidget::itemSelectionChanged, this, &DataDialog::showSource);
  connect(m_documents, &QTableWidget::itemSelectionChanged, this, &DataDialog::showDocument);
  return across;
}

void DataDialog::read() {
  if (!m_draft.hasValues()) return showState();
  const QString program = Launcher::program();
  m_problem.clear();
  m_cancelled = false;
  if (program.isEmpty()) {
    m_problem = tr("The program `tessera` was not found beside this one");
    return showState();
  }
  m_readSpec = m_draft.resolved();
  m_look->start(program, m_readSpec);
  showState();
}

void DataDialog::showState() {
  const bool running = m_look->running();
  const bool readable = m_draft.loaded() && m_draft.hasValues();
  const bool changed = m_hasRead && readable && m_draft.resolved() != m_readSpec;
  QString text =
      tr("The first documents of each source as a run would read them. Nothing is "
         "built.");
  if (running) text = tr("Reading the beginning of each source");
  if (!running && changed) text = tr("The draft was changed since: read again to see its data.");
  if (!running && m_cancelled) text = tr("Reading was cancelled.");
  if (!readable) text = tr("The text of the draft cannot be read, so its sources are not known.");
  if (!m_problem.isEmpty()) text = m_problem;
  m_state->setText(text);
  m_state->setTone(!m_problem.isEmpty() ? TextLabel::Tone::Bad : TextLabel::Tone::Plain);
  m_bar->setVisible(running);
  m_again->setText(running ? tr("Cancel") : tr("Read again"));
  setEnabledBecause(m_again, running || readable, tr("The text cannot be read"));
  const bool shown = m_hasRead && !m_look->sources().empty();
  m_empty->setSentence(running     ? tr("The sources are being read.")
                       : m_hasRead ? tr("The spec has no source.")
                                   : tr("No source has been read yet."));
  m_empty->button()->setVisible(!running);
  m_stack->setCurrentIndex(shown ? 1 : 0);
}

void DataDialog::showSources() {
  const int before = m_sources->currentRow();
  const auto count = static_cast<int>(m_look->sources().size());
  m_sources->clearSelection();
  m_sources->setRowCount(count);
  for (int i = 0; i < count; ++i) {
    const LookedSource& s = m_look->sources()[static_cast<std::size_t>(i)];
    setCells(*m_sources, i,
             {s.name, tr("%1 of %2").arg(numbers::whole(s.kept), numbers::whole(s.read)),
              numbers::whole(s.files), numbers::bytes(static_cast<double>(s.bytes))});
  }
  fitColumns(*m_sources, 4);
  if (count > 0) m_sources->selectRow(std::clamp(before, 0, count - 1));
}

const LookedSource* DataDialog::source() const {
  const auto row = static_cast<std::size_t>(m_sources->currentRow());
  return row < m_look->sources().size() ? &m_look->sources()[row] : nullptr;
}

void DataDialog::showSource() {
  const LookedSource* s = source();
  m_documents->setRowCount(0);
  m_text->clear();
  if (!s) return m_facts->clear();
  const QString kept = numbers::whole(s->kept), read = numbers::whole(s->read);
  QStringList lines{s->whole ? tr("Documents read: %1, all of them. Kept: %2.").arg(read, kept)
                             : tr("Documents read: %1, the first ones. Kept: %2.").arg(read, kept)};
  QStringList drops;
  for (const auto& [reason, count] : s->drops) {
    const double share =
        static_cast<double>(count) / static_cast<double>(std::max<qint64>(s->read, 1));
    drops << QStringLiteral("%1 %2 (%3)")
                 .arg(numbers::whole(count), reasonWord(reason), numbers::percent(share));
  }
  lines << (drops.isEmpty() ? tr("None was dropped.")
                            : tr("Dropped: %1").arg(drops.join(QStringLiteral(", "))));
  lines += s->warnings;
  m_facts->setText(lines.join(QLatin1Char('\n')));
  m_documents->setRowCount(static_cast<int>(s->documents.size()));
  for (std::size_t i = 0; i < s->documents.size(); ++i) {
    const LookedDocument& d = s->documents[i];
    setCells(*m_documents, static_cast<int>(i),
             {placeOf(d), verdictOf(d),
              d.bytes > 0 ? numbers::bytes(static_cast<double>(d.bytes)) : QString(),
              d.text.left(kBeginning).simplified()});
    if (!d.dropped.isEmpty()) {
      m_documents->item(static_cast<int>(i), 1)->setForeground(theme::colors().warning);
    }
  }
  fitColumns(*m_documents, 3);
  if (!s->documents.empty()) m_documents->selectRow(0);
}

void DataDialog::showDocument() {
  const LookedSource* s = source();
  const auto row = static_cast<std::size_t>(m_documents->currentRow());
  if (!s || row >= s->documents.size()) return m_text->clear();
  const LookedDocument& d = s->documents[row];
  QString head = d.line > 0 ? tr("%1, line %2").arg(d.file).arg(d.line) : d.file;
  head += QStringLiteral("\n") + verdictOf(d);
  if (!d.note.isEmpty()) head += QStringLiteral(" (%1)").arg(d.note);
  const bool more = d.bytes > d.text.toUtf8().size();
  m_text->setPlainText(head + QStringLiteral("\n\n") + d.text +
                       (more ? QStringLiteral(" …") : QString()));
}

}  // namespace tessera::ui
