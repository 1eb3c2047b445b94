// SPDX-License-Identifier: MIT
// Changes in the text of a spec that leave everything else as it was typed: comments, order, blank
// lines. Forms edit specs through these, so that text and form can be edited side by side.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/spec/spec.h"

namespace tessera::spec {

/// Sets the key at `path` to what it is in `after`. The path may also be of a list ("curriculum",
/// "data.sources"), which is then written anew as a whole; so is a list of a preset when a key of
/// one of its elements is set. Throws Error when the text is no TOML or the path no key.
std::string set_in_text(std::string_view toml, std::string_view path, const RunSpec& after);

/// Takes the key or list out, so that preset or default counts again. Unchanged where the text does
/// not set it. Throws Error when the text is no TOML.
std::string remove_from_text(std::string_view toml, std::string_view path);

/// Whether the text itself, and not a preset, sets the key or something in the list.
bool text_sets(std::string_view toml, std::string_view path);

/// `preset = "demo"` and what `spec` has otherwise than it; without a preset, what is not default.
std::string short_text(const RunSpec& spec, const std::string& preset);

/// The paths that short_text() sets, lists as a whole: "curriculum" rather than its elements.
std::vector<std::string> changed_paths(const RunSpec& ours, const RunSpec& theirs);

/// The spec with settings of a command line on top ("model.hidden_size=512", as for read_spec()).
/// `name` stands in messages. Throws Error with every problem of severity Error in its text.
RunSpec with_settings(const RunSpec& spec, const std::vector<std::string>& settings,
                      const std::string& name);

}  // namespace tessera::spec
