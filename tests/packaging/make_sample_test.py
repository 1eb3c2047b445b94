#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""packaging/make-sample with a package mirror that this test makes: three small packages of its own
in a folder. No network, and nothing of this machine's apt is used or changed."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging",
                      "make-sample")
PYTHON = '"""A module."""\n\n\ndef double(value):\n    return 2 * value\n' * 20
TOOLS = ("apt-get", "apt-cache", "dpkg-deb", "dpkg-scanpackages", "zstd")


def package(folder, name, files, version="1.0"):
    """A .deb with these files ({path: text}) and a licence."""
    tree = os.path.join(folder, "tree")
    files = {f"usr/share/doc/{name}/copyright": f"licence of {name}\n",
             "DEBIAN/control": f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
                               "Maintainer: A Test <test@example.org>\nDescription: a test\n",
             **files}
    for path, text in files.items():
        if text is None:
            continue
        path = os.path.join(tree, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree,
                    os.path.join(folder, f"{name}_{version}_all.deb")],
                   check=True, capture_output=True)
    shutil.rmtree(tree)


@unittest.skipUnless(all(shutil.which(tool) for tool in TOOLS), "no apt and dpkg here")
class MakeSample(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        self.mirror = os.path.join(self.folder, "mirror")
        self.sample = os.path.join(self.folder, "cache", "tessera", "sample")
        os.makedirs(self.mirror)

    def use_mirror(self, uri=None, change=lambda index: index):
        """An apt of its own, with the lists of the mirror as it is now, or as `change` makes them."""
        state = os.path.join(self.folder, "apt")
        for path in ("lists/partial", "cache/archives/partial", "etc"):
            os.makedirs(os.path.join(state, path), exist_ok=True)
        index = subprocess.run(["dpkg-scanpackages", "-m", "."], cwd=self.mirror, check=True,
                               capture_output=True, text=True).stdout
        with open(os.path.join(self.mirror, "Packages"), "w", encoding="utf-8") as file:
            file.write(change(index))
        sources = os.path.join(state, "sources.list")
        with open(sources, "w", encoding="utf-8") as file:
            file.write(f"deb [trusted=yes] {uri or 'file:' + self.mirror} ./\n")
        config = os.path.join(state, "apt.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "-";\n'
                       f'Dir::State::lists "{state}/lists";\nDir::State::status "/dev/null";\n'
                       f'Dir::Cache "{state}/cache";\nAPT::Sandbox::User "root";\n'
                       'Acquire::Languages "none";\n')
        self.environment = {**os.environ, "APT_CONFIG": config,
                            "XDG_CACHE_HOME": os.path.join(self.folder, "cache")}
        subprocess.run(["apt-get", "-qq", "update"], env=self.environment, check=uri is None,
                       capture_output=True)

    def run_script(self, *arguments):
        done = subprocess.run([SCRIPT, *arguments], env=self.environment, capture_output=True,
                              text=True)
        return done.returncode, done.stdout + done.stderr

    def record(self):
        with open(os.path.join(self.sample, "parts.json"), encoding="utf-8") as file:
            return json.load(file)

    def texts(self, part):
        lines = subprocess.run(["zstd", "-dcq", os.path.join(self.sample, part + ".jsonl.zst")],
                               check=True, capture_output=True, text=True).stdout
        return [json.loads(line)["text"] for line in lines.splitlines()]

    def test_takes_what_there_is_and_names_what_is_not(self):
        package(self.mirror, "libpython3.12-stdlib", {"usr/lib/python3.12/textwrap.py": PYTHON})
        package(self.mirror, "libpython3.9-stdlib", {"usr/lib/python3.9/textwrap.py": "old\n" * 99})
        package(self.mirror, "gita", {"usr/share/doc/gita/README_CN.md": "# 说明\n\n" + "汉字，文本。" * 50})
        # The layout has changed, and nothing of it is found.
        package(self.mirror, "golang-1.30-src", {"usr/lib/go/sort.go": "package sort\n"})
        self.use_mirror()
        status, said = self.run_script()
        self.assertEqual(status, 0, said)
        self.assertEqual(set(self.record()), {"code/python", "chinese/gita"})
        self.assertEqual(self.record()["code/python"]["package"], "libpython3.12-stdlib")
        self.assertIn("def double(value):", self.texts("code/python")[0])
        self.assertIn("left out: web/austen: apt knows no package r-cran-janeaustenr", said)
        self.assertIn("left out: code/go: golang-1.30-src gave no text", said)
        with open(os.path.join(self.sample, "licenses", "gita.txt"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "licence of gita\n")
        with open(os.path.join(self.sample, "README.md"), encoding="utf-8") as file:
            self.assertIn("| code/python | ", file.read())
        self.assertEqual(os.listdir(os.path.dirname(self.sample)), ["sample"])

    def test_is_kept_for_the_next_time(self):
        package(self.mirror, "gita", {"usr/share/doc/gita/README_CN.md": "汉字，文本。" * 50})
        self.use_mirror()
        self.assertEqual(self.run_script()[0], 0)
        shutil.rmtree(self.mirror)
        status, said = self.run_script()
        self.assertEqual(status, 0, said)
        self.assertIn(f"sample: {self.sample}", said)
        self.assertNotIn("left out", said)
        # What cannot be made anew stays as it was.
        self.assertEqual(self.run_script("--again")[0], 3)
        self.assertEqual(set(self.record()), {"chinese/gita"})

    def test_without_a_mirror_it_says_so_once(self):
        package(self.mirror, "gita", {"usr/share/doc/gita/README_CN.md": "汉字，文本。" * 50})
        self.use_mirror()
        os.remove(os.path.join(self.mirror, "gita_1.0_all.deb"))
        status, said = self.run_script()
        self.assertEqual(status, 3)
        self.assertEqual(said.count("no sample of other text"), 1)
        self.assertFalse(os.path.exists(self.sample))
        self.assertEqual(os.listdir(os.path.dirname(self.sample)), [])

    def test_without_lists_of_packages(self):
        self.use_mirror(uri="file:/nowhere")
        status, said = self.run_script()
        self.assertEqual(status, 3)
        self.assertIn("apt-get update", said)

    def test_a_package_without_a_licence_is_left_out(self):
        package(self.mirror, "gita", {"usr/share/doc/gita/README_CN.md": "汉字，文本。" * 50,
                                      "usr/share/doc/gita/copyright": None})
        package(self.mirror, "python3-pdm",
                {"usr/share/doc/python3-pdm/README_zh.md": "另外一个，文本。" * 50})
        self.use_mirror()
        status, said = self.run_script()
        self.assertEqual(status, 0, said)
        self.assertIn("left out: chinese/gita: gita says nothing about its licence", said)
        self.assertEqual(set(self.record()), {"chinese/pdm"})

    def test_what_is_too_large_is_left_out(self):
        package(self.mirror, "gita", {"usr/share/doc/gita/README_CN.md": "汉字，文本。" * 50})
        package(self.mirror, "python3-pdm",
                {"usr/share/doc/python3-pdm/README_zh.md": "另外一个，文本。" * 50})
        def huge(index):
            head, tail = index.split("Package: python3-pdm", 1)
            return head + "Package: python3-pdm" + re.sub(r"Size: \d+", "Size: 70000000", tail)

        self.use_mirror(change=huge)
        status, said = self.run_script()
        self.assertEqual(status, 0, said)
        self.assertIn("python3-pdm would make the download larger than 60 MB", said)
        self.assertEqual(set(self.record()), {"chinese/gita"})


if __name__ == "__main__":
    unittest.main(verbosity=2)  # so that what is skipped gives its reason
