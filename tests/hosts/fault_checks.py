# SPDX-License-Identifier: MIT
"""What must hold of the scene of tests/hosts/faults.py, whatever has happened: events, checkpoints,
states, the queue, chats and drafts, and that nothing has fallen over."""
import json
import os
import shutil
import struct
import time
import zlib

FINAL = ("finished", "stopped", "failed")


class Frames:
    """A run's log as a reader of its bytes sees it (docs/formats.md, "events.log")."""

    def __init__(self, path):
        try:
            with open(path, "rb") as file:
                self.bytes = file.read()
        except OSError:
            self.bytes = b""
        self.count, self.end, self.problem = 0, min(16, len(self.bytes)), ""
        while self.end + 16 <= len(self.bytes):
            size, check, number = struct.unpack_from("<IIQ", self.bytes, self.end)
            payload = self.bytes[self.end + 16:self.end + 16 + size]
            if len(payload) < size:
                break
            if zlib.crc32(payload, zlib.crc32(self.bytes[self.end + 8:self.end + 16])) != check:
                break
            if number != self.count + 1:
                self.problem = f"event {number} follows event {self.count}"
                break
            self.count, self.end = number, self.end + 16 + size

    def whole(self):
        """The bytes up to the end of the last whole event."""
        return self.bytes[:self.end]


def stat_of(pid):
    """State and start of a process (proc_pid_stat(5)); None: there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            rest = file.read().rpartition(")")[2].split()
        return rest[0], int(rest[19])
    except (OSError, IndexError):
        return None


def is_alive(folder):
    """Whether the process that the run's folder names is there."""
    try:
        with open(os.path.join(folder, "process.json"), encoding="utf-8") as file:
            named = json.load(file)
    except (OSError, ValueError):
        return False
    now = stat_of(named["pid"])
    return now is not None and now[0] not in "ZX" and now[1] == named["start_ticks"]


