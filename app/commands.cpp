// SPDX-License-Identifier: MIT
// Everything the studio does, in a terminal and on cluster nodes. A command is one row here and one
// function in a file beside this one.
#include "app/commands.h"

namespace tessera::app {

void add_commands(CLI::App& app) {
  add_demo(app);      // train a small model on this machine and talk to it
  add_train(app);     // train what a spec or preset says
  add_resume(app);    // go on with a run, or with a copy of it under other settings
  add_rank(app);      // what train, resume and demo start for each rank
  add_hello(app);     // what a test launch starts for each rank
  add_launch(app);    // train on several hosts, over ssh or Slurm
  add_hosts(app);     // what stands in the way of that
  add_slurm(app);     // what runs ask a cluster for, and their jobs there
  add_agent(app);     // what launch starts on each host
  add_mirror(app);    // a copy of a run on another host
  add_fetch(app);     // a checkpoint of such a run
  add_queue(app);     // runs that wait for this machine
  add_sweep(app);     // many runs that differ in a few keys
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
  add_quantise(app);  // round weights to 8 or 4 bits
  add_bench(app);     // measure training and operations
  add_selftest(app);  // check every operation on this machine
  add_devices(app);   // what this machine's processors and GPUs run, and how
  add_man(app);       // the manual's pages, for packages
}

}  // namespace tessera::app
