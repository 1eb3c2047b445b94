// SPDX-License-Identifier: MIT
#include "ui/pages/manual/manual_text.h"

#include <QDir>
#include <QRegularExpression>
#include <algorithm>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"

namespace tessera::ui {

namespace {
constexpr int kAround = 60;  ///< characters of an excerpt before and behind the word
constexpr int kInHeading = 20, kInTitle = 10;

bool isFence(const QString& line) {
  return line.startsWith(QLatin1String("```")) || line.startsWith(QLatin1String("~~~"));
}

/// Text without the signs of Markdown, for excerpts.
QString plain(const QString& markdown) {
  static const QRegularExpression signs(QStringLiteral(R"([*_`>#|]|!?\[|\]\([^)]*\))"));
  return QString(markdown).remove(signs).simplified();
}

QString excerptOf(const QString& text, const QString& word) {
  const QString all = plain(text);
  const qsizetype at = all.indexOf(word, 0, Qt::CaseInsensitive);
  if (at < 0) return all.left(2 * kAround);
  const qsizetype from = std::max<qsizetype>(0, at - kAround);
  QString part = all.mid(from, word.size() + 2 * kAround);
  if (from > 0) part.prepend(u'…');
  if (from + part.size() < all.size()) part.append(u'…');
  return part;
}
}  // namespace

QString manualFolder() {
  const std::filesystem::path resources = resources_folder();
  // Installed; or in a clone.
  for (const auto& above : {resources, resources.parent_path()}) {
    const std::filesystem::path folder = above / "docs" / "guide";
    std::error_code error;
    if (std::filesystem::is_directory(folder, error))
      return QString::fromStdString(folder.string());
  }
  return {};
}

QString anchorOf(const QString& heading) {
  static const QRegularExpression gaps(QStringLiteral(R"([^\p{L}\p{N}]+)"));
  QString anchor = heading.toLower().replace(gaps, QStringLiteral("-"));
  while (anchor.startsWith(u'-')) anchor.remove(0, 1);
  while (anchor.endsWith(u'-')) anchor.chop(1);
  return anchor;
}

ManualChapter parseChapter(const QString& id, const QString& markdown) {
  ManualChapter chapter{id, {}, markdown, {{}}};
  bool inCode = false;
  for (const QString& line : markdown.split(u'\n')) {
    if (isFence(line)) inCode = !inCode;
    const bool heading = !inCode && line.startsWith(u'#');
    const QString words = heading ? line.mid(line.indexOf(u' ')).trimmed() : QString();
    if (heading && chapter.title.isEmpty()) {
      chapter.title = words;
    } else if (heading) {
      chapter.sections.push_back({words, {}});
    } else {
      chapter.sections.back().text += line + u'\n';
    }
  }
  if (chapter.title.isEmpty()) chapter.title = id;
  return chapter;
}

std::vector<ManualChapter> readManual(const QString& folder) {
  std::vector<ManualChapter> chapters;
  QString index;
  const auto isIndex = [](const ManualChapter& c) {
    return c.id == QLatin1String("index") || c.id == QLatin1String("README");
  };
  if (folder.isEmpty()) return chapters;
  const QDir dir(folder);
  QStringList names = dir.entryList({QStringLiteral("*.md")}, QDir::Files, QDir::Name);
  for (qsizetype i = 0; i < names.size(); ++i) {
    const QString name = names[i];
    const std::string text = read_file(dir.filePath(name).toStdString(), 4 << 20);
    chapters.push_back(
        parseChapter(name.section(u'/', -1).chopped(3), QString::fromStdString(text)));
    if (isIndex(chapters.back())) index = QString::fromStdString(text);
    if (name.contains(u'/')) continue;
    // Pages that lie beside the guide and that it refers to, as the reference of run specs.
    static const QRegularExpression beside(QStringLiteral(R"(\]\((\.\./[a-z-]+\.md))"));
    for (auto link = beside.globalMatch(chapters.back().markdown); link.hasNext();) {
      const QString page = link.next().captured(1);
      if (!names.contains(page) && dir.exists(page)) names += page;
    }
  }
  const auto first = std::stable_partition(chapters.begin(), chapters.end(), isIndex);
  // In the order in which the index names them; what it does not name comes last.
  const auto place = [&](const ManualChapter& c) {
    const qsizetype at = index.indexOf(u'(' + c.id + QLatin1String(".md"));
    return at < 0 ? index.size() : at;
  };
  std::stable_sort(first, chapters.end(), [&](const ManualChapter& a, const ManualChapter& b) {
    return place(a) < place(b);
  });
  return chapters;
}

std::vector<ManualHit> searchManual(const std::vector<ManualChapter>& chapters,
                                    const QString& words) {
  const QStringList wanted = words.split(u' ', Qt::SkipEmptyParts);
  std::vector<ManualHit> hits;
  if (wanted.isEmpty()) return hits;
  static const QRegularExpression kTarget(QStringLiteral("\\]\\([^)]*\\)"));
  for (const ManualChapter& chapter : chapters) {
    for (const ManualSection& section : chapter.sections) {
      int score = 0;
      const QString read = QString(section.text).replace(kTarget, QStringLiteral("]"));
      const bool all = std::all_of(wanted.begin(), wanted.end(), [&](const QString& word) {
        const auto in = [&](const QString& text) {
          return static_cast<int>(text.count(word, Qt::CaseInsensitive));
        };
        const int found =
            in(read) + kInHeading * in(section.heading) + kInTitle * in(chapter.title);
        score += found;
        return found > 0;
      });
      if (!all) continue;
      hits.push_back({chapter.id, chapter.title, section.heading,
                      excerptOf(section.text, wanted.front()), score});
    }
  }
  std::stable_sort(hits.begin(), hits.end(),
                   [](const ManualHit& a, const ManualHit& b) { return a.score > b.score; });
  return hits;
}

}  // namespace tessera::ui
