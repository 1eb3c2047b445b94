// SPDX-License-Identifier: MIT
#include "app/man_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "app/command_line.h"

namespace tessera::app {

namespace {
/// Text in which roff finds nothing of its own: backslashes, dashes that are typed, and dots or
/// quotes at the begin of a line.
std::string roff(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    line_begins = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string value_name(const CLI::Option& option) {
  if (option.get_expected_min() == 0) return "";
  const std::string type = option.get_type_name();
  const std::size_t end = type.find(':');  // behind it stand the names of checks
  return type.substr(0, end);
}

std::string synopsis(const CLI::App& command) {
  std::string text = full_name(command);
  if (!listed_commands(command).empty()) text += " COMMAND";
  text += " [OPTIONS]";
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = upper(option->get_name(true));
    text += option->get_required() ? fmt::format(" {}", name) : fmt::format(" [{}]", name);
  }
  return text;
}

std::string option_entry(const CLI::Option& option) {
  std::string head;
  if (option.get_positional()) {
    head = fmt::format("\\fI{}\\fR", roff(upper(option.get_name(true))));
  } else {
    for (const std::string& name : option.get_snames())
      head += fmt::format("\\fB\\-{}\\fR, ", roff(name));
    for (const std::string& name : option.get_lnames()) {
      head += fmt::format("\\fB\\-\\-{}\\fR, ", roff(name));
    }
    head.resize(head.size() - 2);
    const std::string value = value_name(option);
    if (!value.empty()) head += fmt::format(" \\fI{}\\fR", roff(value));
  }
  std::string about = roff(option.get_description());
  const std::string otherwise = option.get_default_str();
  if (!otherwise.empty()) about += fmt::format(" ({} if left out)", roff(otherwise));
  return fmt::format(".TP\n{}\n{}\n", head, about.empty() ? "\\&" : about);
}

std::string entries(const CLI::App& command) {
  std::string text;
  for (const bool positional : {true, false}) {
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_positional() == positional) text += option_entry(*option);
    }
  }
  return text;
}

/// Examples and the like, line for line.
std::string footer(const CLI::App& command) {
  const std::string text = command.get_footer();
  return text.empty() ? "" : fmt::format(".PP\n.nf\n{}\n.fi\n", roff(text));
}

std::string sections_below(const CLI::App& command) {
  std::string text;
  for (const CLI::App* one : listed_commands(command)) {
    text += fmt::format(".SS {}\n{}.\n.PP\n{}\n{}{}", roff(full_name(*one)),
                        roff(one->get_description()), roff(synopsis(*one)), entries(*one),
                        footer(*one));
  }
  return text;
}

std::string list_below(const CLI::App& command) {
  std::string text;
  for (const CLI::App* one : listed_commands(command)) {
    text += fmt::format(".TP\n\\fB{}\\fR(1)\n{}\n",
                        roff(man_page_name(*one).substr(0, man_page_name(*one).size() - 2)),
                        roff(one->get_description()));
  }
  return text;
}
}  // namespace

std::string man_page_name(const CLI::App& command) {
  std::string name = full_name(command);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name + ".1";
}

std::string man_page(const CLI::App& command) {
  const bool root = !command.get_parent();
  std::string title = man_page_name(command);
  title.resize(title.size() - 2);
  std::string page = fmt::format(".TH {} 1 \"\" \"Tessera Studio {}\" \"User Commands\"\n",
                                 roff(upper(title)), TESSERA_VERSION);
  page += fmt::format(".SH NAME\n{} \\- {}\n", roff(title), roff(command.get_description()));
  page += fmt::format(".SH SYNOPSIS\n{}\n", roff(synopsis(command)));
  page += fmt::format(".SH OPTIONS\n{}", entries(command));
  if (root) page += fmt::format(".SH COMMANDS\n{}", list_below(command));
  if (!root && !listed_commands(command).empty())
    page += fmt::format(".SH COMMANDS\n{}", sections_below(command));
  page += fmt::format(".SH EXAMPLES\n{}", footer(command));
  page +=
      ".SH EXIT STATUS\n.TP\n0\nDone.\n.TP\n1\nFailed; the reason is on standard error.\n"
      ".TP\n2\nThe command line is wrong; nothing was begun.\n"
      ".PP\nA signal that nobody waits for ends the program with 128 and its number.\n";
  page += fmt::format(".SH SEE ALSO\n{}\n",
                      root ? "\\fBtessera\\-studio\\fR(1)" : "\\fBtessera\\fR(1)");
  return page;
}

}  // namespace tessera::app
