// SPDX-License-Identifier: MIT
// The commands of `tessera`. Each adds itself to the parser; what it is told to do runs when the
// parser is done, so that a wrong option never starts half of something.
#pragma once

#include <CLI/CLI.hpp>

namespace tessera::app {

void add_demo(CLI::App& app);
void add_train(CLI::App& app);
void add_resume(CLI::App& app);
void add_rank(CLI::App& app);
void add_hello(CLI::App& app);
void add_launch(CLI::App& app);
void add_hosts(CLI::App& app);
void add_slurm(CLI::App& app);
void add_agent(CLI::App& app);
void add_mirror(CLI::App& app);
void add_fetch(CLI::App& app);
void add_queue(CLI::App& app);
void add_sweep(CLI::App& app);
void add_runs(CLI::App& app);
void add_watch(CLI::App& app);
void add_stop(CLI::App& app);
void add_control(CLI::App& app);
void add_chat(CLI::App& app);
void add_generate(CLI::App& app);
void add_serve(CLI::App& app);
void add_spec(CLI::App& app);
void add_plan(CLI::App& app);
void add_data(CLI::App& app);
void add_verify(CLI::App& app);
void add_export(CLI::App& app);
void add_import(CLI::App& app);
void add_quantise(CLI::App& app);
void add_bench(CLI::App& app);
void add_selftest(CLI::App& app);
void add_devices(CLI::App& app);
void add_man(CLI::App& app);

/// All of them, in the order of the help.
void add_commands(CLI::App& app);

/// Ends the program with this exit code once the command has said why.
struct Exit {
  int code = 1;
};

}  // namespace tessera::app
