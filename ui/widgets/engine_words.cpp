// SPDX-License-Identifier: MIT
#include "ui/widgets/engine_words.h"

#include <QHash>
#include <QLocale>
#include <optional>

#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/spec/toml.h"

namespace tessera::ui {

namespace {
using Words = QHash<QString, QString>;

Words loadWords() {
  Words words;
  try {
    const std::string language = QLocale().name().left(2).toStdString();
    const std::filesystem::path file = resources_folder() / ("engine." + language + ".toml");
    if (!std::filesystem::exists(file)) return words;  // English, or a language without one
    for (const auto& [english, text] : spec::parse_toml(read_file(file), file.string())) {
      words.insert(QString::fromStdString(std::string(english.str())),
                   QString::fromStdString(text.value_or(std::string())));
    }
  } catch (const std::exception& error) {
    qWarning("words of the engine cannot be read: %s", error.what());
  }
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
}  // namespace

QString engineWord(const std::string& english) {
  const QString text = QString::fromStdString(english);
  return words().value(text, text);
}

bool hasEngineWord(const std::string& english) {
  return words().contains(QString::fromStdString(english));
}

void reloadEngineWords() {
  keptWords().reset();
}

}  // namespace tessera::ui
