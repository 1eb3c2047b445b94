// SPDX-License-Identifier: MIT
// The pages of the manual as they lie in docs/guide/, and what a search finds in them.
#pragma once

#include <QString>
#include <QStringList>
#include <vector>

namespace tessera::ui {

struct ManualSection {
  QString heading;  ///< empty for what stands before the first one below the title
  QString text;     ///< Markdown
};

struct ManualChapter {
  QString id;     ///< name of the file without its ending: "first-run"
  QString title;  ///< its first heading
  QString markdown;
  std::vector<ManualSection> sections;
};

struct ManualHit {
  QString chapter, title, heading;
  QString excerpt;  ///< around the first word that was found
  int score = 0;
};

/// Where the installed program or the source tree has the manual; empty: nowhere.
QString manualFolder();

ManualChapter parseChapter(const QString& id, const QString& markdown);
/// The chapters of a folder: index.md or README.md first, the others by name. Reads files.
std::vector<ManualChapter> readManual(const QString& folder);
/// Sections that hold every word, the best first.
std::vector<ManualHit> searchManual(const std::vector<ManualChapter>& chapters,
                                    const QString& words);
/// "What fails" -> "what-fails": the name of a heading in links.
QString anchorOf(const QString& heading);

}  // namespace tessera::ui
