// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_manual
// The manual: its chapters, what a search finds, links within and out of it.
#include "ui/pages/manual/manual_page.h"

#include <QAbstractButton>
#include <QClipboard>
#include <QDir>
#include <QFile>
#include <QGuiApplication>
#include <QListWidget>
#include <QRegularExpression>
#include <QScrollBar>
#include <QTextBrowser>
#include <QTextTable>
#include <algorithm>

#include "tests/ui/harness.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

using namespace test;

class ManualPageTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    m_folder = std::make_unique<QTemporaryDir>();
    write("README.md", "# Contents\n\nSee [chat](chat.md#the-end-of-a-chat).\n");
    write("chat.md", QByteArray("# To talk\n\nWords.\n\n## Begin\n\n") +
                         QByteArray(4000, 'x').replace('x', "word ") +
                         "\n\n## The end of a chat\n\nPress Ctrl+D, or type `/quit`.\n"
                         "```\n# not a heading\n```\n");
    write("data.md", "# Your data\n\nA folder of text. The end.\n");
    m_studio = makeStudio();
    m_page = std::make_unique<ManualPage>(*m_studio->studio, nullptr, m_folder->path());
    QVERIFY(test::show(*m_page, QSize(900, 600)));
    QVERIFY(waitUntil([&] { return !m_page->chapters().empty(); }));
  }
  void cleanup() {
    m_page.reset();
    m_studio.reset();
  }

  void readsItsChapters() {
    QCOMPARE(m_page->chapters().size(), 3u);
    QCOMPARE(m_page->chapters()[0].title, "Contents");
    QCOMPARE(m_page->chapters()[1].sections.size(), 3u);
    QCOMPARE(list()->count(), 3);
    QVERIFY(text()->toPlainText().startsWith("Contents"));
    QVERIFY(clickItem(list(), list()->model()->index(2, 0)));
    QVERIFY(text()->toPlainText().startsWith("Your data"));
    QCOMPARE(m_page->location().arguments.value("at"), "data");
  }

  void tablesAndParagraphsHaveRoom() {
    write("data.md", "# Data\n\nA folder.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nThe end.\n");
    ManualPage page(*m_studio->studio, nullptr, m_folder->path());
    page.open({"manual", {}, {{"at", "data"}}});
    QVERIFY(waitUntil([&] { return !page.chapters().empty(); }));
    QTextDocument* document = page.findChild<QTextBrowser*>()->document();
    const auto frames = document->rootFrame()->childFrames();
    QCOMPARE(frames.size(), 1);
    const auto* table = qobject_cast<QTextTable*>(frames[0]);
    QVERIFY(table && table->format().cellPadding() >= 4);
    QVERIFY(document->begin().next().blockFormat().bottomMargin() >= 4);
  }

  void findsSections() {
    QVERIFY(typeInto(m_page->findChild<SearchField*>(), "end chat"));
    QVERIFY(waitUntil([&] { return list()->count() == 1; }));
    QVERIFY(list()->item(0)->text().startsWith("To talk: The end of a chat"));
    QVERIFY(list()->item(0)->text().contains("Press Ctrl+D, or type /quit."));
    QVERIFY(clickItem(list(), list()->model()->index(0, 0)));
    QVERIFY(text()->verticalScrollBar()->value() > 0);
    QCOMPARE(m_page->location().arguments.value("heading"), "the-end-of-a-chat");
    QVERIFY(typeInto(m_page->findChild<SearchField*>(), "zebra"));
    QVERIFY(waitUntil([&] { return list()->item(0)->text().contains("Nothing"); }));
  }

  void followsLinks() {
    Q_EMIT text()->anchorClicked(QUrl("chat.md#the-end-of-a-chat"));
    QCOMPARE(m_page->location().arguments.value("at"), "chat");
    QVERIFY(text()->verticalScrollBar()->value() > 0);
    Q_EMIT text()->anchorClicked(QUrl("tessera:page/settings?find=theme"));
    QCOMPARE(m_studio->navigator.opened.back().page, "settings");
    Q_EMIT text()->anchorClicked(QUrl("gone.md"));
    QVERIFY(m_studio->navigator.toasts.back().text.contains("gone.md"));
  }

  /// A copied link leads to where it was copied.
  void copiesItsLink() {
    m_page->open({"manual", {}, {{"at", "chat"}, {"heading", "begin"}}});
    QVERIFY(click(button(m_page.get(), "Copy link")));
    const Location place = Location::fromText(QGuiApplication::clipboard()->text());
    QCOMPARE(place, m_page->location());
    ManualPage other(*m_studio->studio, nullptr, m_folder->path());
    other.open(place);  // before it has read anything
    QVERIFY(waitUntil([&] { return !other.chapters().empty(); }));
    QCOMPARE(other.location(), place);
  }

  void thatOfTheProgramIsWhole() {
    const std::vector<ManualChapter> chapters = readManual(manualFolder());
    QVERIFY(chapters.size() > 3);
    static const QRegularExpression link(QStringLiteral(R"(\]\(([^):]+/)?([a-z-]+)\.md)"));
    for (const ManualChapter& chapter : chapters) {
      QVERIFY(!chapter.title.isEmpty());
      // Links of the guide lead somewhere; pages beside it may name more than the manual holds.
      if (!QFile::exists(QDir(manualFolder()).filePath(chapter.id + QStringLiteral(".md"))))
        continue;
      for (auto found = link.globalMatch(chapter.markdown); found.hasNext();) {
        const QString id = found.next().captured(2);
        const bool there = std::any_of(chapters.begin(), chapters.end(),
                                       [&](const ManualChapter& one) { return one.id == id; });
        QVERIFY2(there, qPrintable(chapter.id + QStringLiteral(": ") + id));
      }
    }
    QVERIFY(!searchManual(chapters, "checkpoint").empty());
  }

  void pictures() {
    if (qEnvironmentVariableIsEmpty("TESSERA_PICTURES")) return;
    ManualPage own(*m_studio->studio);
    QVERIFY(test::show(own, QSize(1000, 700)));
    QVERIFY(waitUntil([&] { return !own.chapters().empty(); }));
    picture(own, "manual");
  }

 private:
  void write(const char* name, const QByteArray& bytes) {
    QFile file(m_folder->filePath(QLatin1String(name)));
    if (file.open(QIODevice::WriteOnly)) file.write(bytes);
  }
  QListWidget* list() { return m_page->findChild<QListWidget*>(); }
  QTextBrowser* text() { return m_page->findChild<QTextBrowser*>(); }

  std::unique_ptr<QTemporaryDir> m_folder;
  std::unique_ptr<StudioFixture> m_studio;
  std::unique_ptr<ManualPage> m_page;
};

}  // namespace tessera::ui

TESSERA_UI_MAIN(tessera::ui::ManualPageTest)
#include "manual_page_test.moc"
