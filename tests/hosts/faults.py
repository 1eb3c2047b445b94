#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A night of faults: processes killed and stopped, disks filled, lines cut, clocks moved, files
taken away, while small runs train here and on a pretend host with the studio open.

  tests/hosts/faults.py PROGRAM [--studio FILE] [--writer FILE] [--faults N] [--seed S]
                        [--minutes M] [--only KIND,...] [--keep]

PROGRAM is a built tessera, --studio a built tessera-studio, --writer a built studio_writer. The
same seed gives the same faults. After each fault the scene goes on as with a person who comes back,
and now and then, and at the end, everything is looked at (fault_scene.py): no event, checkpoint,
chat, draft or entry of the queue is lost or doubled, losses are those of a run without faults to
the last bit, every state that is told is true, nothing that failed ended with 0, and no process is
left.

It prints each fault, what it found, and a table; the exit status is 1 where it found something, 77
with the reason where it cannot run. A small disk needs root, the moved clock libfaketime; without
them these kinds are left out by name."""
import argparse
import collections
import ctypes
import glob
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

from fault_checks import is_alive
from fault_scene import Scene

# How often each kind comes, of 100.
KINDS = {"kill": 30, "stop": 20, "cut line": 12, "dying line": 6, "full disk": 8, "clock": 6,
         "read-only": 10, "removed": 4, "torn end": 4}
ROLES = ("rank", "agent", "desk", "keeper", "holder", "trainer", "studio", "writer", "line")
CLOCKS = ("+1h", "-1h", "+30", "-30", "+5d")
DISK_MB = 160
LOOK_EVERY = 12  # faults between two looks at everything


class Fault:
    """One of the plan: all that is random in it is drawn before the first begins."""

    def __init__(self, draw):
        self.kind = draw.choices(list(KINDS), list(KINDS.values()))[0]
        self.role = draw.choice(ROLES)
        self.pick = draw.random()
        self.seconds = round(draw.uniform(0.2, 3.0), 2)
        self.pause = round(draw.uniform(0.1, 1.5), 2)
        self.clock = draw.choice(CLOCKS)
        self.command = draw.random()
        self.bytes = draw.choice((1, 100, 3000, 40000))

    def among(self, all_of_them):
        return all_of_them[int(self.pick * len(all_of_them))] if all_of_them else None


def strike_process(scene, fault, signal_number):
    """A process of the role that the plan names; of another one where there is none."""
    processes = [p for p in scene.processes() if p.role != "other"]
    chosen = fault.among([p for p in processes if p.role == fault.role]) or fault.among(processes)
    if chosen is None:
        return None
    try:
        os.kill(chosen.pid, signal_number)
    except ProcessLookupError:
        return None
    scene.struck.add(chosen.pid)
    return chosen


def kill(scene, fault):
    chosen = strike_process(scene, fault, signal.SIGKILL)
    return chosen and (chosen.role, str(chosen), lambda: None)


def stop(scene, fault):
    chosen = strike_process(scene, fault, signal.SIGSTOP)

    def go_on():
        try:
            os.kill(chosen.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
    return chosen and (chosen.role, f"{chosen} for {fault.seconds} s", go_on)


def cut_line(scene, fault):
    file = os.path.join(scene.ssh, "cut")
    with open(file, "w", encoding="utf-8"):
        pass
    for process in scene.processes():
        if process.role == "line":
            os.kill(process.pid, signal.SIGKILL)
    return "line", f"for {fault.seconds} s", lambda: os.remove(file)


def dying_line(scene, fault):
    """Lines that are made from now on end after so many bytes."""
    file = os.path.join(scene.ssh, "bytes")
    with open(file, "w", encoding="utf-8") as out:
        out.write(str(fault.bytes))
    for process in scene.processes():
        if process.role == "line":
            os.kill(process.pid, signal.SIGKILL)
    return "line", f"after {fault.bytes} bytes, for {fault.seconds} s", lambda: os.remove(file)


def full_disk(scene, fault):
    if not os.path.ismount(scene.disk):
        return None
    part = b"\0" * (1 << 20)
    with open(scene.filler, "wb", buffering=0) as file:
        while part:
            try:
                if file.write(part) < len(part):
                    break
            except OSError:
                part = part[:len(part) // 16]
    return "disk", f"for {fault.seconds} s", lambda: os.remove(scene.filler)


def clock(scene, fault):
    if not scene.clock:
        return None
    scene.move_clock(fault.clock)
    return "clock", f"{fault.clock} for {fault.seconds} s", lambda: scene.move_clock("+0")


def read_only(scene, fault):
    """Something of a run, or of the user's folder, that nobody may write for a while."""
    paths = [scene.home, scene.runs, scene.far]
    for folder in scene.run_folders():
        paths.append(folder)
        paths += [os.path.join(folder, name) for name in
                  ("checkpoints", "control", "log", "ranks", "events.log", "process.json",
                   "mirror.json", "log/rank-0.log")]
    paths += [os.path.join(scene.home, name) for name in
              ("library.db", "queue.json", "mirrors", "launched", "launches", "chats", "drafts")]
    chosen = fault.among([path for path in paths if os.path.exists(path)])
    before = stat.S_IMODE(os.stat(chosen).st_mode)
    os.chmod(chosen, before & ~0o222)

    def give_back():
        if os.path.exists(chosen):
            os.chmod(chosen, before)
    what = os.path.basename(chosen)
    return (what if what.count("-") < 2 else "run folder",
            f"{os.path.relpath(chosen, scene.disk)} for {fault.seconds} s", give_back)


