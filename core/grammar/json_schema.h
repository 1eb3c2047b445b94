// SPDX-License-Identifier: MIT
// JSON schemas (draft 2020-12, as far as docs/guide/server.md says) as grammars: every text of
// the grammar is JSON that the schema allows. Where a schema leaves a choice that a writer need not
// have, the grammar has less: properties come in the order of the schema, members that it does not
// name are written only where `additionalProperties` asks for them, numbers have at most 16 digits.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/grammar/grammar.h"

namespace tessera {

/// Adds a rule for the schema, which outlives the call alone. `path` is what messages call it.
/// Throws Error that names the key, with its path, which cannot be obeyed.
std::int32_t add_json_schema(GrammarBuilder& builder, const nlohmann::ordered_json& schema,
                             const std::string& path);

}  // namespace tessera
