// SPDX-License-Identifier: MIT
// The reference of run specs as a page of Markdown: docs/spec.md.
#pragma once

#include <string>

namespace tessera::spec {

/// Every key by tables of the spec: type, unit, default, range and meaning.
std::string reference_markdown();

}  // namespace tessera::spec