def removed(scene, fault):
    """What is made anew, or is a copy; what was removed itself is not lost by the program."""
    patterns = ("library.db", "library.db-wal", "queue.json.log", "mirrors/keeper.log",
                "runs/*/mirror.json", "runs/*/log/rank-0.log")
    paths = [path for pattern in patterns
             for path in sorted(glob.glob(os.path.join(scene.home, pattern)))]
    chosen = fault.among(paths)
    if chosen is None:
        return None
    what = os.path.basename(chosen)
    if what == "mirror.json":  # the copy of a run as a whole
        chosen, what = os.path.dirname(chosen), "copy of a run"
        scene.seen.pop(chosen, None)
        shutil.rmtree(chosen, ignore_errors=True)
    else:
        os.remove(chosen)
    return what, os.path.relpath(chosen, scene.disk), lambda: None


def torn_end(scene, fault):
    """What a process leaves that dies while it writes: half an event at the end of a log."""
    logs = [os.path.join(folder, "events.log") for folder in scene.run_folders()
            if not is_alive(folder) and not os.path.exists(os.path.join(folder, "mirror.json"))]
    chosen = fault.among([log for log in logs if os.path.exists(log)])
    if chosen is None:
        return None
    with open(chosen, "rb") as log:
        frame = log.read(400)[16:]
    with open(chosen, "ab") as log:
        log.write(frame[:1 + int(fault.pick * (min(60, len(frame)) - 1))])
    return "events.log", os.path.relpath(chosen, scene.disk), lambda: None


DOERS = {"kill": kill, "stop": stop, "cut line": cut_line, "dying line": dying_line,
         "full disk": full_disk, "clock": clock, "read-only": read_only, "removed": removed,
         "torn end": torn_end}


