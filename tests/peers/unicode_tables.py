#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes core/tokenizer/unicode_table.cpp: the classes of every code point, as the tokenizers library sees them.

The splits of a tokenizer.json are patterns over general categories (Unicode Standard Annex 44), and ids are equal only where both sides know
the same version of Unicode. So each class is asked of the library itself, with a pattern on a text of all code points.

    pip install tokenizers==0.23.3
    tests/peers/unicode_tables.py                 # writes the file
    tests/peers/unicode_tables.py --check         # compares it with what the library says now
"""
import argparse
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "core" / "tokenizer" / "unicode_table.cpp"
CATEGORIES = ("Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn").split()
SURROGATES = range(0xD800, 0xE000)
CODES = [c for c in range(0x110000) if c not in SURROGATES]
TEXT = "".join(map(chr, CODES))


def members(pattern):
    """The code points that a pattern of one character matches, ascending."""
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found = []
    for _, (begin, end) in split.pre_tokenize_str(TEXT):
        found.extend(CODES[begin:end])
    return found


def ranges(codes):
    out = []
    for code in codes:
        if out and out[-1][1] + 1 == code:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def category_runs():
    of = [CATEGORIES.index("Cs")] * 0x110000
    seen = set()
    for number, name in enumerate(CATEGORIES):
        if name == "Cs":
            continue
        for code in members(rf"\p{{{name}}}"):
            assert code not in seen, f"{code:#x} has two categories"
            seen.add(code)
            of[code] = number
    assert len(seen) == len(CODES), "a code point has no category"
    runs = []
    for code, number in enumerate(of):
        if not runs or runs[-1][1] != number:
            runs.append((code, number))
    return runs


def compositions():
    """Canonical decompositions into two code points and into one, and combining classes, as far as the library has them: its
    normalisation is of an older Unicode than its patterns."""
    nfc, nfd = normalizers.NFC(), normalizers.NFD()
    pairs, singles = [], []
    for code in CODES:
        text = unicodedata.decomposition(chr(code))
        if not text or text.startswith("<"):
            continue
        parts = [int(part, 16) for part in text.split()]
        whole = nfd.normalize_str(chr(code))
        if whole == chr(code):
            continue  # not known to it
        assert whole == unicodedata.normalize("NFD", chr(code)), hex(code)
        if len(parts) == 1:
            singles.append((code, parts[0]))
        else:
            composes = nfc.normalize_str(whole) == chr(code)
            pairs.append((code, parts[0], parts[1], int(composes)))
    classes = []
    for code in CODES:
        value = unicodedata.combining(chr(code))
        # A mark of a higher class goes behind one of class 1 where the library knows its class.
        if value > 1 and nfd.normalize_str("a" + chr(code) + "\u0334") != "a\u0334" + nfd.normalize_str(chr(code)):
            value = 0
        if classes and classes[-1][2] == value and classes[-1][1] + 1 == code:
            classes[-1][1] = code
        else:
            classes.append([code, code, value])
    return singles, pairs, [row for row in classes if row[2]]


def rows(items, form, width=98):
    line, out = " ", []
    for item in items:
        cell = " " + form(item) + ","
        if len(line) + len(cell) > width:
            out.append(line)
            line = " "
        line += cell
    return "\n".join(out + [line])


def table():
    runs, word, han = category_runs(), ranges(members(r"\w")), ranges(members(r"\p{Han}"))
    singles, pairs, classes = compositions()
    spaces = "".join(f" {code:X}" for code in members(r"\s"))
    pair = lambda r: f"{{0x{r[0]:X}, 0x{r[1]:X}}}"
    return f"""// SPDX-License-Identifier: MIT
// Made by tests/peers/unicode_tables.py from what tokenizers {tokenizers.__version__} says; not edited by hand.
// White space, for comparison with unicode::spaces():{spaces}
// clang-format off
#include "core/tokenizer/unicode_table.h"

namespace tessera::unicode {{

const CategoryRun kCategoryRuns[] = {{
{rows(runs, lambda r: f"{{0x{r[0]:X}, {r[1]}}}")}
}};
const std::size_t kCategoryRunCount = {len(runs)};

const Range kWord[] = {{
{rows(word, pair)}
}};
const std::size_t kWordCount = {len(word)};

const Range kHan[] = {{
{rows(han, pair)}
}};
const std::size_t kHanCount = {len(han)};

const Singleton kSingletons[] = {{
{rows(singles, pair)}
}};
const std::size_t kSingletonCount = {len(singles)};

const Composition kCompositions[] = {{
{rows(pairs, lambda r: f"{{0x{r[0]:X}, 0x{r[1]:X}, 0x{r[2]:X}, {'true' if r[3] else 'false'}}}")}
}};
const std::size_t kCompositionCount = {len(pairs)};

const CombiningRun kCombiningRuns[] = {{
{rows(classes, lambda r: f"{{0x{r[0]:X}, 0x{r[1]:X}, {r[2]}}}")}
}};
const std::size_t kCombiningRunCount = {len(classes)};

}}  // namespace tessera::unicode
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    text = table()
    if not options.check:
        OUT.write_text(text)
        print(f"{OUT.relative_to(ROOT)}: {len(text)} bytes")
    elif OUT.read_text() != text:
        sys.exit("core/tokenizer/unicode_table.cpp differs from what the library says")
    else:
        print("equal")


if __name__ == "__main__":
    main()
