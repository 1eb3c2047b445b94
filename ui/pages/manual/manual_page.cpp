// SPDX-License-Identifier: MIT
#include "ui/pages/manual/manual_page.h"

#include <QAbstractTextDocumentLayout>
#include <QClipboard>
#include <QDesktopServices>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QListWidget>
#include <QLocale>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextBrowser>
#include <QTextCursor>
#include <QTextList>
#include <QTextTable>
#include <QThreadPool>
#include <QToolButton>
#include <utility>

#include "ui/bridge/desktop/worker_thread.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {
constexpr int kSideWidth = 260, kTextMargin = 24, kLineHeight = 125;  // percent
constexpr int kChapterRole = Qt::UserRole, kHeadingRole = Qt::UserRole + 1;

/// Room around paragraphs and lines: as Qt reads Markdown there is next to none.
void spaceBlocks(QTextDocument& document) {
  QTextCursor cursor(&document);
  for (QTextBlock block = document.begin(); block.isValid(); block = block.next()) {
    cursor.setPosition(block.position());
    const QTextBlockFormat was = block.blockFormat();
    const bool code = was.hasProperty(QTextFormat::BlockCodeFence);
    if (code || cursor.currentTable()) continue;
    QTextBlockFormat format;
    format.setLineHeight(kLineHeight, QTextBlockFormat::ProportionalHeight);
    if (was.headingLevel() > 1) format.setTopMargin(2 * theme::kGrid);
    format.setBottomMargin(block.textList() ? theme::kHalf : theme::kGrid);
    cursor.mergeBlockFormat(format);
  }
}

void spaceTables(QTextDocument& document) {
  for (QTextFrame* frame : document.rootFrame()->childFrames()) {
    auto* table = qobject_cast<QTextTable*>(frame);
    if (!table) continue;
    QTextTableFormat format = table->format();
    format.setBorderCollapse(true);
    format.setBorder(1);
    format.setBorderStyle(QTextFrameFormat::BorderStyle_Solid);
    format.setBorderBrush(theme::colors().border);
    format.setCellSpacing(0);
    format.setCellPadding(6);
    format.setTopMargin(theme::kHalf);
    format.setBottomMargin(1.5 * theme::kGrid);
    table->setFormat(format);
  }
}
}  // namespace

ManualPage::ManualPage(Studio& studio, QWidget* parent, const QString& folder)
    : Page(studio, parent),
      m_mailbox(std::make_shared<Mailbox>(this)),
      m_text(new QTextBrowser),
      m_body(new QWidget),
      m_empty(new EmptyState(tr("The manual is not part of this installation."), {},
                             QStringLiteral("book"))) {
  m_text->setFrameShape(QFrame::NoFrame);
  m_text->setOpenLinks(false);
  m_text->setAccessibleName(tr("Text of the manual"));
  auto* across = new QHBoxLayout(m_body);
  across->setContentsMargins(0, 0, 0, 0);
  across->setSpacing(0);
  across->addWidget(makeSide());
  across->addWidget(separator(Qt::Vertical, m_body));
  across->addWidget(m_text, 1);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(m_body, 1);
  layout->addWidget(m_empty, 1);
  m_empty->hide();
  connect(m_text, &QTextBrowser::anchorClicked, this, &ManualPage::follow);
  auto* copy = new QAction(theme::icon(QStringLiteral("link")), tr("Copy link"), this);
  connect(copy, &QAction::triggered, this, &ManualPage::copyLink);
  auto* find = new QAction(theme::icon(QStringLiteral("search")), tr("Search the manual"), this);
  find->setShortcut(QKeySequence::Find);
  find->setShortcutContext(Qt::WindowShortcut);
  connect(find, &QAction::triggered, this, [this] { m_search->setFocus(); });
  addAction(find);
  m_commands = {copy, find};
  QThreadPool::globalInstance()->start([mailbox = m_mailbox, this, folder] {
    std::vector<ManualChapter> chapters;
    QString from = folder, error;
    try {
      if (from.isEmpty()) from = manualFolder();
      chapters = readManual(from);
    } catch (const std::exception& e) {
      error = QString::fromUtf8(e.what());
    }
    mailbox->post([this, from, chapters = std::move(chapters), error] {
      if (!error.isEmpty()) this->studio().navigator.notify(QStringLiteral("error"), error);
      take(from, chapters);
    });
  });
}

