// SPDX-License-Identifier: MIT
// What a person should know of a file of numbers that was written.
#pragma once

#include <QString>

#include "core/history/run_numbers.h"

namespace tessera::ui {

/// Empty: nothing is missing in the file.
QString numbersNote(const NumbersWritten& written);

}  // namespace tessera::ui
