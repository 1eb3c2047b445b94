// SPDX-License-Identifier: MIT
// Links: tessera_ui_widgets
// Every term that is named anywhere has an entry.
#include <QRegularExpression>

#include "core/config/paths.h"
#include "core/history/run_history.h"
#include "core/spec/spec_table.h"
#include "tests/ui/harness.h"
#include "ui/widgets/glossary.h"

using namespace tessera;
using namespace tessera::ui;

class GlossaryTest : public QObject {
  Q_OBJECT

  static void collect(const spec::Schema& schema, QStringList& terms) {
    for (const spec::Key& key : schema.keys) {
      if (!key.term.empty()) terms += QString::fromStdString(key.term);
      if (key.child) collect(*key.child, terms);
    }
  }

 private Q_SLOTS:
  void everyKeyOfTheSpec() {
    QStringList terms;
    collect(spec::root(), terms);
    QVERIFY(terms.size() > 40);
    for (const QString& term : terms) QVERIFY2(glossaryEntry(term), qPrintable(term));
  }

  void everyMetric() {
    for (int i = 0; i < static_cast<int>(Metric::Count); ++i) {
      const QString term = QLatin1String(metric_info(static_cast<Metric>(i)).term);
      QVERIFY2(term.isEmpty() || glossaryEntry(term), qPrintable(term));
    }
  }

  void entriesSaySomething() {
    for (const QString& term : glossaryTerms()) {
      const GlossaryEntry* entry = glossaryEntry(term);
      QVERIFY2(!entry->title.isEmpty() && entry->text.size() > 30, qPrintable(term));
      QVERIFY2(entry->text.size() < 420, qPrintable(term));  // a sentence or two
      QVERIFY2(entry->text.endsWith(u'.'), qPrintable(term));
    }
  }

  void tipIsRichTextAndSafe() {
    const QString tip = glossaryTip(QStringLiteral("mla"));
    QVERIFY(tip.contains(QStringLiteral("Multi-head latent attention")));
    QVERIFY(tip.contains(QStringLiteral("report")));
    QVERIFY(glossaryTip(QStringLiteral("no such term")).isEmpty());
    QCOMPARE(glossaryEntry(QStringLiteral("max_vio")), glossaryEntry(QStringLiteral("maxvio")));
  }

  void labelShowsIt() {
    GlossaryLabel label(QStringLiteral("mtp"));
    QCOMPARE(label.text(), QStringLiteral("Multi-token prediction"));
    QVERIFY(label.toolTip().contains(QStringLiteral("token after the next")));
    GlossaryLabel unknown(QStringLiteral("nothing"), QStringLiteral("Nothing"));
    QVERIFY(unknown.toolTip().isEmpty());
  }
};

TESSERA_UI_MAIN(GlossaryTest)
#include "glossary_test.moc"