ManualPage::~ManualPage() {
  m_mailbox->close();
}

QWidget* ManualPage::makeSide() {
  auto* side = new QWidget;
  side->setFixedWidth(kSideWidth);
  auto* column = new QVBoxLayout(side);
  column->setContentsMargins(2 * theme::kGrid, theme::kGrid, theme::kGrid, theme::kGrid);
  auto* top = new QHBoxLayout;
  m_search = new SearchField(tr("Search the manual"), 120, side);
  QToolButton* copy = iconButton(QStringLiteral("link"), tr("Copy link"), side);
  top->addWidget(m_search, 1);
  top->addWidget(copy);
  m_list = new QListWidget(side);
  m_list->setFrameShape(QFrame::NoFrame);
  m_list->setWordWrap(true);
  m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_list->setAccessibleName(tr("Pages of the manual"));
  m_list->setSpacing(2);
  column->addLayout(top);
  column->addWidget(m_list, 1);
  const QLocale::Language language = QLocale().language();
  if (language != QLocale::English && language != QLocale::C) {
    auto* note = new TextLabel(tr("The manual is in English."), theme::TextSize::Caption, side);
    note->setTone(TextLabel::Tone::Secondary)->setWrapped();
    column->addWidget(note);
  }
  setFocusProxy(m_list);
  connect(copy, &QToolButton::clicked, this, &ManualPage::copyLink);
  connect(m_search, &SearchField::searched, this, &ManualPage::list);
  connect(m_list, &QListWidget::currentItemChanged, this, [this](QListWidgetItem* item) {
    if (!item || m_listing) return;
    show(item->data(kChapterRole).toString(), item->data(kHeadingRole).toString());
  });
  return side;
}

const ManualChapter* ManualPage::chapter(const QString& id) const {
  for (const ManualChapter& one : m_chapters) {
    if (one.id == id) return &one;
  }
  return nullptr;
}

void ManualPage::take(const QString& folder, std::vector<ManualChapter> chapters) {
  m_folder = folder;
  m_chapters = std::move(chapters);
  m_loaded = true;
  m_body->setVisible(!m_chapters.empty());
  m_empty->setVisible(m_chapters.empty());
  if (m_chapters.empty()) return;
  m_text->setSearchPaths({m_folder});
  const QString wanted = chapter(m_shown) ? m_shown : m_chapters.front().id;
  const QString heading = m_heading;
  m_shown.clear();
  list();
  show(wanted, heading);
}

/// All chapters, or the sections that a search has found.
void ManualPage::list() {
  m_listing = true;
  m_list->clear();
  const auto add = [this](const QString& text, const QString& tip, const QString& id,
                          const QString& heading) {
    auto* item = new QListWidgetItem(text, m_list);
    item->setToolTip(tip);
    item->setData(kChapterRole, id);
    item->setData(kHeadingRole, heading);
    return item;
  };
  const QString words = m_search->text().trimmed();
  if (words.isEmpty()) {
    for (const ManualChapter& one : m_chapters) {
      QListWidgetItem* item = add(one.title, {}, one.id, {});
      if (one.id == m_shown) m_list->setCurrentItem(item);
    }
  }
  for (const ManualHit& hit : searchManual(m_chapters, words)) {
    const QString place =
        hit.heading.isEmpty() ? hit.title : QStringLiteral("%1: %2").arg(hit.title, hit.heading);
    add(place + u'\n' + hit.excerpt, hit.excerpt, hit.chapter, anchorOf(hit.heading));
  }
  if (m_list->count() == 0) {
    add(tr("Nothing in the manual has these words."), {}, {}, {})->setFlags(Qt::NoItemFlags);
  }
  m_listing = false;
}

