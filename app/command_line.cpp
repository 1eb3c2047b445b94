// SPDX-License-Identifier: MIT
#include "app/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>

#include "app/commands.h"
#include "app/options.h"
#include "core/base/error.h"
#include "core/base/nearest_word.h"
#include "core/spec/spec_table.h"

namespace tessera::app {

namespace {
/// One or two lines that work as they stand, once RUN, SPEC or a folder is named.
struct Example {
  const char* command;
  const char* lines;
};
constexpr Example kExamples[] = {
    {"demo", "tessera demo"},
    {"train", "tessera train demo --set run.seed=2\ntessera train my-run.toml"},
    {"resume", "tessera resume demo-1\ntessera resume demo-1 --fork --set optimiser.clip=0.5"},
    {"launch",
     "tessera launch my-run.toml --hosts a:4,b:4\ntessera launch my-run.toml --slurm gpu --show\n"
     "tessera launch --attach my-run"},
    {"hosts check", "tessera hosts check a,b"},
    {"hosts list", "tessera hosts list"},
    {"hosts add", "tessera hosts add a,b"},
    {"hosts remove", "tessera hosts remove b"},
    {"hosts probe", "tessera hosts probe a,b"},
    {"mirror", "tessera mirror a:my-run\ntessera mirror a:/shared/runs/my-run --once"},
    {"fetch", "tessera fetch a:my-run --checkpoint newest\ntessera fetch my-run --checkpoint 200"},
    {"queue list", "tessera queue list"},
    {"queue add", "tessera queue add my-run.toml --set optimiser.clip=0.5"},
    {"queue move", "tessera queue move 3 1"},
    {"queue remove", "tessera queue remove 2"},
    {"queue retry", "tessera queue retry 1"},
    {"queue pause", "tessera queue pause"},
    {"queue unpause", "tessera queue unpause"},
    {"queue run", "tessera queue run"},
    {"sweep", "tessera sweep my-run.toml --tag clip --set optimiser.clip=0.5,1 --seeds 2"},
    {"sweep show", "tessera sweep show clip"},
    {"slurm profile list", "tessera slurm profile list"},
    {"slurm profile show", "tessera slurm profile show gpu"},
    {"slurm profile add",
     "tessera slurm profile add gpu --partition gpu --nodes 2 --ranks-per-node 8 --gpus-per-node "
     "8"},
    {"slurm profile remove", "tessera slurm profile remove gpu"},
    {"slurm jobs", "tessera slurm jobs"},
    {"runs", "tessera runs --json"},
    {"watch", "tessera watch demo-1\ntessera watch demo-1 --json --once"},
    {"stop", "tessera stop demo-1"},
    {"control", "tessera control save demo-1"},
    {"chat", "tessera chat demo-1\ntessera chat ./model --temperature 0 --prompt \"Hello\""},
    {"generate", "tessera generate demo-1 --prompt \"It was a fine morning, and\" --max-tokens 50"},
    {"serve", "tessera serve < requests.jsonl"},
    {"spec show", "tessera spec show demo --set run.seed=2"},
    {"spec check", "tessera spec check my-run.toml"},
    {"spec presets", "tessera spec presets"},
    {"spec describe", "tessera spec describe"},
    {"spec reference", "tessera spec reference > spec.md"},
    {"plan", "tessera plan demo --price 2.5"},
    {"data build", "tessera data build my-run.toml --out shards"},
    {"data look", "tessera data look my-run.toml"},
    {"data cache list", "tessera data cache list"},
    {"data cache clear", "tessera data cache clear"},
    {"verify", "tessera verify ./model --reference reference.safetensors"},
    {"export", "tessera export demo-1 ./released --dtype bf16"},
    {"import", "tessera import ./released ./plain"},
    {"quantise", "tessera quantise demo-1 --to q4_0 --text notes.txt"},
    {"bench train", "tessera bench train --steps 20"},
    {"bench product", "tessera bench product"},
    {"bench kernels", "tessera bench kernels --op attention_backward"},
    {"bench infer", "tessera bench infer --shape small --precision q8_0 --context 4096"},
    {"bench infer-gpu", "tessera bench infer-gpu --shape medium --batches 1,64"},
    {"bench schedule", "tessera bench schedule dualpipe --ranks 4 --drawing"},
    {"selftest", "tessera selftest --op router"},
    {"devices", "tessera devices"},
    {"man", "tessera man build/man"},
};

constexpr const char* kRootFooter =
    "Example:\n  tessera demo\n"
    "Exit status: 0 done; 1 failed, the reason is on standard error; 2 the command line is wrong.\n"
    "`tessera COMMAND --help` explains a command.";

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

CLI::App* subcommand(CLI::App& command, const std::string& name) {
  const auto below =
      command.get_subcommands([&](const CLI::App* one) { return one->get_name() == name; });
  return below.empty() ? nullptr : below.front();
}

std::string indented(const std::string& lines) {
  std::string text = "  ";
  for (const char c : lines) text += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return text;
}

/// Examples stand here, in one list, so that a test reads and tries them all.
void add_examples(CLI::App& app) {
  app.footer(kRootFooter);
  for (const Example& example : kExamples) {
    CLI::App* command = &app;
    for (const std::string& word : words_of(example.command)) {
      if (command) command = subcommand(*command, word);
    }
    if (command && command->get_footer().empty()) {
      command->footer(fmt::format("Example:\n{}", indented(example.lines)));
    }
  }
}
}  // namespace

std::unique_ptr<CLI::App> command_line() {
  auto app = std::make_unique<CLI::App>("Trains, watches and talks to DeepSeek-V3-family models.",
                                        "tessera");
  app->set_version_flag("--version", TESSERA_VERSION, "Print the program's version and end");
  app->require_subcommand(1);
  app->fallthrough(false);
  add_commands(*app);
  add_examples(*app);
  check_numbers(*app);
  return app;
}

const CLI::App* find_command(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  for (const std::string& word : words) {
    // NOTE: the search is by name alone and changes nothing, and serves add_examples() too.
    const CLI::App* next = subcommand(const_cast<CLI::App&>(*command), word);
    if (!next) break;
    command = next;
  }
  return command;
}

std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent ? full_name(*parent) + " " + command.get_name() : command.get_name();
}

