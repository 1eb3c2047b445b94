# SPDX-License-Identifier: MIT
"""What tests/hosts/faults.py works on: a folder with a studio, a queue that is never empty, and a
launch on a pretend host, all of one user; and what must hold of them whatever happens.

Processes are known by a variable in their environment, so that none is taken for one of ours."""
import json
import os
import shutil
import signal
import subprocess
import time

from fault_checks import Checks, is_alive, stat_of

SSH = """#!/bin/bash
# Stands in the place of ssh: runs here what it is told, as another user's account would.
folder=$(dirname "$0")
for word in "$@"; do [ "$word" = "-O" ] && exit 0; done
while [ "$1" != "--" ]; do shift; done
if [ -e "$folder/cut" ]; then
  echo "ssh: connect to host $2 port 22: No route to host" >&2; exit 255
fi
export TESSERA_HOME="$TESSERA_FAR_HOME"
if [ -e "$folder/bytes" ]; then
  sh -c "$3" | stdbuf -o0 head -c "$(cat "$folder/bytes")"
  echo "Connection to $2 closed by remote host." >&2; exit 255
fi
exec sh -c "$3"
"""

# What stands in the command line of a process, by what the process is. The first one counts.
ROLES = (("studio", "tessera-studio"), ("writer", "studio_writer"), ("agent", " agent hold "),
         ("line", " agent "), ("keeper", " mirror --keep"), ("holder", " queue run"),
         ("desk", " launch "))


class Process:
    def __init__(self, pid, role, words, started):
        self.pid, self.role, self.words, self.started = pid, role, words, started

    def __str__(self):
        return f"{self.role} {self.pid}"


def role_of(words, environment):
    if b"RANK=" in environment and (" train " in words or " resume " in words):
        return "rank"
    for role, part in ROLES:
        if part in words + " ":
            return role
    if "/ssh/ssh " in words:
        return "line"
    return "trainer" if " train " in words or " resume " in words else "other"


