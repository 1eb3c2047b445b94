// SPDX-License-Identifier: MIT
#include "core/base/plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

#include "core/base/error.h"

namespace tessera {

namespace fs = std::filesystem;

fs::path find_plugin(const PluginFile& plugin, std::string* looked) {
  std::vector<fs::path> places;
  if (const char* named = std::getenv(plugin.variable); named && *named) {
    places = {named};
  } else {
    std::error_code none;
    const fs::path folder = fs::read_symlink("/proc/self/exe", none).parent_path();
    const fs::path build = plugin.build_folder;
    // The last two are for programs in the build's app/ and tests/.
    places = {folder / plugin.file, folder / "../lib" / plugin.file,
              folder / "../lib/tessera" / plugin.file, folder / ".." / build / plugin.file,
              folder / "../.." / build / plugin.file};
  }
  for (const fs::path& path : places) {
    std::error_code none;
    if (fs::exists(path, none)) return path;
    if (looked) *looked += (looked->empty() ? "" : ", ") + path.lexically_normal().string();
  }
  return {};
}

void* open_plugin(const fs::path& path, const char* where, const char* entry, const char* hint) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    throw Error(where, fmt::format("cannot load {}: {}", path.string(), ::dlerror()), hint);
  }
  void* found = ::dlsym(library, entry);
  if (!found) throw Error(where, fmt::format("{} is not a plugin of tessera", path.string()));
  return found;
}

}  // namespace tessera
