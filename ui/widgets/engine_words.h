// SPDX-License-Identifier: MIT
// What the engine says in English (help and units of settings, terms of the plan, what is wrong
// with a spec, why a run ended) in the language of the window: from
// resources/engine.<language>.toml, whose keys are the English texts.
//
// A key may have places: "{} is odd" is every text that ends so, and {1} in the translation is what
// stood in the first place; {1!} is that, translated itself where it can be.
#pragma once

#include <QString>
#include <string>

namespace tessera::ui {

/// The text itself where there is no translation of it.
QString engineWord(const std::string& english);
/// Whether this very text has one, as the file has it: with its places.
bool hasEngineWord(const std::string& english);

/// After the language has changed.
void reloadEngineWords();

}  // namespace tessera::ui