std::vector<const CLI::App*> listed_commands(const CLI::App& command) {
  std::vector<const CLI::App*> listed;
  for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!one->get_group().empty()) listed.push_back(one);
  }
  return listed;
}

namespace {
/// What a word that names nothing could have meant.
std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = nearest_word(word, known);
  return near.empty() ? "" : fmt::format("; did you mean {}?", near);
}

/// The first word of the line that is no command, or no option of its command, as a sentence.
std::string slip_of(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.starts_with("--")) {
      const std::string name = word.substr(0, word.find('='));
      const CLI::Option* option = command->get_option_no_throw(name);
      if (option) {
        if (name == word && option->get_expected_min() > 0) ++i;  // its value
        continue;
      }
      std::vector<std::string> known;
      for (const CLI::Option* one : command->get_options()) {
        for (const std::string& long_name : one->get_lnames())
          known.push_back(fmt::format("--{}", long_name));
      }
      return fmt::format("`{}` has no option {}{}", full_name(*command), name,
                         suggestion(name, known));
    }
    const std::vector<const CLI::App*> below = listed_commands(*command);
    if (word.starts_with('-') || below.empty()) continue;
    const CLI::App* next = find_command(*command, {word});
    if (next == command) {
      std::vector<std::string> known;
      for (const CLI::App* one : below) known.push_back(one->get_name());
      return fmt::format("`{}` has no command {}{}", full_name(*command), word,
                         suggestion(word, known));
    }
    command = next;
  }
  return "";
}

int tell_slip(const CLI::App& app, const CLI::ParseError& error,
              const std::vector<std::string>& words) {
  std::vector<std::string> commands;  // without the options before and between them
  for (const std::string& word : words) {
    if (!word.starts_with('-')) commands.push_back(word);
  }
  const CLI::App& command = *find_command(app, commands);
  const std::string slip = slip_of(app, words);
  const bool none_named = words.empty() || (!listed_commands(command).empty() && slip.empty());
  const std::string what = !slip.empty() ? slip : none_named ? "name a command" : error.what();
  std::fprintf(stderr, "tessera: %s\n`%s --help` explains.\n", what.c_str(),
               full_name(command).c_str());
  return kWrongLine;
}
}  // namespace

int run_command_line(int argc, const char* const* argv) {
  const std::unique_ptr<CLI::App> app = command_line();
  try {
    app->parse(argc, argv);
    return kDone;
  } catch (const CLI::Success& help) {
    return app->exit(help);
  } catch (const CLI::ParseError& error) {
    return tell_slip(*app, error, {argv + 1, argv + argc});
  } catch (const Exit& exit) {
    return exit.code;
  } catch (const Error& error) {
    std::fprintf(stderr, "tessera: %s\n", error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tessera: unexpected: %s\n", error.what());
  }
  return kFailed;
}

}  // namespace tessera::app
