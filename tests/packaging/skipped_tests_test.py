#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""packaging/skipped-tests: what was skipped inside programs that pass is counted once, by reason."""
import os
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "..", "packaging", "skipped-tests")

LOG = """1/3 Testing: disk_test
1/3 Test: disk_test
[ RUN      ] Disk.Fills
/source/disk_test.cpp:75: Skipped
no right to mount a small disk

[  SKIPPED ] Disk.Fills (0 ms)
[ RUN      ] Disk.IsRead
[       OK ] Disk.IsRead (0 ms)
[ RUN      ] Disk.FillsTwice
/source/disk_test.cpp:90: Skipped
no right to mount a small disk

[  SKIPPED ] Disk.FillsTwice (1 ms)
[ RUN      ] Disk.Silent
[  SKIPPED ] Disk.Silent (1 ms)
[==========] 4 tests from 1 test suite ran. (0 ms total)
[  PASSED  ] 1 test.
[  SKIPPED ] 3 tests, listed below:
[  SKIPPED ] Disk.Fills
[  SKIPPED ] Disk.FillsTwice
[  SKIPPED ] Disk.Silent
2/3 Testing: ui_page_test
PASS   : tessera::PageTest::shows()
SKIP   : tessera::PageTest::pictures() no folder for pictures
   Loc: [page_test.cpp(555)]
Totals: 1 passed, 0 failed, 1 skipped, 0 blacklisted, 5ms
3/4 Testing: make_sample_test
test_makes (__main__.MakeSample.test_makes) ... skipped 'no apt here'
test_keeps (__main__.MakeSample.test_keeps) ... ok
OK (skipped=1)
4/4 Testing: plain_test
[       OK ] Plain.Works (0 ms)
"""


def run(*logs):
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, text in enumerate(logs):
            paths.append(os.path.join(folder, f"{number}.log"))
            with open(paths[-1], "w", encoding="utf-8") as file:
                file.write(text)
        return subprocess.run([SCRIPT, *paths], check=True, capture_output=True,
                              text=True).stdout.splitlines()


class SkippedTests(unittest.TestCase):
    def test_each_is_counted_and_named_with_its_reason(self):
        self.assertEqual(run(LOG), [
            "    disk_test: Disk.Silent: gives no reason",
            "    disk_test: 2 tests, Disk.Fills and others: no right to mount a small disk",
            "    make_sample_test: test_makes: no apt here",
            "    ui_page_test: tessera::PageTest::pictures(): no folder for pictures",
            "5"])

    def test_a_program_that_was_tried_again_counts_once(self):
        self.assertEqual(run(LOG, LOG), run(LOG))

    def test_nothing_skipped(self):
        self.assertEqual(run("1/1 Testing: a\n[       OK ] A.b (0 ms)\n"), ["0"])


if __name__ == "__main__":
    unittest.main(verbosity=2)  # so that what is skipped gives its reason
