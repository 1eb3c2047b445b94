// SPDX-License-Identifier: MIT
// `tessera`: everything the studio does, in a terminal and on cluster nodes. A command is one row
// here and one function in a file beside this one.
#include <cstdio>
#include <exception>

#include "app/commands.h"
#include "app/signals.h"
#include "app/threads.h"
#include "core/base/error.h"

namespace {
using tessera::app::Exit;

void add_commands(CLI::App& app) {
  using namespace tessera::app;
  add_demo(app);      // train a small model on this machine and talk to it
  add_train(app);     // train what a spec or preset says
  add_resume(app);    // go on with a run, or with a copy of it under other settings
  add_runs(app);      // list runs
  add_watch(app);     // follow the events of a run
  add_stop(app);      // save and stop a run
  add_control(app);   // pause, unpause, save
  add_chat(app);      // talk to a checkpoint
  add_generate(app);  // continue a text
  add_serve(app);     // chat for programs: JSON lines
  add_spec(app);      // show, check and describe specs
  add_plan(app);      // what a run will need
  add_data(app);      // build token shards
  add_verify(app);    // compare a model with recorded outputs
  add_export(app);    // write a checkpoint in the released format
  add_import(app);    // make a checkpoint from a released folder
  add_bench(app);     // measure training and operations
  add_selftest(app);  // check every operation on this machine
  add_devices(app);   // what this machine's processors and GPUs run, and how
}
}  // namespace

int main(int argc, char** argv) {
  tessera::app::prepare_threads(argv);
  tessera::app::watch_signals();
  CLI::App app("Trains, watches and talks to DeepSeek-V3-family models.", "tessera");
  app.set_version_flag("--version", TESSERA_VERSION);
  app.require_subcommand(1);
  app.fallthrough(false);
  add_commands(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const Exit& exit) {
    return exit.code;
  } catch (const tessera::Error& error) {
    std::fprintf(stderr, "tessera: %s\n", error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tessera: unexpected: %s\n", error.what());
  }
  return 1;
}