/// The chapter as a document that nothing shows yet: one that is shown is laid out anew with every
/// piece of text that is read into it.
QTextDocument* ManualPage::documentOf(const ManualChapter& chapter) const {
  auto* document = new QTextDocument(m_text);
  document->setDefaultFont(m_text->font());
  document->setDocumentMargin(kTextMargin);
  document->setBaseUrl(QUrl::fromLocalFile(m_folder + u'/'));
  document->setMarkdown(chapter.markdown, QTextDocument::MarkdownDialectGitHub);
  spaceBlocks(*document);
  spaceTables(*document);
  return document;
}

void ManualPage::show(const QString& id, const QString& heading) {
  const ManualChapter* wanted = chapter(id);
  if (!wanted) return;
  if (id != m_shown) {
    QTextDocument* before = std::exchange(m_document, documentOf(*wanted));
    m_text->setDocument(m_document);
    delete before;
    m_text->verticalScrollBar()->setValue(0);
  }
  m_shown = id;
  m_heading = heading;
  scrollTo(heading);
  Q_EMIT locationChanged();
}

void ManualPage::scrollTo(const QString& heading) {
  if (heading.isEmpty()) return;
  for (QTextBlock block = m_text->document()->begin(); block.isValid(); block = block.next()) {
    if (block.blockFormat().headingLevel() == 0 || anchorOf(block.text()) != heading) continue;
    const QRectF rect = m_text->document()->documentLayout()->blockBoundingRect(block);
    m_text->verticalScrollBar()->setValue(static_cast<int>(rect.top()) - theme::kGrid);
    return;
  }
}

/// Within the manual, to a place in the studio, or out of the program.
void ManualPage::follow(const QUrl& link) {
  const QString text = link.toString();
  if (link.scheme() == QLatin1String("tessera")) {
    studio().navigator.open(Location::fromText(text));
    return;
  }
  const QString file = link.path().section(u'/', -1);
  if (link.isRelative() || link.isLocalFile()) {
    const QString id = file.endsWith(QLatin1String(".md")) ? file.chopped(3) : m_shown;
    if (chapter(id)) {
      show(id, anchorOf(link.fragment()));
    } else {
      studio().navigator.toast(tr("%1 is not in this manual").arg(text));
    }
    return;
  }
  if (!QDesktopServices::openUrl(link)) {
    QGuiApplication::clipboard()->setText(text);
    studio().navigator.toast(tr("No browser could be started: the address is in the clipboard"));
  }
}

void ManualPage::copyLink() {
  QGuiApplication::clipboard()->setText(QStringLiteral("tessera:") + location().text());
  studio().navigator.toast(tr("The link is in the clipboard: Ctrl+L opens it"));
}

void ManualPage::open(const Location& location) {
  const QString id = location.arguments.value(QStringLiteral("at"));
  if (id.isEmpty()) return;
  const QString heading = location.arguments.value(QStringLiteral("heading"));
  if (!m_loaded) {
    m_shown = id;
    m_heading = heading;
    return;
  }
  if (!chapter(id)) return studio().navigator.toast(tr("The manual has no page %1").arg(id));
  m_search->clear();
  show(id, heading);
  list();
}

Location ManualPage::location() const {
  Location here{QStringLiteral("manual"), {}, {}};
  if (!m_shown.isEmpty()) here.arguments[QStringLiteral("at")] = m_shown;
  if (!m_heading.isEmpty()) here.arguments[QStringLiteral("heading")] = m_heading;
  return here;
}

void ManualPage::changeEvent(QEvent* event) {
  Page::changeEvent(event);
  if (event->type() != QEvent::PaletteChange || m_shown.isEmpty()) return;
  // Colours of links and code are in the document.
  const QString id = std::exchange(m_shown, {});
  show(id, m_heading);
}

}  // namespace tessera::ui
