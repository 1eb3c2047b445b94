// SPDX-License-Identifier: MIT
// Links: tessera_ui_widgets
// Every term that is named anywhere has an entry.
#include <QLocale>
#include <QRegularExpression>
#include <map>
#include <nlohmann/json.hpp>

#include "core/config/paths.h"
#include "core/history/run_history.h"
#include "core/spec/spec_table.h"
#include "tests/ui/harness.h"
#include "ui/widgets/engine_words.h"
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

  /// A German window explains in German: every term, and every help and unit of a setting.
  void germanIsWhole() {
    const QLocale before;
    const auto speak = [](const QLocale& locale) {
      QLocale::setDefault(locale);
      reloadGlossary();
      reloadEngineWords();
    };
    std::map<QString, GlossaryEntry> english;
    for (const QString& term : glossaryTerms()) english.emplace(term, *glossaryEntry(term));
    speak(QLocale(QLocale::German));
    QCOMPARE(std::size_t(glossaryTerms().size()), english.size());  // none that is not there
    for (const auto& [term, entry] : english) {
      QVERIFY2(glossaryEntry(term)->text != entry.text, qPrintable(term));
      QCOMPARE(glossaryEntry(term)->source, entry.source);
    }
    for (const auto& entry : spec::describe_json()) {
      const std::string help = entry.at("help"), unit = entry.value("unit", "");
      QVERIFY2(hasEngineWord(help), help.c_str());
      QVERIFY2(unit.empty() || hasEngineWord(unit), unit.c_str());
    }
    QCOMPARE(engineWord("layers"), QStringLiteral("Schichten"));
    speak(before);
    QCOMPARE(engineWord("layers"), QStringLiteral("layers"));
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
