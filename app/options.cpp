// SPDX-License-Identifier: MIT
#include "app/options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

namespace tessera::app {

namespace {
template <class T>
std::optional<T> parsed(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return {};
  return value;
}

std::string range_text(std::int64_t least, std::int64_t most) {
  if (least == std::numeric_limits<std::int64_t>::min()) return "a whole number";
  if (most == kNoUpperLimit) return fmt::format("a whole number, {} or more", least);
  return fmt::format("a whole number from {} to {}", least, most);
}

/// Empty where the value is right: what the parser expects of a check.
std::string refusal(bool right, const std::string& text, const std::string& expected) {
  return right ? std::string() : fmt::format("\"{}\" is not {}", text, expected);
}
}  // namespace

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const std::string expected = range_text(least, most);
  return CLI::Validator(
      [=](std::string& text) {
        const auto value = parsed<std::int64_t>(text);
        return refusal(value && *value >= least && *value <= most, text, expected);
      },
      "");
}

CLI::Validator whole_number_or(std::int64_t besides, const std::string& meaning,
                               std::int64_t least) {
  const std::string expected =
      fmt::format("{}, or {} ({})", range_text(least, kNoUpperLimit), besides, meaning);
  return CLI::Validator(
      [=](std::string& text) {
        const auto value = parsed<std::int64_t>(text);
        return refusal(value && (*value >= least || *value == besides), text, expected);
      },
      "");
}

CLI::Validator number(double least, double most, bool above_least) {
  const std::string expected =
      fmt::format("a number {} {}, up to {}", above_least ? "above" : "from", least, most);
  return CLI::Validator(
      [=](std::string& text) {
        const auto value = parsed<double>(text);
        const bool right =
            value && (above_least ? *value > least : *value >= least) && *value <= most;
        return refusal(right, text, expected);
      },
      "");
}

CLI::Validator file_to_write() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        namespace fs = std::filesystem;
        std::error_code error;
        const fs::path file = fs::absolute(text, error);
        if (error || text.empty()) return "a file is expected";
        if (fs::is_directory(file, error)) return fmt::format("\"{}\" is a folder", text);
        if (fs::is_directory(file.parent_path(), error)) return {};
        return fmt::format("\"{}\": there is no folder {}", text, file.parent_path().string());
      },
      "");
}

CLI::Validator some_text() {
  return CLI::Validator(
      [](std::string& text) {
        return refusal(!text.empty(), text, "a text of one character or more");
      },
      "");
}

namespace {
void check_number(CLI::Option& option) {
  const std::string type = option.get_type_name();
  if (type.starts_with("UINT")) {
    option.check(whole_number(0));
  } else if (type.starts_with("INT")) {
    option.check(whole_number(std::numeric_limits<std::int64_t>::min()));
  } else if (type.starts_with("FLOAT")) {
    option.check(CLI::Validator(
        [](std::string& text) {
          const auto value = parsed<double>(text);
          return refusal(value && std::isfinite(*value), text, "a number");
        },
        ""));
  }
}
}  // namespace

void check_numbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) check_number(*option);
  for (CLI::App* command : app.get_subcommands(nullptr)) check_numbers(*command);
}

}  // namespace tessera::app
