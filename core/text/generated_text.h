// SPDX-License-Identifier: MIT
// Text that the program writes itself, where there is no other to learn from: stories, letters and
// descriptions, programs, sums with their results, and sentences in several languages and scripts.
// It comes out of the grammars in resources/grammar and is the same on every machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::text {

struct GeneratedPart {
  std::string_view name;  ///< names the grammar, NAME.txt, and the folder that the text goes to
  std::int64_t bytes = 0;
};

/// web, code, mathematics, multilingual, chinese: in the proportions of the default mixture.
const std::vector<GeneratedPart>& generated_parts();

/// The documents of a part, at least `bytes` in all. Throws Error for an unknown part.
std::vector<std::string> generated_documents(std::string_view part,
                                             const std::filesystem::path& grammars,
                                             std::int64_t bytes);

/// The folder with the whole text of a part as JSON Lines, one {"text": ...} a document. It lies
/// in `folder`, in one named by the hash of the grammar, and is written when it is not there yet;
/// any number of processes may ask at the same time. Throws Error for an unknown part, and where
/// the text cannot be written.
std::filesystem::path generated_text(std::string_view part, const std::filesystem::path& grammars,
                                     const std::filesystem::path& folder);

}  // namespace tessera::text
