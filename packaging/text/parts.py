# SPDX-License-Identifier: MIT
"""Parts of a corpus: which files of which Debian package, read how, cut where; and writing them.

A part becomes DOMAIN/NAME.jsonl.zst, one document a line as {"text": ...}.
"""
import dataclasses
import fnmatch
import glob
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from typing import Callable

import extract


@dataclasses.dataclass
class Part:
    domain: str
    name: str
    package: str  # may be a pattern, "golang-1.*-src": the newest package that fits is taken
    files: list  # globs below the unpacked package
    read: Callable = extract.plain
    title: str = ""
    licence: str = ""
    skip: tuple = ()  # globs of paths to leave out
    limit: int = 0  # bytes of text; 0 is all
    whole: bool = False  # keep the order of files and documents, as in a book
    keep: Callable = lambda text: True
    original: Callable = None  # path of a translated page -> path of its original
    binary: bool = False

    def key(self):
        return f"{self.domain}/{self.name}"

    def path(self, folder):
        return os.path.join(folder, self.domain, self.name + ".jsonl.zst")


class PartError(Exception):
    """A part, or the package that it comes from, cannot be had."""


def fail(what, hint=""):
    print(f"error: {what}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    sys.exit(1)


def need_tools():
    for tool, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("zstd", "zstd")):
        if not shutil.which(tool):
            raise PartError(f"{tool} is not installed: apt-get install {package}")


def _version_key(name):
    """Sorts python3.9-doc before python3.11-doc."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece)
            for piece in re.split(r"(\d+)", name)]


def find_packages(patterns):
    """The newest package that apt knows for each pattern: {pattern: (package, bytes)}."""
    known = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True).stdout.split()
    found = {}
    for pattern in patterns:
        for name in sorted(fnmatch.filter(known, pattern), key=_version_key, reverse=True):
            shown = subprocess.run(["apt-cache", "show", "--no-all-versions", name],
                                   capture_output=True, text=True).stdout
            size = re.search(r"^Size: (\d+)$", shown, flags=re.M)
            if size:  # without one it is only a name that other packages mention
                found[pattern] = (name, int(size.group(1)))
                break
    return found


def download(packages, folder, seconds=None):
    """Fetches packages that are not in `folder` yet; gives {package: file}. With a limit in seconds,
    gives what has come by then."""
    os.makedirs(folder, exist_ok=True)

    def have():
        return {name: found[0] for name in packages
                if (found := glob.glob(os.path.join(folder, name + "_*.deb")))}

    missing = sorted(set(packages) - set(have()))
    if missing:
        # As root, apt would drop to a user of its own who may not write here.
        sandbox = ["-o", "APT::Sandbox::User=root"] if os.getuid() == 0 else []
        command = ["apt-get", "-qq", *sandbox, "download", *missing]
        if seconds is not None:
            patience = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10",
                        "-o", "Acquire::https::Timeout=10"]
            _run_for(["apt-get", "-qq", *sandbox, *patience, "download", *missing], folder, seconds)
        elif subprocess.run(command, cwd=folder).returncode:
            raise PartError("apt-get could not download " + " ".join(missing) + "; apt-get update "
                            "(as root) renews the lists; the parts written so far are kept")
    return have()


def _run_for(command, folder, seconds):
    """Runs it for at most `seconds`; what it says is the caller's to tell, by what is missing."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()


def version_of(deb):
    return subprocess.run(["dpkg-deb", "-f", deb, "Version"], check=True, capture_output=True,
                          text=True).stdout.strip()


def _content(path, binary):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        data = file.read()
    return data if binary else data.decode("utf-8", "replace")


def _mark(text):
    return hashlib.sha1(text.encode()).digest()


def _paths(part, unpacked):
    found = set()
    for pattern in part.files:
        for path in glob.glob(os.path.join(unpacked, pattern), recursive=True):
            relative = os.path.relpath(path, unpacked)
            if os.path.isfile(path) and not os.path.islink(path) and not any(
                    fnmatch.fnmatch(relative, s) for s in part.skip):
                found.add(path)
    # Books stay in order. Of everything else a limit takes a part that is spread over the whole,
    # the same one every time.
    return sorted(found, key=None if part.whole else lambda p: _mark(os.path.relpath(p, unpacked)))


def _untranslated(part, path):
    original = part.original(path) if part.original else None
    if not original or not os.path.exists(original):
        return set()
    return {p.strip() for text in part.read(_content(original, False)) for p in text.split("\n")}


