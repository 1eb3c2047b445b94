// SPDX-License-Identifier: MIT
#include "app/end_tokens.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace tessera::app {

namespace {
using nlohmann::json;

std::int32_t token_id(const json& value, const std::string& where) {
  // Some programs write whole numbers as floats.
  const double number = value.is_number() ? value.get<double>() : -1;
  const bool whole = number >= 0 && number <= std::numeric_limits<std::int32_t>::max() &&
                     number == static_cast<double>(static_cast<std::int32_t>(number));
  if (!whole) {
    throw Error(where,
                fmt::format("`eos_token_id` is {}, expected the number of a token or a list "
                            "of them",
                            value.dump(-1, ' ', false, json::error_handler_t::replace)),
                "correct the file, or fetch it again");
  }
  return static_cast<std::int32_t>(number);
}

void add_ends_of(const std::filesystem::path& file, std::vector<std::int32_t>& ends) {
  std::ifstream stream(file);
  if (!stream) return;
  const json config = json::parse(stream, nullptr, false);
  if (!config.is_object()) {
    throw Error(file.string(), "is no JSON object", "correct the file, or fetch it again");
  }
  const auto found = config.find("eos_token_id");
  if (found == config.end() || found->is_null()) return;
  const json list = found->is_array() ? *found : json::array({*found});
  for (const json& one : list) {
    const std::int32_t id = token_id(one, file.string());
    if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  }
}
}  // namespace

std::vector<std::int32_t> end_tokens(const std::filesystem::path& folder) {
  std::vector<std::int32_t> ends;
  add_ends_of(folder / "config.json", ends);
  add_ends_of(folder / "generation_config.json", ends);
  return ends;
}

}  // namespace tessera::app
