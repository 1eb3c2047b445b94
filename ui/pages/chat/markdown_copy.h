// SPDX-License-Identifier: MIT
// Qt reads Markdown; here it is put behind what a document holds already, in the styles of the
// theme.
#pragma once

class QTextCursor;
class QString;

namespace tessera::ui {

/// `at` stands in an empty block, where the first block of the text goes; afterwards it is at the
/// end of the last.
void insertMarkdownStyled(QTextCursor& at, const QString& markdown);

}  // namespace tessera::ui
