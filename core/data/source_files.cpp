// SPDX-License-Identifier: MIT
// Which files a source consists of.
#include <glob.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "core/base/error.h"
#include "core/data/source.h"

namespace tessera::data {

namespace fs = std::filesystem;

namespace {

bool is_pattern(const fs::path& path) {
  return path.string().find_first_of("*?[") != std::string::npos;
}

std::vector<fs::path> matches_of(const fs::path& pattern) {
  glob_t found{};
  std::vector<fs::path> paths;
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  std::sort(paths.begin(), paths.end());
  return paths;
}

class Lister {
 public:
  explicit Lister(const Source& source) : source_(source) {}

  FileList list() {
    for (const fs::path& path : source_.paths) {
      std::error_code failed;
      if (fs::exists(path, failed)) {
        add_given(path);
      } else if (!failed && is_pattern(path)) {
        add_matches(path);
      } else {
        throw Error(path.string(),
                    fmt::format("source '{}': {}", source_.name, fault_of(path, failed)),
                    "check the paths of the source; relative ones start at the folder of the spec");
      }
    }
    return std::move(list_);
  }

 private:
  static std::string fault_of(const fs::path& path, const std::error_code& failed) {
    if (failed) return failed.message();
    std::error_code ignored;
    return fs::is_symlink(path, ignored) ? "a link to nothing" : "no such file or folder";
  }

  void add_matches(const fs::path& pattern) {
    const std::vector<fs::path> matches = matches_of(pattern);
    if (matches.empty())
      throw Error(pattern.string(),
                  fmt::format("source '{}': no file matches this pattern", source_.name),
                  "* stands for any part of one name, not for folders on the way: name the folder "
                  "itself to read all that is in it");
    for (const fs::path& match : matches) {
      std::error_code failed;
      if (fs::exists(match, failed))
        add_given(match);
      else
        pass_over(match, failed ? failed.message() : "a link to nothing");
    }
  }

  /// A path that the user wrote: what is wrong with it ends the listing.
  void add_given(const fs::path& path) {
    std::error_code failed;
    const fs::path real = fs::canonical(path, failed);
    if (!failed && fs::is_directory(path, failed)) return add_folder(path, real);
    if (!failed && fs::is_regular_file(path, failed)) return add_file(path, real);
    throw Error(path.string(),
                fmt::format("source '{}': {}", source_.name,
                            failed ? failed.message() : "is neither a file nor a folder"),
                "name a file or a folder that you may read; a pipe cannot be read twice");
  }

  void add_file(const fs::path& path, const fs::path& real) {
    if (seen_.insert(real.string()).second)
      list_.files.push_back(path);
    else
      pass_over(path, "is read already");
  }

  void add_folder(const fs::path& folder, const fs::path& real) {
    if (!seen_.insert(real.string()).second) return pass_over(folder, "is read already");
    std::vector<fs::directory_entry> entries;
    std::error_code failed;
    for (fs::directory_iterator it(folder, failed), end; !failed && it != end;
         it.increment(failed)) {
      if (it->path().filename().string().starts_with('.'))
        ++list_.hidden;
      else
        entries.push_back(*it);
    }
    if (failed) pass_over(folder, failed.message());
    std::sort(entries.begin(), entries.end());
    for (const fs::directory_entry& entry : entries) add_entry(entry, real);
  }

  /// Something met on the way: what is wrong with it is noted, and the walk goes on.
  void add_entry(const fs::directory_entry& entry, const fs::path& real_folder) {
    std::error_code failed, ignored;
    const bool link = entry.is_symlink(ignored);
    const fs::path& path = entry.path();
    const fs::path real = link ? fs::canonical(path, failed) : real_folder / path.filename();
    if (failed)
      return pass_over(path, failed == std::errc::no_such_file_or_directory ? "a link to nothing"
                                                                            : failed.message());
    if (entry.is_directory(failed)) return add_folder(path, real);
    if (entry.is_regular_file(failed)) return add_file(path, real);
    pass_over(path, failed ? failed.message() : "is neither a file nor a folder");
  }

  void pass_over(const fs::path& path, const std::string& why) {
    list_.passed_over.add(fmt::format("{} ({})", path.string(), why));
  }

  const Source& source_;
  FileList list_;
  std::set<std::string> seen_;  ///< real paths of files and folders
};

}  // namespace

void Examples::add(std::string example) {
  ++count;
  if (first.size() < kMost && (first.empty() || first.back() != example))
    first.push_back(std::move(example));
}

std::string Examples::text() const {
  std::string text = fmt::format("{}", fmt::join(first, ", "));
  const auto rest = count - static_cast<std::int64_t>(first.size());
  return rest > 0 ? fmt::format("{} and {} more", text, rest) : text;
}

FileList list_files(const Source& source) {
  return Lister(source).list();
}

bool leads_somewhere(const fs::path& path) {
  std::error_code failed;
  return fs::exists(path, failed) || (is_pattern(path) && !matches_of(path).empty());
}

}  // namespace tessera::data
