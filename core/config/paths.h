// SPDX-License-Identifier: MIT
// Where the program's own files and the user's are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace tessera {

/// Presets, glossary, grammars: TESSERA_RESOURCES, or share/tessera beside the program's bin/,
/// or the source tree it was built from. Throws Error when none is there.
std::filesystem::path resources_folder();

/// The user's own: TESSERA_HOME, or XDG_DATA_HOME/tessera, or ~/.local/share/tessera. Made when it
/// is missing. Throws Error when it cannot be.
std::filesystem::path home_folder();

/// Runs go to TESSERA_RUNS, or home_folder()/runs.
std::filesystem::path runs_folder();

/// The sample of other people's text that packaging/make-sample made on this machine, or that was
/// installed with the program: TESSERA_SAMPLE ("none": there is none), else tessera/sample in
/// XDG_CACHE_HOME or ~/.cache, else sample/ in resources_folder(). None where none was finished.
std::optional<std::filesystem::path> sample_folder();

/// "sample:web" as what it stands for on this machine now: the folder web of the sample, or
/// "generated:web" where there is none. Every other path is given back as it is.
std::string settled_path(const std::string& path);

/// True for a path that means the same wherever the spec lies: "~/x" and those with a scheme,
/// "resource:x", "sample:x", "generated:x".
bool is_independent_path(const std::string& path);

/// A path of a spec: "resource:x" is in resources_folder(), "sample:web" is what settled_path()
/// says, "generated:web" is a folder in home_folder() with text that the program writes there at
/// first use (core/text/generated_text.h), "~/x" is in the user's home, and a relative path is seen
/// from `base`. Throws Error for an unknown text of the program, or when it cannot be written, and
/// for
/// "~" where HOME is not set.
std::filesystem::path resolve_path(const std::string& path, const std::filesystem::path& base = {});

}  // namespace tessera