class Scene(Checks):
    def __init__(self, work, program, windows, log, steps=160, clock=""):
        """`windows`: files of the studio and of studio_writer, by "studio" and "writer"."""
        self.work, self.program, self.log = work, program, log
        self.steps, self.clock = steps, clock
        self.disk = os.path.join(work, "disk")  # all that the programs write
        self.home = os.path.join(self.disk, "home")
        self.runs = os.path.join(self.home, "runs")
        self.far = os.path.join(self.disk, "far")
        self.filler = os.path.join(self.disk, "filler")
        self.ssh = os.path.join(work, "ssh")
        self.windows = windows
        self.open = {}        # the processes of these
        self.desk = None
        self.launched = ""    # the name of the launch that the desk follows
        self.far_name = ""    # and of its run
        self.added = {}       # names that the queue took, and how often to go on with them
        self.number = 0
        self.seen = {}        # folder of a run: the whole events seen last
        self.verified = set()
        self.given_up = set()  # names of runs that cannot go on, as they had saved nothing yet
        self.found = []
        self.said = ""
        self.references = {}
        self.struck = set()   # processes that a fault has struck
        self.poked = None     # a command that was given while something was wrong

    # ---- Setting up ------------------------------------------------------------------------------

    def set_up(self):
        for folder in (self.runs, self.far, self.ssh, os.path.join(self.disk, "tmp")):
            os.makedirs(folder, exist_ok=True)
        script = os.path.join(self.ssh, "ssh")
        with open(script, "w", encoding="utf-8") as file:
            file.write(SSH)
        os.chmod(script, 0o755)
        words = os.path.join(self.work, "words.jsonl")
        with open(words, "w", encoding="utf-8") as file:
            parts = "river stone light under morning walks a the silent green and over".split()
            number = 1
            for _ in range(100):
                text = []
                for _ in range(100):
                    number = number * 1103515245 + 12345 & 0x7FFFFFFF
                    text.append(parts[(number >> 8) % len(parts)])
                file.write(json.dumps({"text": " ".join(text) + "."}) + "\n")
        self.spec = os.path.join(self.work, "spec.toml")
        with open(self.spec, "w", encoding="utf-8") as file:
            file.write(self.tiny_spec(words))
        if self.clock:
            self.move_clock("+0")

    def tiny_spec(self, words):
        """The text of tiny.toml.in with this scene's values."""
        folder = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(folder, "tiny.toml.in"), encoding="utf-8") as file:
            spec = file.read()
        for name, value in {"name": "none", "text": words, "steps": str(self.steps),
                            "parallel": "", "host": "",
                            "checkpoint": "every_steps = 20\nkeep = 2"}.items():
            spec = spec.replace(f"@{name}@", value)
        return spec

    def environment(self):
        environment = {
            **{name: value for name, value in os.environ.items()
               if not name.startswith(("TESSERA_", "OMPI_", "SLURM_", "XDG_"))},
            "TESSERA_FAULTS": self.work, "TESSERA_HOME": self.home,
            "TESSERA_FAR_HOME": os.path.join(self.disk, "far-home"),
            "TESSERA_AGENTS": os.path.join(self.disk, "agents"),
            "TESSERA_SSH": os.path.join(self.ssh, "ssh"), "TESSERA_SAMPLE": "none",
            "TMPDIR": os.path.join(self.disk, "tmp"), "HOME": self.disk,
            "XDG_CONFIG_HOME": os.path.join(self.disk, "config"),
            "XDG_CACHE_HOME": os.path.join(self.disk, "cache"),
            "XDG_RUNTIME_DIR": os.path.join(self.disk, "tmp"),
            "OMP_WAIT_POLICY": "passive", "QT_QPA_PLATFORM": "offscreen"}
        if self.clock:
            environment |= {"LD_PRELOAD": self.clock, "NO_FAKE_STAT": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
                            "FAKETIME_TIMESTAMP_FILE": os.path.join(self.work, "clock"),
                            "FAKETIME_CACHE_DURATION": "1", "FAKETIME_SKIP_CMDS": "stdbuf"}
        return environment

    def move_clock(self, by):
        with open(os.path.join(self.work, "clock"), "w", encoding="utf-8") as file:
            file.write(by + "\n")

    def tessera(self, *words, timeout=90):
        """The exit status and the output of a command."""
        return self.outcome(words, self.begin(*words), timeout)

    def begin(self, *words):
        return subprocess.Popen([self.program, *words], env=self.environment(), text=True,
                                errors="replace", stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def outcome(self, words, process, timeout=90):
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            self.find(f"`tessera {' '.join(words[:3])}` does not end in {timeout} s")
            return 1, ""
        if process.pid in self.struck:
            return 1, out + err
        if process.returncode < 0 or process.returncode > 2:
            self.find(f"`tessera {' '.join(words[:3])}` ended with {process.returncode}: "
                      f"{err[-300:]}")
        elif process.returncode != 0 and not err.strip():
            self.find(f"`tessera {' '.join(words[:3])}` failed without a word")
        return process.returncode, out + err

    def poke(self, pick):
        """A command while something is wrong: it may fail, with a reason, and lose nothing."""
        if pick < 0.3:
            words = ("runs", "--json")
        elif pick < 0.5:
            words = ("queue", "list")
        elif pick < 0.6 and self.far_name:
            words = ("mirror", "far:" + self.folder_of(self.far, self.far_name))
        elif pick < 0.75 and not self.is_ending():
            self.number += 1
            words = ("queue", "add", self.spec, "--set", f"run.name=q{self.number}")
        else:
            return
        self.poked = words, self.begin(*words), f"q{self.number}"

    def end_poke(self):
        if self.poked is None:
            return
        words, process, name = self.poked
        self.poked = None
        status, said = self.outcome(words, process)
        if words[:2] == ("queue", "add"):
            self.note_added(name, status, said, process.pid in self.struck)

    def start(self, name, *words):
        with open(os.path.join(self.work, name + ".out"), "ab") as out:
            return subprocess.Popen(words, env=self.environment(), stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=out, start_new_session=True)

    def measure_references(self):
        """The losses of runs that nothing disturbs."""
        for kind, words in (("here", ["train", self.spec, "--runs", self.far]),
                            ("far", ["launch", self.spec, "--local", "2", "--folder", self.far])):
            status, said = self.tessera(*words, "--set", f"run.name=reference-{kind}",
                                        timeout=600)
            folder = self.folder_of(self.far, f"reference-{kind}")
            self.references[kind] = self.losses(folder) if folder else {}
            if status != 0 or len(self.references[kind]) != self.steps:
                raise SystemExit(f"the run without faults failed:\n{said}")
        shutil.rmtree(self.far)
        os.makedirs(self.far)
        for name in os.listdir(self.runs):
            shutil.rmtree(os.path.join(self.runs, name))

    # ---- What is there ---------------------------------------------------------------------------

    def processes(self):
        mark = f"TESSERA_FAULTS={self.work}".encode()
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    environment = file.read()
                if mark not in environment:
                    continue
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            state = stat_of(name)
            if state and state[0] not in "ZX" and words:
                role = role_of(words, b"\0" + environment)
                found.append(Process(int(name), role, words, state[1]))
        return sorted(found, key=lambda p: (p.role, p.started, p.pid))

    @staticmethod
    def folder_of(root, name):
        try:
            names = [n for n in os.listdir(root) if n.startswith(name + "-2")]
        except OSError:
            return ""
        return os.path.join(root, names[0]) if names else ""

    def run_folders(self):
        """Folders of runs, the copies of far ones among them."""
        found = []
        for root in (self.runs, self.far):
            for name in sorted(os.listdir(root)):
                folder = os.path.join(root, name)
                if os.path.exists(os.path.join(folder, "run.toml")):
                    found.append(folder)
        return found

    def losses(self, folder):
        """Losses by step, as text; what a resume went back over counts no more."""
        _, said = self.tessera("watch", folder, "--once", "--json")
        losses = {}
        for line in said.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("kind") in ("resume", "rollback"):
                last = event.get("step", event.get("to_step"))
                losses = {step: loss for step, loss in losses.items() if step <= last}
            elif event.get("kind") == "step":
                if event["step"] in losses:
                    self.find(f"{os.path.basename(folder)}: step {event['step']} came twice")
                losses[event["step"]] = repr(event["loss"])
        return losses

    def find(self, what):
        if what not in self.found:
            self.found.append(what)
            self.log(f"FOUND: {what}")

    # ---- Keeping it going ------------------------------------------------------------------------

    def open_windows(self):
        for name, file in self.windows.items():
            if file and (name not in self.open or self.open[name].poll() is not None):
                ended = self.open.get(name)
                fell = ended is not None and (ended.returncode < 0 or ended.returncode > 127)
                if fell and ended.pid not in self.struck:
                    self.find(f"the {name} ended by itself with {ended.returncode}")
                self.open[name] = self.start(name, file)

    def keep_going(self):
        """What a person does who comes back: opens the studio again, goes on with what failed."""
        self.end_poke()
        self.open_windows()
        self.keep_launching()
        status, said = self.tessera("runs", "--json")
        if status != 0:
            self.log_once(f"runs: {said.strip()[-300:]}")
            return
        rows = json.loads(said[said.index("["):said.rindex("]") + 1])
        self.keep_queue(rows)

    def queue(self):
        status, said = self.tessera("queue", "list", "--json")
        if status == 0:
            return json.loads(said[said.index("{"):said.rindex("}") + 1])
        self.log_once(f"queue: {said.strip()[-300:]}")
        return None

    def log_once(self, text):
        """Not again as long as the same is said."""
        if text != self.said:
            self.log(text)
        self.said = text

    def keep_queue(self, rows):
        queue = self.queue()
        if queue is None:
            return
        waiting = queue["entries"]
        for entry in waiting:
            if entry["standing"].startswith("cannot start"):
                self.tessera("queue", "retry", entry["id"][:12])
        for row in rows:
            ended = row["state"] in ("failed", "stopped") and not is_alive(row["folder"])
            if row["host"] or not ended:
                continue
            if not row["can_resume"]:
                self.given_up.add(row["id"].split("-")[0])  # it died before its first checkpoint
            elif not any(entry["resume"] == row["id"] for entry in waiting):
                self.tessera("queue", "add", "--resume", row["id"])
        if sum(not entry["resume"] for entry in waiting) < 2 and not self.is_ending():
            self.add_entry()

    def is_ending(self):
        return self.number < 0

    def add_entry(self):
        self.number += 1
        name = f"q{self.number}"
        status, said = self.tessera("queue", "add", self.spec, "--set", f"run.name={name}")
        self.note_added(name, status, said, False)

    def note_added(self, name, status, said, was_struck):
        if status == 0:
            self.added[name] = True
        elif not was_struck:
            self.log(f"queue add {name}: {said.strip()[-200:]}")
            self.added["?" + name] = True  # not taken: it must not begin

    def keep_launching(self):
        if self.desk is not None and self.desk.poll() is None:
            return
        if self.desk is not None:
            self.end_of_desk()
            return
        if not self.far_name:
            if self.is_ending():
                return
            self.number += 1
            self.far_name = f"f{self.number}"
            self.launched = ""
            self.desk = self.launch(self.spec, "--set", f"run.name={self.far_name}")
            return
        folder = self.folder_of(self.far, self.far_name)
        if folder and self.is_finished(folder):
            self.verify(folder, "far")
            self.far_name = ""
        elif folder and not is_alive(folder):
            if self.has_checkpoint(folder):
                self.desk = self.launch("--resume", folder)
            else:
                self.given_up.add(self.far_name)
                self.far_name = ""
        elif not folder:
            self.far_name = ""  # it ended before it was a run

    @staticmethod
    def has_checkpoint(folder):
        try:
            return any(name.startswith("step-")
                       for name in os.listdir(os.path.join(folder, "checkpoints")))
        except OSError:
            return False

    def launch(self, *words):
        return self.start("desk", self.program, "launch", *words, "--hosts", "far:2", "--folder",
                          self.far)

    def end_of_desk(self):
        """A launch has ended, or the fault was that its desk did."""
        pid, status = self.desk.pid, self.desk.returncode
        self.desk = None
        folder = self.folder_of(self.far, self.far_name)
        if status == 0 and pid not in self.struck:
            if not folder or self.state_of(folder) not in ("finished", "stopped"):
                self.find(f"the launch of {self.far_name} ended with 0; its run is "
                          f"{self.state_of(folder) if folder else 'not there'}")
        if folder and is_alive(folder):  # the desk was killed; another one finds the launch
            self.desk = self.start("desk", self.program, "launch", "--attach",
                                   os.path.basename(folder))

    def state_of(self, folder):
        for line in reversed(self.tessera("watch", folder, "--once", "--json")[1].splitlines()):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("kind") == "state":
                return event["state"]
        return "unknown"

    def is_finished(self, folder):
        return not is_alive(folder) and self.state_of(folder) == "finished"

    # ---- The end ---------------------------------------------------------------------------------

    def end(self, patience_s=240):
        """All that waits is trained to its end; then nothing may be left over."""
        self.number = -1 - self.number
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            self.keep_going()
            queue = self.queue()
            busy = any(p.role in ("trainer", "rank", "desk", "agent") for p in self.processes())
            if queue and not queue["entries"] and not busy and not self.far_name:
                break
            time.sleep(0.5)
        else:
            self.find(f"after {patience_s} s it is not at rest: {self.queue()}, "
                      f"{[str(p) for p in self.processes()]}, {self.far_name}")
        self.look_at_all()
        for name in self.added:
            if not name.startswith("?") and name not in self.verified | self.given_up:
                self.find(f"{name} has not finished")
        for window in self.open.values():
            if window.poll() is None:
                window.terminate()
                window.wait(30)
        until = time.monotonic() + 100  # a broken line of a mirror is tried again after 60 s
        while self.processes() and time.monotonic() < until:
            time.sleep(0.5)
        for process in self.processes():
            self.find(f"left over: {process.role} {process.pid}: {process.words[:160]}")

    def take_down(self):
        for process in self.processes():
            try:
                os.kill(process.pid, signal.SIGCONT)
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
