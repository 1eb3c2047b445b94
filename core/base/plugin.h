// SPDX-License-Identifier: MIT
// Parts of the program that are loaded only where they are wanted, since what they need is not on
// every machine: the CUDA backend, transports between ranks.
#pragma once

#include <filesystem>
#include <string>

namespace tessera {

struct PluginFile {
  const char* file;          ///< "libtessera_cuda.so"
  const char* variable;      ///< names another file where it is set
  const char* build_folder;  ///< where a build leaves it: "kernels"
};

/// Where the plugin is: the file that the variable names, else beside the program, then in ../lib
/// and ../lib/tessera from there, then in the build's folder. Empty where it is nowhere; `looked`
/// gets the places then.
std::filesystem::path find_plugin(const PluginFile& plugin, std::string* looked = nullptr);

/// Loads it, to stay until the process ends, and returns what it exports as `entry`. Throws Error
/// with the loader's reason and `hint`, and where there is no such entry.
void* open_plugin(const std::filesystem::path& path, const char* where, const char* entry,
                  const char* hint);

}  // namespace tessera
