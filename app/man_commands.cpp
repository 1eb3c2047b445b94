// SPDX-License-Identifier: MIT
// man: writes the manual's pages. Packages call it; people read the pages with man(1).
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/man_page.h"
#include "core/base/error.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
void write_page(const CLI::App& command, const fs::path& folder) {
  const fs::path path = folder / man_page_name(command);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << man_page(command);
  file.close();
  if (!file) {
    throw Error(path.string(), "cannot write the page",
                "check that the folder may be written and the disk has room");
  }
}

void write_pages(const fs::path& folder) {
  const std::unique_ptr<CLI::App> app = command_line();
  fs::create_directories(folder);
  write_page(*app, folder);
  for (const CLI::App* command : listed_commands(*app)) write_page(*command, folder);
}
}  // namespace

void add_man(CLI::App& app) {
  auto* command = app.add_subcommand("man", "Write the manual's pages into a folder");
  command->group("");  // for packages: people read the pages
  auto folder = std::make_shared<std::string>();
  command->add_option("folder", *folder, "New or existing folder")->required();
  command->callback([folder] { write_pages(*folder); });
}

}  // namespace tessera::app
