#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How launching and watching scale on one machine, with pretend hosts.

  tests/hosts/scale.py PROGRAM [--ranks 64] [--runs 100] [--hosts 20] [--seconds 30]

It prints: from `tessera launch --local RANKS` to the moment when all ranks have started, when they
have compared what they are (hello), and when the first step is done; then, with RUNS runs on HOSTS
hosts that each log an event a second and are all mirrored here, the share of a core that the keeper
of mirrors takes, and the time from an event in a run's log there to the same event here. Nothing is
asserted: what is printed depends on the machine."""
import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

from fault_checks import stat_of
from fault_scene import Scene

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def first_event(log, kinds):
    """Seconds since 1970 of the first event of one of these kinds ("step", "state running")."""
    for line in log.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        name = event["kind"] + (" " + event["state"] if event["kind"] == "state" else "")
        if name in kinds or event["kind"] in kinds:
            return event["t"]
    return float("nan")


def measure_hello(scene, ranks):
    begin = time.time()
    status, said = scene.tessera(
        "launch", scene.spec, "--local", str(ranks), "--folder", scene.far, "--most-steps", "1",
        "--set", "run.name=wide", "--set", f"curriculum[0].batch_sequences={ranks}",
        "--set", "parallel.micro_batch_sequences=1", timeout=600)
    whole = time.time() - begin
    folder = scene.folder_of(scene.far, "wide")
    if status != 0 or not folder:
        print(f"the launch with {ranks} ranks failed:\n{said[-2000:]}")
        return
    log = scene.tessera("watch", folder, "--once", "--json")[1]
    begun = first_event(log, ("state checking", "phase", "state starting")) - begin
    running = first_event(log, ("state running",)) - begin
    stepped = first_event(log, ("step",)) - begin
    print(f"{ranks} ranks on {os.cpu_count()} cores: the run has begun after {begun:.1f} s, all ranks "
          f"have said hello and train after {running:.1f} s, the first step is done after "
          f"{stepped:.1f} s, all has ended after {whole:.1f} s")


class WrittenRun:
    """A run of this process that logs heartbeats, as frames of an event that it has."""

    def __init__(self, original, folder):
        shutil.copytree(original, folder, ignore=shutil.ignore_patterns("checkpoints", "shards",
                                                                        "control"))
        os.makedirs(os.path.join(folder, "control"))
        self.folder, self.log = folder, os.path.join(folder, "events.log")
        with open(self.log, "rb") as file:
            data = file.read()
        self.payload, self.number, at = b"", 0, 16
        kept = 16
        while at + 16 <= len(data):
            size, _, number = struct.unpack_from("<IIQ", data, at)
            payload = data[at + 16:at + 16 + size]
            at += 16 + size
            if b"heartbeat" in payload and b"running" in payload:
                self.payload, self.number, kept = payload, number, at
        if not self.payload:
            raise SystemExit("the run has logged no heartbeat while it was running")
        os.truncate(self.log, kept)
        with open(os.path.join(folder, "process.json"), encoding="utf-8") as file:
            process = json.load(file)
        process |= {"pid": os.getpid(), "start_ticks": stat_of(os.getpid())[1]}
        with open(os.path.join(folder, "process.json"), "w", encoding="utf-8") as file:
            json.dump(process, file)

    def beat(self):
        self.number += 1
        body = struct.pack("<Q", self.number) + self.payload
        with open(self.log, "ab") as file:
            file.write(struct.pack("<II", len(self.payload), zlib.crc32(body)) + body)


def measure_watching(scene, original, options):
    hosts = [f"host{i:02}" for i in range(options.hosts)]
    runs = [WrittenRun(original, os.path.join(scene.far, f"many-20260101-0000-{i:04x}"))
            for i in range(options.runs)]
    for i, run in enumerate(runs):
        status, said = scene.tessera("mirror", f"{hosts[i % len(hosts)]}:{run.folder}")
        if status != 0:
            raise SystemExit(f"no mirror of {run.folder}: {said}")
    copies = [os.path.join(scene.runs, os.path.basename(run.folder), "events.log") for run in runs]
    until = time.monotonic() + 120
    while time.monotonic() < until and not all(
            os.path.exists(copy) and os.path.getsize(copy) == os.path.getsize(run.log)
            for copy, run in zip(copies, runs)):
        time.sleep(0.2)
    keepers = [p for p in scene.processes() if p.role == "keeper"]
    if len(keepers) != 1:
        raise SystemExit(f"{len(keepers)} keepers are there")
    delays, begin = [], time.monotonic()
    before = processor_seconds(keepers[0].pid)
    turn = 0
    while time.monotonic() - begin < options.seconds:
        second = begin + turn
        for run in runs:
            run.beat()
        probe, sent = turn % len(runs), time.monotonic()
        while os.path.getsize(copies[probe]) != os.path.getsize(runs[probe].log):
            time.sleep(0.005)
            if time.monotonic() - sent > 30:
                raise SystemExit("an event did not come in 30 s")
        delays.append(time.monotonic() - sent)
        turn += 1
        time.sleep(max(0, second + 1 - time.monotonic()))
    took = time.monotonic() - begin
    share = (processor_seconds(keepers[0].pid) - before) / took
    print(f"{len(runs)} runs of {len(hosts)} hosts, an event a second each, for {took:.0f} s: the "
          f"keeper takes {100 * share:.1f} % of a core; an event is here after "
          f"{statistics.median(delays):.2f} s (median), {max(delays):.2f} s (longest)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    for name, value in (("ranks", 64), ("runs", 100), ("hosts", 20), ("seconds", 30)):
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="tessera-scale-")
    scene = Scene(work, os.path.realpath(options.program), {}, print, steps=4000)
    try:
        scene.set_up()
        if options.ranks > 0:
            measure_hello(scene, options.ranks)
        if options.runs > 0:
            done = subprocess.run([options.program, "train", scene.spec, "--runs", scene.far,
                                   "--set", "run.name=original"], env=scene.environment(),
                                  capture_output=True, text=True, check=False)
            original = scene.folder_of(scene.far, "original")
            if done.returncode != 0 or not original:
                raise SystemExit(done.stderr)
            measure_watching(scene, original, options)
    finally:
        scene.take_down()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