def documents(part, unpacked, size=16000, least=200):
    """The documents of a part: tidy, without exact repeats, each of at most about `size` bytes."""
    seen, total = set(), 0
    for path in _paths(part, unpacked):
        english = _untranslated(part, path)
        texts = part.read(_content(path, part.binary))
        if not part.whole:
            texts.sort(key=_mark)
        for text in texts:
            if english:
                text = "\n".join(l for l in text.split("\n") if not l or l.strip() not in english)
            text = extract.tidy(text)
            for piece in extract.chapters(text) if part.whole else extract.pieces(text, size):
                piece = piece.strip("\n")
                size_bytes = len(piece.encode())
                if size_bytes < least or _mark(piece) in seen or not part.keep(piece):
                    continue
                seen.add(_mark(piece))
                total += size_bytes
                yield piece
                if part.limit and total >= part.limit:
                    return


def write(part, texts, folder, level=9):
    """Writes the part under a temporary name, then renames it. Gives (documents, bytes of text)."""
    target = part.path(folder)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    count = size = 0
    temporary = target + ".part"
    with open(temporary, "wb") as out, subprocess.Popen(
            ["zstd", "-q", "-c", f"-{level}"], stdin=subprocess.PIPE, stdout=out) as zstd:
        for text in texts:
            count += 1
            size += len(text.encode())
            zstd.stdin.write(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n")
        zstd.stdin.close()
        status = zstd.wait()
    if status != 0:
        raise PartError(f"zstd could not write {temporary}: is the disk full?")
    if count == 0:
        os.remove(temporary)
        raise PartError(f"{part.package} gave no text for {part.key()}: its layout has changed "
                        "(packaging/text/ reads it)")
    os.replace(temporary, target)
    return count, size


def load(folder):
    path = os.path.join(folder, "parts.json")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def save(record, folder):
    path = os.path.join(folder, "parts.json")
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1, sort_keys=True)
        file.write("\n")
    os.replace(path + ".part", path)


def keep_copyright(package, unpacked, work, folder):
    """Copies the package's copyright file; that of another package where it links to one."""
    documentation = os.path.join(unpacked, "usr/share/doc", package)
    if os.path.islink(documentation):
        other = os.path.basename(os.readlink(documentation))
        unpacked = os.path.join(unpacked, "linked")
        unpack(download({other}, work)[other], unpacked)
        documentation = os.path.join(unpacked, "usr/share/doc", other)
    licence = os.path.join(documentation, "copyright")
    if not os.path.exists(licence):
        raise PartError(f"{package} says nothing about its licence")
    os.makedirs(folder, exist_ok=True)
    shutil.copyfile(licence, os.path.join(folder, package + ".txt"))


def unpack(deb, folder):
    if subprocess.run(["dpkg-deb", "-x", deb, folder], stderr=subprocess.DEVNULL).returncode:
        raise PartError(f"{os.path.basename(deb)} cannot be unpacked")


def build(parts, folder, work, level=9, copyrights=None):
    """Writes every part that is not there yet. Gives what parts.json in `folder` holds of all:
    {"DOMAIN/NAME": {"documents", "bytes", "version"}}."""
    record = load(folder)
    missing = [p for p in parts if p.key() not in record or not os.path.exists(p.path(folder))]
    debs = download({part.package for part in missing}, work) if missing else {}
    for package, deb in sorted(debs.items()):
        unpacked = os.path.join(work, package)
        shutil.rmtree(unpacked, ignore_errors=True)
        unpack(deb, unpacked)
        for part in [p for p in missing if p.package == package]:
            count, size = write(part, documents(part, unpacked), folder, level)
            print(f"    {part.key():30} {count:6} documents {size / 1e6:7.2f} MB   {package}",
                  flush=True)
            record[part.key()] = {"documents": count, "bytes": size, "version": version_of(deb)}
            save(record, folder)
        if copyrights:
            keep_copyright(package, unpacked, work, copyrights)
        shutil.rmtree(unpacked)
    return record


def table(parts, record):
    """The parts as a Markdown table, and the shares of the domains."""
    lines = ["| part | documents | MB | Debian package | what | licence |",
             "|---|---|---|---|---|---|"]
    domains = {}
    for part in parts:
        if part.key() not in record:
            continue
        row = record[part.key()]
        domains[part.domain] = domains.get(part.domain, 0) + row["bytes"]
        lines.append(f"| {part.key()} | {row['documents']} | {row['bytes'] / 1e6:.2f} | "
                     f"{row.get('package', part.package)} {row['version']} | {part.title} | {part.licence} |")
    total = sum(domains.values())
    shares = ", ".join(f"{name} {size / 1e6:.1f} MB ({100 * size / total:.0f} %)"
                       for name, size in domains.items())
    return "\n".join(lines) + f"\n\nText in all: {total / 1e6:.1f} MB: {shares}.\n"