class Night:
    def __init__(self, options):
        self.options = options
        self.begin = time.monotonic()
        self.counts = collections.Counter()
        self.found_by = collections.Counter()
        self.work = tempfile.mkdtemp(prefix="tessera-faults-")
        self.mounted = False
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        windows = {"studio": options.studio, "writer": options.writer}
        self.scene = Scene(self.work, os.path.realpath(options.program), windows, self.log,
                           clock=library[0] if library else "")
        draw = random.Random(options.seed)
        self.plan = [Fault(draw) for _ in range(options.faults)]
        if options.only:
            self.plan = [fault for fault in self.plan if fault.kind in options.only.split(",")]

    def log(self, text):
        print(f"{time.monotonic() - self.begin:7.1f} s  {text}", flush=True)

    def mount(self):
        """A small disk of its own for all that the programs write."""
        os.makedirs(self.scene.disk)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}M", "tmpfs",
                               self.scene.disk], capture_output=True, check=False)
        self.mounted = done.returncode == 0
        if not self.mounted:
            self.log("left out: full disk (a small disk needs root)")
        if not self.scene.clock:
            self.log("left out: clock (there is no libfaketime)")

    def run(self):
        self.mount()
        self.scene.set_up()
        self.scene.measure_references()
        self.log(f"runs without faults made {len(self.scene.references['here'])} steps")
        until = time.monotonic() + 60 * self.options.minutes
        for number, fault in enumerate(self.plan, 1):
            if time.monotonic() > until:
                self.log(f"the time is over after {number - 1} faults")
                break
            self.scene.keep_going()
            self.strike(number, fault)
            if number % LOOK_EVERY == 0:
                self.scene.look_at_all()
        self.scene.end()

    def strike(self, number, fault):
        before = len(self.scene.found)
        done = DOERS[fault.kind](self.scene, fault)
        if not done:
            self.counts[fault.kind, "(left out)"] += 1
            return
        what, words, undo = done
        self.log(f"{number:4} {fault.kind}: {words}")
        self.counts[fault.kind, what] += 1
        self.scene.poke(fault.command)
        time.sleep(fault.seconds)
        undo()
        time.sleep(fault.pause)
        self.found_by[fault.kind, what] += len(self.scene.found) - before

    def report(self):
        done = sum(count for (_, what), count in self.counts.items() if what != "(left out)")
        print(f"\n{'fault':12} {'of':16} {'times':>5}")
        for (kind, what), count in sorted(self.counts.items()):
            print(f"{kind:12} {what:16} {count:5}")
        runs = len(self.scene.verified)
        print(f"\nseed {self.options.seed}: {done} faults in "
              f"{(time.monotonic() - self.begin) / 60:.1f} min, {runs} runs to their end with the "
              f"losses of one without faults, {len(self.scene.found)} found")
        for what in self.scene.found:
            print(f"  {what}")

    def take_down(self):
        self.scene.take_down()
        time.sleep(0.3)
        if self.options.keep and self.scene.found:
            shutil.copytree(self.scene.disk, self.work + "-kept", dirs_exist_ok=True,
                            ignore=lambda folder, names: [n for n in names if not os.path.isfile(
                                os.path.join(folder, n)) and not os.path.isdir(
                                os.path.join(folder, n))])
            self.log(f"kept: {self.work}-kept")
        if self.mounted:
            subprocess.run(["umount", "-l", self.scene.disk], check=False)
        shutil.rmtree(self.work, ignore_errors=True)


def give_up_override():
    """Programs that this one starts may write no more than the modes of files allow, root's too."""
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None).prctl
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--studio", default="")
    parser.add_argument("--writer", default="")
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--only", default="", help="kinds: " + ", ".join(KINDS))
    parser.add_argument("--keep", action="store_true", help="the folder stays where it found "
                                                            "something")
    options = parser.parse_args()
    for name in ("program", "studio", "writer"):
        file = getattr(options, name)
        if file and not os.access(file, os.X_OK):
            if name == "program":
                print(f"skipped: there is no program at {file}")
                return 77
            setattr(options, name, "")  # a build without windows
    if not os.path.isdir("/proc/self"):
        print("skipped: there is no /proc")
        return 77
    night = Night(options)
    try:
        night.run()
        night.report()
        return 1 if night.scene.found else 0
    finally:
        # NOTE: the mount of the small disk is done by a child, which needs no more than it has.
        night.take_down()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    give_up_override()
    sys.exit(main())
