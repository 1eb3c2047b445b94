// SPDX-License-Identifier: MIT
// Links: tessera_ui_spec
// A German window says in German what is wrong with a spec, what a setting expects and why a run
// ended, numbers and all.
#include <QFile>
#include <QLocale>
#include <QRegularExpression>

#include "core/spec/spec_table.h"
#include "tests/build_paths.h"
#include "tests/ui/harness.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/spec/problem_text.h"

using namespace tessera;
using namespace tessera::ui;

class EngineWordsTest : public QObject {
  Q_OBJECT

  QLocale m_before;

  static void speak(const QLocale& locale) {
    QLocale::setDefault(locale);
    reloadEngineWords();
  }
  static QString source(const QString& path) {
    QFile file(QStringLiteral(TESSERA_SOURCE_DIR "/") + path);
    if (!file.open(QIODevice::ReadOnly)) return {};
    QStringList lines = QString::fromUtf8(file.readAll()).split(u'\n');
    lines.removeIf([](const QString& line) { return line.trimmed().startsWith(u"//"); });
    return lines.join(u'\n');
  }
  /// The string literals that follow `before`, each with those that the compiler joins to it.
  static QStringList literals(const QString& text, const QString& before = {}) {
    static const QString kOne = QStringLiteral("\"((?:[^\"\\\\\\n]|\\\\.)*)\"");
    const QRegularExpression all(before + QStringLiteral("(%1(?:\\s*%1)*)").arg(kOne));
    const QRegularExpression one(kOne);
    QStringList found;
    for (auto match = all.globalMatch(text); match.hasNext();) {
      const QString joined = match.next().captured(1);
      QString whole;
      for (auto part = one.globalMatch(joined); part.hasNext();) whole += part.next().captured(1);
      found << whole.replace(QStringLiteral("\\\""), QStringLiteral("\""));
    }
    return found;
  }
  /// A format of the sources as a key of the translations: "{:.3g}" is a place like others.
  static std::string keyOf(QString format) {
    return format.replace(QRegularExpression(QStringLiteral("\\{:[^}]*\\}")), QStringLiteral("{}"))
        .toStdString();
  }
  static void collect(const spec::Schema& schema, std::vector<std::string>& expected) {
    for (const spec::Key& key : schema.keys) {
      expected.push_back(key.expected());
      if (key.child) collect(*key.child, expected);
    }
  }

 private Q_SLOTS:
  void init() { speak(QLocale(QLocale::German)); }
  void cleanup() { speak(m_before); }

  void placesAreFilled() {
    QCOMPARE(engineWord("killed by signal 9 (Killed)"),
             QStringLiteral("durch Signal 9 beendet (Killed)"));
    QCOMPARE(engineWord("5 is odd"), QStringLiteral("5 ist ungerade"));
    // What holds another sentence has it translated too.
    QCOMPARE(engineWord("killed by signal 9 (Killed) (it was at: vocabulary)"),
             QStringLiteral("durch Signal 9 beendet (Killed) (er war bei: Vokabular)"));
    QCOMPARE(
        engineWord("[training] in step 7 the loss is nan and the gradient norm 1; hint: "
                   "nothing was saved yet: start anew with a lower "
                   "curriculum[0].learning_rate"),
        QStringLiteral("[training] in Schritt 7 ist der Loss nan und die Gradientennorm 1; Rat: "
                       "noch ist nichts gespeichert: neu beginnen, mit kleinerem "
                       "curriculum[0].learning_rate"));
    // What nobody has translated stays whole, also where it looks like a place.
    QCOMPARE(engineWord("no {1} such text"), QStringLiteral("no {1} such text"));
    speak(QLocale(QLocale::English));
    QCOMPARE(engineWord("5 is odd"), QStringLiteral("5 is odd"));
  }

  void everyProblemHasGerman_data() {
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("before");
    QTest::addColumn<int>("least");
    const QString any, member = QStringLiteral(R"(\.(?:message|expected) = (?:fmt::format\()?)");
    QTest::newRow("what contradicts") << "core/spec/spec_check.cpp" << any << 70;
    QTest::newRow("pipelines") << "core/config/pipeline.cpp"
                               << QStringLiteral(R"(return fmt::format\()") << 5;
    QTest::newRow("the plan") << "core/plan/plan_checks.cpp" << any << 12;
    QTest::newRow("forks") << "core/plan/fork_checks.cpp" << any << 12;
    QTest::newRow("reading") << "core/spec/spec_read.cpp" << member << 5;
    QTest::newRow("paths of keys") << "core/spec/spec_access.cpp" << member << 7;
    QTest::newRow("a process that is gone")
        << "core/run/process.cpp" << QStringLiteral(R"(return fmt::format\()") << 3;
    QTest::newRow("a state that is concluded")
        << "core/run/run_status.cpp"
        << QStringLiteral(R"(status\.reason =\s*(?:fmt::format\(\s*)?)") << 3;
    QTest::newRow("how a run stopped")
        << "core/train/run_desk.cpp" << QStringLiteral("stop_reason_ = ") << 3;
  }

  void everyProblemHasGerman() {
    QFETCH(const QString, file);
    QFETCH(const QString, before);
    QFETCH(const int, least);
    // Parts of a text that Problem::text() puts together for the terminal, amounts, and options.
    const QStringList others{"; expected ",
                             "; did you mean \"{}\"?",
                             "warning: ",
                             "{:.3g} GB",
                             ": ",
                             "{}: {}",
                             "{} {}",
                             ", ",
                             "data.filters.on = true",
                             "--hosts HOST:RANKS",
                             "--slurm PROFILE"};
    int found = 0;
    for (const QString& text : literals(source(file), before)) {
      if (!text.contains(u' ') || others.contains(text)) continue;
      ++found;
      QVERIFY2(hasEngineWord(keyOf(text)), qPrintable(text));
    }
    QVERIFY2(found >= least, qPrintable(QStringLiteral("%1 texts in %2").arg(found).arg(file)));
  }

  void whatEveryFieldExpects() {
    std::vector<std::string> expected;
    collect(spec::root(), expected);
    QVERIFY(expected.size() > 80);
    for (const std::string& text : expected) {
      if (text == "true or false") continue;  // as it is typed
      QVERIFY2(engineWord(text) != QString::fromStdString(text), text.c_str());
    }
  }

  void aProblemIsOneSentence() {
    RunSpec spec = load_spec("demo");
    const auto refused = spec::set_text(spec, "model.n_group", "0");
    QCOMPARE(refused.size(), std::size_t(1));
    // "expected" is a text of the window, whose translation is not loaded here.
    QCOMPARE(problemText(refused[0], false),
             QStringLiteral("0 liegt außerhalb; expected eine ganze Zahl von 1 bis 65536"));
  }
};

TESSERA_UI_MAIN(EngineWordsTest)
#include "engine_words_test.moc"
