// SPDX-License-Identifier: MIT
// Links: tessera_ui_widgets
// Translations keep what stands in for numbers and names, and English has every plural.
#include <QDirIterator>
#include <QFile>
#include <QProcess>
#include <QRegularExpression>
#include <QXmlStreamReader>

#include "tests/build_paths.h"
#include "tests/ui/harness.h"

namespace {

struct Message {
  QString source;
  QStringList forms;  ///< one, or two of a plural
  bool plural = false, finished = true;
};

std::vector<Message> messagesOf(const QString& language, bool isPath = false) {
  QFile file(isPath ? language
                    : QStringLiteral(TESSERA_SOURCE_DIR "/resources/translations/tessera_%1.ts")
                          .arg(language));
  if (!file.open(QIODevice::ReadOnly)) return {};
  QXmlStreamReader xml(&file);
  std::vector<Message> all;
  while (!xml.atEnd()) {
    if (xml.readNext() != QXmlStreamReader::StartElement) continue;
    const auto name = xml.name();
    if (name == u"message") {
      all.emplace_back();
      all.back().plural = xml.attributes().value(QLatin1String("numerus")) == u"yes";
    } else if (name == u"source") {
      all.back().source = xml.readElementText();
    } else if (name == u"translation") {
      all.back().finished = xml.attributes().value(QLatin1String("type")).isEmpty();
      if (!all.back().plural) all.back().forms += xml.readElementText();
    } else if (name == u"numerusform") {
      all.back().forms += xml.readElementText();
    }
  }
  return xml.hasError() ? std::vector<Message>() : all;
}

QStringList places(const QString& text) {
  static const QRegularExpression pattern(QStringLiteral("%([0-9]+|n)"));
  QStringList found;
  for (auto it = pattern.globalMatch(text); it.hasNext();) found += it.next().captured();
  found.removeDuplicates();
  found.sort();
  return found;
}

}  // namespace

class TranslationsTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void placesAreKept_data() {
    QTest::addColumn<QString>("language");
    QTest::newRow("English") << QStringLiteral("en");
    QTest::newRow("German") << QStringLiteral("de");
  }
  void placesAreKept() {
    QFETCH(QString, language);
    const std::vector<Message> messages = messagesOf(language);
    QVERIFY(!messages.empty());
    for (const Message& message : messages) {
      if (!message.finished) continue;
      for (const QString& form : message.forms) {
        QVERIFY2(!form.isEmpty(), qPrintable(message.source));
        QVERIFY2(places(form) == places(message.source), qPrintable(form));
      }
    }
  }

  void pluralsHaveBothForms() {
    for (const char* language : {"en", "de"}) {
      int plurals = 0;
      for (const Message& message : messagesOf(QLatin1String(language))) {
        if (!message.plural) continue;
        ++plurals;
        QVERIFY2(message.finished && message.forms.size() == 2, qPrintable(message.source));
        QVERIFY2(!message.forms[0].contains(QLatin1String("(s)")), qPrintable(message.forms[0]));
      }
      QVERIFY(plurals >= 6);
    }
  }

  void allOfTheProgramSpeaksGerman() {
    for (const Message& message : messagesOf(QStringLiteral("de"))) {
      QVERIFY2(message.finished, qPrintable(message.source));
    }
  }

  /// A class without Q_OBJECT looks its texts up under the name of its base, and finds none: it
  /// says whose they are, as in FieldEditor::tr().
  void textsAreFoundWhereTheyAreCollected() {
    // NOTE: no raw strings: moc does not find the class behind these.
    static const QRegularExpression type(QStringLiteral(
        "\\b(?:class|struct)\\s+((?:\\w+::)?\\w+)(?:\\s+final)?\\s*(?::[^;{]*)?\\{"));
    static const QRegularExpression text(QStringLiteral("(?<![:\\w.>])tr\\(\""));
    int classes = 0;
    QDirIterator files(QStringLiteral(TESSERA_SOURCE_DIR "/ui"), {"*.h", "*.cpp"}, QDir::Files,
                       QDirIterator::Subdirectories);
    while (files.hasNext()) {
      QFile file(files.next());
      QVERIFY(file.open(QIODevice::ReadOnly));
      const QString source = QString::fromUtf8(file.readAll());
      for (auto it = type.globalMatch(source); it.hasNext();) {
        const auto found = it.next();
        qsizetype end = found.capturedEnd();
        for (int depth = 1; depth > 0 && end < source.size(); ++end) {
          depth += source[end] == u'{' ? 1 : source[end] == u'}' ? -1 : 0;
        }
        const QString body = source.mid(found.capturedEnd(), end - found.capturedEnd());
        ++classes;
        if (body.trimmed().startsWith(QLatin1String("Q_OBJECT"))) continue;
        if (body.trimmed().startsWith(QLatin1String("Q_DECLARE_TR_FUNCTIONS"))) continue;
        QVERIFY2(!text.match(body).hasMatch(),
                 qPrintable(file.fileName() + QStringLiteral(": ") + found.captured(1)));
      }
    }
    QVERIFY(classes > 100);
  }

  /// What the sources say now is what the files hold: collected anew, nothing is left to translate.
  void noTextIsMissing_data() { placesAreKept_data(); }
  void noTextIsMissing() {
    QFETCH(QString, language);
    const QTemporaryDir folder;
    const QString copy = folder.filePath(QStringLiteral("texts.ts"));
    QVERIFY(QFile::copy(
        QStringLiteral(TESSERA_SOURCE_DIR "/resources/translations/tessera_%1.ts").arg(language),
        copy));
    QProcess collect;
    QStringList arguments{"-silent",    "-I",   TESSERA_SOURCE_DIR,
                          "-locations", "none", "-no-obsolete"};
    if (language == QLatin1String("en")) arguments += QStringLiteral("-pluralonly");
    collect.start(
        QStringLiteral(TESSERA_LUPDATE),
        arguments + QStringList{TESSERA_SOURCE_DIR "/ui",
                                TESSERA_SOURCE_DIR "/core/history/metrics.cpp",
                                TESSERA_SOURCE_DIR "/core/history/alerts.cpp", "-ts", copy});
    QVERIFY(tessera::ui::test::waitUntil([&] { return collect.state() == QProcess::NotRunning; },
                                         60'000));
    QVERIFY2(collect.exitCode() == 0, collect.readAllStandardError().constData());
    const std::vector<Message> now = messagesOf(copy, true);
    QVERIFY(!now.empty());
    for (const Message& message : now) QVERIFY2(message.finished, qPrintable(message.source));
  }
};

TESSERA_UI_MAIN(TranslationsTest)
#include "translations_test.moc"
