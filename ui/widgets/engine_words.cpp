// SPDX-License-Identifier: MIT
#include "ui/widgets/engine_words.h"

#include <QHash>
#include <QLocale>
#include <QStringList>
#include <algorithm>
#include <optional>
#include <vector>

#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/spec/toml.h"

namespace tessera::ui {

namespace {
const QString kPlace = QStringLiteral("{}");

/// "killed by signal {} ({})"
struct Sentence {
  QStringList parts;  ///< what stands between the places
  QString text;       ///< the translation, with {1} or {1!} for what stood in a place

  qsizetype letters() const { return parts.join(QString()).size(); }
};

struct Words {
  QHash<QString, QString> exact;
  std::vector<Sentence> sentences;  ///< those that fit fewest texts first
};

/// Whether `a` is tried before `b`: what names the place of an error first, then what holds another
/// sentence whole, which could pass for the place of a shorter one.
bool isTriedFirst(const Sentence& a, const Sentence& b) {
  const auto depth = [](const Sentence& one) {
    if (one.parts.front().startsWith(u'[')) return 0;
    return one.text.startsWith(QLatin1String("{1!}")) ? 1 : 2;
  };
  return depth(a) != depth(b) ? depth(a) < depth(b) : a.letters() > b.letters();
}

Words loadWords() {
  Words words;
  try {
    const std::string language = QLocale().name().left(2).toStdString();
    const std::filesystem::path file = resources_folder() / ("engine." + language + ".toml");
    if (!std::filesystem::exists(file)) return words;  // English, or a language without one
    for (const auto& [english, value] : spec::parse_toml(read_file(file), file.string())) {
      const QString key = QString::fromStdString(std::string(english.str()));
      const QString text = QString::fromStdString(value.value_or(std::string()));
      words.exact.insert(key, text);
      if (key.contains(kPlace)) words.sentences.push_back({key.split(kPlace), text});
    }
  } catch (const std::exception& error) {
    qWarning("words of the engine cannot be read: %s", error.what());
  }
  std::stable_sort(words.sentences.begin(), words.sentences.end(), isTriedFirst);
  return words;
}

/// Read when they are first asked for: a window that is made anew has enough to do.
std::optional<Words>& keptWords() {
  static std::optional<Words> all;
  return all;
}
const Words& words() {
  if (!keptWords()) keptWords() = loadWords();
  return *keptWords();
}

/// What stands in the places of a text that is so built.
std::optional<QStringList> placesOf(const Sentence& sentence, const QString& text) {
  const QStringList& parts = sentence.parts;
  if (!text.startsWith(parts.front())) return {};
  QStringList places;
  qsizetype at = parts.front().size();
  for (qsizetype i = 1; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    const qsizetype end = last ? text.size() - parts[i].size() : text.indexOf(parts[i], at);
    if (end < at || !QStringView(text).sliced(end).startsWith(parts[i])) return {};
    places << text.mid(at, end - at);
    at = end + parts[i].size();
  }
  return places;
}

std::optional<QString> translation(const QString& english) {
  const auto exact = words().exact.constFind(english);
  if (exact != words().exact.constEnd()) return *exact;
  for (const Sentence& sentence : words().sentences) {
    const auto places = placesOf(sentence, english);
    if (!places) continue;
    QString text;
    const QStringList pieces = sentence.text.split(u'{');
    text += pieces.front();
    for (qsizetype i = 1; i < pieces.size(); ++i) {
      const qsizetype close = pieces[i].indexOf(u'}');
      const QString name = pieces[i].left(close);
      const bool translated = name.endsWith(u'!');
      bool isNumber = false;
      const int number = name.chopped(translated ? 1 : 0).toInt(&isNumber);
      if (!isNumber || number < 1 || number > places->size()) {
        text += u'{' + pieces[i];
        continue;
      }
      const QString& place = places->at(number - 1);
      text += (translated ? translation(place).value_or(place) : place) + pieces[i].mid(close + 1);
    }
    return text;
  }
  return {};
}
}  // namespace

QString engineWord(const std::string& english) {
  const QString text = QString::fromStdString(english);
  return translation(text).value_or(text);
}

bool hasEngineWord(const std::string& english) {
  return words().exact.contains(QString::fromStdString(english));
}

void reloadEngineWords() {
  keptWords().reset();
}

}  // namespace tessera::ui
