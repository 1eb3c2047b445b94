// SPDX-License-Identifier: MIT
#include "core/base/mistaken_file.h"

#include <algorithm>
#include <cctype>

#include "core/base/error.h"

namespace tessera {

namespace {
/// The beginning in lower case and without white space before it.
std::string lowered_start(std::string_view bytes) {
  constexpr std::size_t kLength = 64;
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);  // a byte order mark
  while (!bytes.empty() && is_space(bytes.front())) bytes.remove_prefix(1);
  std::string start(bytes.substr(0, kLength));
  std::transform(start.begin(), start.end(), start.begin(),
                 [](char c) { return static_cast<char>(std::tolower(c)); });
  return start;
}

constexpr const char* kFetchAgain =
    "download the file again, and check that the address and the access token are right";
}  // namespace

std::optional<MistakenFile> mistaken_content(std::string_view first_bytes) {
  if (first_bytes.starts_with("version https://git-lfs.github.com/spec/")) {
    return MistakenFile{"is a Git LFS pointer, and not the file itself",
                        "run `git lfs pull` in the folder, or download the file"};
  }
  const std::string start = lowered_start(first_bytes);
  if (start.starts_with("<!doctype html") || start.starts_with("<html")) {
    return MistakenFile{"is a web page, and not the file itself", kFetchAgain};
  }
  if (start.starts_with("<?xml")) {
    return MistakenFile{"is the answer of a server in XML, and not the file itself", kFetchAgain};
  }
  for (const char* answer : {"entry not found", "invalid username or password", "access to model",
                             "repository not found", "404: not found", "{\"error\":"}) {
    if (start.starts_with(answer)) {
      return MistakenFile{"is an error message of a server, and not the file itself", kFetchAgain};
    }
  }
  if (first_bytes.starts_with("PK\x03\x04")) {
    return MistakenFile{
        "is a ZIP archive, as PyTorch writes it",
        "load the model with transformers and save it with save_pretrained(), which writes "
        "safetensors"};
  }
  if (first_bytes.starts_with("\x1f\x8b")) {
    return MistakenFile{"is compressed with gzip", "unpack it with `gunzip`"};
  }
  if (first_bytes.starts_with("GGUF")) {
    return MistakenFile{"is a GGUF file", "tessera import makes a folder in safetensors of it"};
  }
  return std::nullopt;
}

void refuse_mistaken_content(const std::filesystem::path& path, std::string_view first_bytes) {
  if (const auto mistaken = mistaken_content(first_bytes)) {
    throw Error(path.string(), mistaken->what, mistaken->hint);
  }
}

void refuse_dangling_link(const std::filesystem::path& path) {
  std::error_code code;
  if (!std::filesystem::is_symlink(path, code) || std::filesystem::exists(path, code)) return;
  const std::filesystem::path target = std::filesystem::read_symlink(path, code);
  throw Error(path.string(), "is a link to " + target.string() + ", which is not there",
              "fetch the file again, or copy the folder with its links followed (`cp -L`)");
}

}  // namespace tessera
