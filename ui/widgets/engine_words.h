// SPDX-License-Identifier: MIT
// What the engine says in English (help and units of settings, terms of the plan) in the language
// of the window: from resources/engine.<language>.toml, whose keys are the English texts.
#pragma once

#include <QString>
#include <string>

namespace tessera::ui {

/// The text itself where there is no translation of it.
QString engineWord(const std::string& english);
/// Whether it has one.
bool hasEngineWord(const std::string& english);

/// After the language has changed.
void reloadEngineWords();

}  // namespace tessera::ui