class Checks:
    """A part of the scene, which it reads and to which it tells what it finds."""

    def look_at_logs(self):
        """No event that was seen is lost or another one; none is missing or doubled."""
        for folder in self.run_folders():
            frames = Frames(os.path.join(folder, "events.log"))
            name = os.path.relpath(folder, self.disk)
            if frames.problem:
                self.find(f"{name}: {frames.problem}")
            seen = self.seen.get(folder, b"")
            if not frames.whole().startswith(seen):
                self.find(f"{name}: events that were there are lost: {len(seen)} bytes were whole, "
                          f"{frames.end} are")
            self.seen[folder] = frames.whole()
            self.look_at_checkpoints(folder, name)

    def look_at_checkpoints(self, folder, name):
        root = os.path.join(folder, "checkpoints")
        if not os.path.isdir(root) or os.path.exists(os.path.join(folder, "mirror.json")):
            return
        for step in os.listdir(root):
            if not step.startswith("step-") or not step[5:].isdigit():
                continue
            try:
                with open(os.path.join(root, step, "manifest.json"), encoding="utf-8") as file:
                    manifest = json.load(file)
                for part in manifest["files"]:
                    size = os.path.getsize(os.path.join(root, step, part["name"]))
                    if size != part["bytes"]:
                        self.find(f"{name}/{step}/{part['name']}: {size} bytes, not "
                                  f"{part['bytes']}")
            except FileNotFoundError as error:
                if os.path.isdir(os.path.join(root, step)):  # else it was thinned out meanwhile
                    self.find(f"{name}/checkpoints/{step} is not whole: {error}")

    def look_at_states(self, patience_s=100):
        """Every state that is told is true, at the latest after a while."""
        until = time.monotonic() + patience_s
        lies = set(self.false_states())
        while lies and time.monotonic() < until:
            time.sleep(1)
            lies &= set(self.false_states())  # what has just begun or ended is told a moment later
        for lie in sorted(lies):
            self.find(lie)

    def false_states(self):
        status, said = self.tessera("runs", "--json", "--all")
        if status != 0:
            return [f"`tessera runs` fails: {said.strip()[-300:]}"]
        rows = json.loads(said[said.index("["):said.rindex("]") + 1])
        lies = self.false_in_studio()
        told = {row["folder"] for row in rows}
        for folder in self.run_folders():
            if folder.startswith(self.runs) and folder not in told:
                lies.append(f"{os.path.basename(folder)} is in no list of runs")
        for row in rows:
            origin = row["folder"]
            if row["host"]:
                origin = os.path.join(self.far, row["id"])
                if not os.path.isdir(origin):
                    continue
            alive, state = is_alive(origin), row["state"]
            if alive and state in FINAL or not alive and state not in FINAL:
                lies.append(f"{row['id']}{' (the copy)' if row['host'] else ''} is said to be "
                            f"{state}; its process is {'there' if alive else 'gone'}")
            elif row["host"] and not alive and state != self.state_in_log(origin):
                lies.append(f"the copy of {row['id']} says {state}, its log there "
                            f"{self.state_in_log(origin)}")
        return lies

    def false_in_studio(self):
        """The same of what the studio's library told last, of the runs of this machine."""
        writer = self.open.get("writer")
        if writer is None or writer.poll() is not None:
            return []
        try:
            with open(os.path.join(self.work, "writer.out"), "rb") as told:
                told.seek(max(0, os.path.getsize(told.name) - (1 << 20)))
                lines = told.read().splitlines()
            states = json.loads([line for line in lines if line.startswith(b"states ")][-1][7:])
        except (OSError, IndexError, ValueError):
            return ["the studio has told no states"]
        return [f"the studio says that {os.path.basename(folder)} is {state}; its process is "
                f"{'there' if is_alive(folder) else 'gone'}"
                for folder, state in states.items()
                if os.path.isdir(folder) and not os.path.exists(folder + "/mirror.json")
                and is_alive(folder) == (state in FINAL)]

    def state_in_log(self, folder):
        """As it stands for whom its process is gone."""
        state = self.state_of(folder)
        return state if state in FINAL else "failed"

    def look_at_queue(self):
        """What was added waits or has begun, once."""
        queue = self.queue()
        if queue is None:
            self.find("the queue cannot be read")
            return
        waiting = [entry["name"] for entry in queue["entries"] if not entry["resume"]]
        begun = [os.path.basename(folder) for folder in self.run_folders()
                 if folder.startswith(self.runs)]
        for name in self.added:
            runs = sum(run.startswith(name.lstrip("?") + "-2") for run in begun)
            waits = waiting.count(name.lstrip("?"))
            if name in self.verified | self.given_up:
                continue
            if name.startswith("?"):
                if runs + waits > 0:
                    self.find(f"{name[1:]} was refused by the queue, and is in it")
            elif runs + waits != 1 and not self.just_begins(name):
                self.find(f"{name} is {waits} times in the queue, and {runs} runs have begun of it")

    def just_begins(self, name):
        """Between the queue and its folder a run is for a moment in both or in neither."""
        for _ in range(50):
            queue = self.queue()
            waits = sum(entry["name"] == name for entry in queue["entries"]) if queue else 0
            if waits + bool(self.folder_of(self.runs, name)) == 1:
                return True
            time.sleep(0.2)
        return False

    def promised(self):
        """What the writer was told to be kept: the number of the last message, by file."""
        kept = {}
        try:
            with open(os.path.join(self.work, "writer.out"), encoding="utf-8",
                      errors="replace") as lines:
                for line in lines:
                    words = line.split()
                    if len(words) == 3 and words[0] == "kept" and line.endswith("\n"):
                        kept[words[1]] = max(int(words[2]), kept.get(words[1], 0))
        except OSError:
            pass
        return kept

    def look_at_kept(self):
        """Chats and drafts hold all that was said to be kept, once and in order."""
        for file, number in self.promised().items():
            path = os.path.join(self.home, file)
            try:
                with open(path, encoding="utf-8") as now:
                    content = json.load(now)
            except (OSError, ValueError) as error:
                self.find(f"{file}: {error}")
                continue
            if file.startswith("drafts"):
                last = int(content["text"].split()[-1])
            else:
                said = [message["text"] for message in content["messages"]]
                last = len(said)
                if said != [f"message {i + 1}" for i in range(last)]:
                    self.find(f"{file}: messages are lost or doubled: {said[:3]}...")
            if last < number:
                self.find(f"{file} ends with {last}; {number} was said to be kept")

    def look_for_falls(self):
        for root, _, files in os.walk(self.disk):
            for file in files:
                if not file.endswith((".log", ".out")) or file == "events.log":
                    continue
                self.look_for_fall(os.path.join(root, file))
        for name in ("studio.out", "writer.out", "desk.out"):
            self.look_for_fall(os.path.join(self.work, name))

    def look_for_fall(self, file):
        try:
            with open(file, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if any(word in line for word in ("terminate called", "signal 11", "signal 6 ",
                                                     "core dumped", "AddressSanitizer", "ASSERT")):
                        self.find(f"{os.path.relpath(file, self.work)}: {line.strip()[:200]}")
        except OSError:
            pass

    def verify(self, folder, kind):
        """A run that has finished has every step once, with the losses of one without faults."""
        name = os.path.basename(folder).split("-")[0]
        if name in self.verified:
            return
        self.verified.add(name)
        losses, reference = self.losses(folder), self.references[kind]
        if losses != reference:
            other = [step for step in sorted(reference) if losses.get(step) != reference[step]]
            self.find(f"{name}: {len(other)} of {len(reference)} losses differ, the first in step "
                      f"{other[0] if other else '-'} ({losses.get(other[0]) if other else ''}, not "
                      f"{reference[other[0]] if other else ''})")

    def thin_out(self):
        """Finished runs are looked at and removed, so that the disk lasts for a night."""
        for folder in self.run_folders():
            if not folder.startswith(self.runs) or os.path.exists(folder + "/mirror.json"):
                continue
            if self.is_finished(folder):
                self.verify(folder, "here")
        done = [f for f in self.run_folders() if os.path.basename(f).split("-")[0] in self.verified]
        for folder in done[:-3]:
            shutil.rmtree(folder, ignore_errors=True)
            self.seen.pop(folder, None)

    def look_at_all(self):
        self.look_at_states()
        self.look_at_logs()
        self.look_at_queue()
        self.look_at_kept()
        self.look_for_falls()
        self.thin_out()
