#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs cases from people's use as a user would, and says which of them come out right.

    python3 tests/peers/field_cases.py FOLDER [--tessera build/app/tessera] [--only NAME ...]

FOLDER holds `train/NAME/` and `infer/NAME/`: a README that says what is right, a spec or a model,
and sometimes a script `run`. The cases are not part of this repository; the tests with the label
`field` hold the same behaviour with inputs of their own. Every case is copied to a temporary
folder first, so that FOLDER may be read only. The exit status is the number of cases that fail.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CASES = {}
FIELD = Path()
TESSERA = ""


class Wrong(Exception):
    """What a case did instead of what is right."""


def case(name):
    """Registers the check of one case, `train/...` or `infer/...`."""

    def register(check):
        CASES[name] = check
        return check

    return register


def expect(holds, what, output=""):
    if not holds:
        raise Wrong(what + (("\n      " + "\n      ".join(output.strip().splitlines()[-6:])) if output else ""))


class Result:
    def __init__(self, code, text):
        self.code, self.text = code, text


class Place:
    """The temporary copy of one case, in which its commands run."""

    def __init__(self, name, root):
        shutil.copytree(FIELD / name, root / name, symlinks=True)
        if name.startswith("train/") and (FIELD / "train/text").is_dir():
            shutil.copytree(FIELD / "train/text", root / "train/text")
        for path in root.rglob("*"):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o200)
        self.root, self.folder = root, root / name
        self.environment = dict(os.environ, TESSERA=TESSERA, TESSERA_HOME=str(root / "home"),
                                XDG_CACHE_HOME=str(root / "cache"))

    def call(self, *arguments, stdin=None, timeout=300):
        """Runs tessera with the arguments; standard output and error come back together."""
        return self.shell_free([TESSERA, *map(str, arguments)], stdin, timeout)

    def script(self, timeout=400):
        return self.shell_free(["bash", "./run"], None, timeout)

    def shell_free(self, command, stdin, timeout):
        try:
            done = subprocess.run(command, cwd=self.folder, env=self.environment, text=True,
                                  input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                                  errors="replace")
        except subprocess.TimeoutExpired:
            raise Wrong(f"did not end within {timeout} s: {' '.join(command[:4])}")
        return Result(done.returncode, done.stdout)

    def serve(self, *requests, pause=0.0, timeout=60):
        """Sends requests (dicts or raw lines) to `tessera serve`, and returns its events."""
        process = subprocess.Popen([TESSERA, "serve"], cwd=self.folder, env=self.environment, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        for request in requests:
            process.stdin.write((request if isinstance(request, str) else json.dumps(request)) + "\n")
            process.stdin.flush()
            time.sleep(pause)
        output, _ = process.communicate(timeout=timeout)
        return [json.loads(line) for line in output.splitlines()]


def built(place, documents, *extra):
    """`data build` of the case's spec, which must read that many documents."""
    result = place.call("data", "build", "spec.toml", "--out", "out", *extra)
    expect(result.code == 0, "data build failed", result.text)
    manifest = json.loads((place.folder / "out/manifest.json").read_text())
    found = re.search(rf"\b{documents}\b", result.text)
    expect(found, f"the report does not speak of {documents} documents", result.text)
    return result, manifest


# ---- Training ------------------------------------------------------------------------------------


@case("train/stage-mixture")
def stage_mixture(place):
    place.call("train", "spec.toml", "--runs", "runs")
    for step, right in ((10, {"a": 5120, "b": 0}), (20, {"a": 5120, "b": 5120})):
        path = next((place.folder / "runs").glob(f"*/checkpoints/step-{step}/state.json"))
        sources = json.loads(path.read_text())["data"]["sources"]
        items = sources.items() if isinstance(sources, dict) else ((s["name"], s) for s in sources)
        tokens = {name: s.get("tokens", 0) for name, s in items}
        tokens = {name: tokens.get(name, 0) for name in right}
        expect(tokens == right, f"step {step}: {tokens}, right is {right}")


@case("train/json-gz-long-first-line")
def json_gz_long_first_line(place):
    result, _ = built(place, 29)
    expect(re.search(r"99[,. ]?007", result.text), "not 99007 bytes of text", result.text)


@case("train/json-array")
def json_array(place):
    result = place.call("data", "build", "spec.toml", "--out", "out")
    right = result.code == 0 and re.search(r"\b40\b", result.text)
    told = result.code != 0 and "array" in result.text
    expect(right or told, "neither 40 documents nor an error that says that it is an array", result.text)


@case("train/resume-without-corpus")
def resume_without_corpus(place):
    result = place.script()
    for how in ("appended", "renamed", "removed"):
        expect(f"{how}: goes on" in result.text, f"{how}: does not go on", result.text)


@case("train/zstd-long-window")
def zstd_long_window(place):
    result = place.call("data", "build", "spec.toml", "--out", "out")
    right = result.code == 0 and re.search(r"\b40\b", result.text)
    told = result.code != 0 and "window" in result.text and "data.jsonl.zst" in result.text
    expect(right or told, "neither 40 documents nor an error that names file and window", result.text)


@case("train/symlinked-folder")
def symlinked_folder(place):
    result = place.script()
    right = re.search(r"\b40\b", result.text) or "more" in result.text
    expect(right, "neither 40 documents nor a warning that names the link", result.text)


@case("train/hang-up")
def hang_up(place):
    result = place.script()
    expect("stopped on request, saved" in result.text, "HUP does not save", result.text)


@case("train/spike-that-stays")
def spike_that_stays(place):
    place.call("train", "spec.toml", "--runs", "runs", "--id-file", "id", timeout=600)
    run = (place.folder / "id").read_text().strip()
    lines = place.call("watch", run, "--json", "--once").text.splitlines()
    spikes = [json.loads(line)["step"] for line in lines if '"kind":"spike"' in line]
    expect(spikes, "no spike is told of at all")
    expect(all(120 <= step <= 200 for step in spikes), f"spikes outside the jump: {spikes[-5:]}")
    expect(len(spikes) < 80, f"{len(spikes)} spikes: what is usual is not learned anew")


@case("train/jsonl-nan-metadata")
def jsonl_nan_metadata(place):
    built(place, 40)


@case("train/dropped-not-told")
def dropped_not_told(place):
    result = place.call("train", "spec.toml", "--runs", "runs")
    expect("180" in result.text and "no_text_field" in result.text, "what was dropped is not told", result.text)


@case("train/cpu-quota")
def cpu_quota(place):
    result = place.script()
    times = [int(ms) for ms in re.findall(r": (\d+) ms", result.text)]
    expect(len(times) == 2, "no times (a control group needs root)", result.text)
    expect(times[0] < 1.5 * times[1] + 500, f"all threads {times[0]} ms, one thread {times[1]} ms")


@case("train/source-weight-zero")
def source_weight_zero(place):
    check = place.call("spec", "check", "spec.toml")
    train = place.call("train", "spec.toml", "--runs", "runs")
    expect((check.code == 0) == (train.code == 0), "check and train disagree", check.text + train.text)
    if check.code != 0:
        expect("spec.toml" in check.text and re.search(r":\d+", check.text), "no file and line", check.text)


@case("train/start-from-other-vocabulary")
def start_from_other_vocabulary(place):
    result = place.script()
    status = re.findall(r"exit status (\d+)", result.text)
    expect(status and (status[-1] != "0" or "vocabular" in result.text), "accepted without a word", result.text)
    expect("vocabular" in result.text, "the vocabularies are not named", result.text)


@case("train/checkpoint-between-stages")
def checkpoint_between_stages(place):
    result = place.script()
    lines = [line for line in result.text.splitlines() if line.startswith("validation.every_steps")]
    expect(len(lines) == 2 and all("no rope_scaling" in line for line in lines), "YaRN too early", result.text)


@case("train/no-held-out")
def no_held_out(place):
    check = place.call("spec", "check", "spec.toml")
    train = place.call("train", "spec.toml", "--runs", "runs")
    expect("held" in check.text, "the check does not warn", check.text)
    expect("nan" not in train.text.lower(), "validation is nan", train.text)
    expect("held" in train.text, "train does not warn", train.text)


@case("train/ctrl-c-while-reading")
def ctrl_c_while_reading(place):
    result = place.script()
    seconds = int(re.search(r"after (\d+) s", result.text).group(1))
    expect(seconds <= 5, f"ends after {seconds} s", result.text)
    expect("stopped" in result.text.splitlines()[-1] or "stopped" in result.text, "not stopped", result.text)
    expect("failed" not in result.text.lower(), "said to have failed", result.text)


@case("train/tilde-without-home")
def tilde_without_home(place):
    result = place.script()
    expect("exit status 0" not in result.text and "HOME" in result.text, "HOME is not named", result.text)


@case("train/damaged-file-not-named")
def damaged_file_not_named(place):
    result = place.call("data", "build", "spec.toml", "--out", "out")
    expect("part-01.jsonl.gz" in result.text, "the damaged file is not named", result.text)


# ---- Models --------------------------------------------------------------------------------------


def verifies(place):
    result = place.call("verify", "model", "--reference", "reference.safetensors")
    expect(result.code == 0, "verify failed", result.text)


for folder in ("empty-marker-tensor", "epsilon-of-the-latent-norms", "experts-in-one-tensor",
               "fp8-scale-fmt-float", "fp8-written-by-transformers5", "harmless-keys-unsloth",
               "kimi-k2-model-type", "moonlight-with-inv-freq", "no-shared-experts-empty-tensors",
               "tied-in-config-own-head-in-file", "two-mtp-layers-in-config-none-in-folder",
               "v2-lite-as-published", "v2-lite-saved-by-transformers5",
               "whole-number-written-as-float", "whole-numbers-written-as-floats"):
    case(f"infer/{folder}")(verifies)


@case("infer/shards-without-index")
def shards_without_index(place):
    result = place.call("verify", "model", "--reference", "reference.safetensors")
    told = "model-00001-of-00002.safetensors" in result.text and "index" in result.text
    expect(result.code == 0 or told, "neither opened nor the shards and the index named", result.text)


@case("infer/verify-ids-of-32-bits")
def verify_ids_of_32_bits(place):
    result = place.call("verify", "model", "--reference", "reference.safetensors")
    told = "reference.safetensors" in result.text and "input_ids" in result.text
    expect(result.code == 0 or told, "file and tensor are not named", result.text)


case("infer/verify-ids-of-one-row")(verify_ids_of_32_bits)


@case("infer/dangling-link")
def dangling_link(place):
    link = place.folder / "model/model.safetensors"
    if not link.is_symlink():
        link.symlink_to("../blobs/gone")
    result = place.call("verify", "model", "--reference", "anything")
    expect(result.code == 1 and "model.safetensors" in result.text and "link" in result.text,
           "the dangling link is not named", result.text)


@case("infer/git-lfs-pointer")
def git_lfs_pointer(place):
    result = place.call("generate", "model", "--prompt", "the")
    expect(result.code == 1 and "LFS" in result.text and "git lfs pull" in result.text, "not told", result.text)


@case("infer/import-of-an-incomplete-folder")
def import_of_an_incomplete_folder(place):
    result = place.call("import", "model", "out")
    expect(result.code == 1, f"exit status {result.code}", result.text)
    expect("model.layers.1.self_attn.kv_b_proj.weight" in result.text, "the tensor is not named", result.text)
    expect(not (place.folder / "out").exists(), "the folder `out` was left")


@case("infer/max-tokens-below-one")
def max_tokens_below_one(place):
    result = place.call("generate", "model", "--prompt", "the", "--max-tokens", "-5")
    expect(result.code != 0 and "max-tokens" in result.text, "-5 is taken", result.text)
    events = place.serve({"id": 1, "do": "load", "path": "model", "device": "cpu"},
                         {"id": 2, "do": "generate", "prompt": "the", "max_tokens": 0},
                         {"id": 3, "do": "generate", "prompt": "the", "max_tokens": 2, "sampling": {"seed": -1}})
    errors = {e["id"]: e for e in events if e["event"] == "error"}
    expect(2 in errors and "max_tokens" in json.dumps(errors[2]), "max_tokens 0 is taken by serve")
    expect(3 not in errors or "whole number from 0" in json.dumps(errors[3]) or "0 or more" in
           json.dumps(errors[3]), f"the seed's error is not true: {errors.get(3)}")


@case("infer/nan-in-one-row-of-the-head")
def nan_in_one_row_of_the_head(place):
    result = place.call("generate", "model", "--prompt", "the cat", "--temperature", "0", "--max-tokens", "6")
    expect(result.code == 1 and "not finite" in result.text, "the NaN is not told", result.text)
    for temperature in (0, 1):
        events = place.serve({"id": 1, "do": "load", "path": "model", "device": "cpu"},
                             {"id": 2, "do": "generate", "prompt": "the cat", "sampling": {"temperature": temperature}})
        expect(any(e["event"] == "error" and e["id"] == 2 for e in events), "serve sends no error")
        expect(not any(e["event"] == "token" and e.get("p") is None for e in events), "p is null")


@case("infer/chat-longer-than-the-context")
def chat_longer_than_the_context(place):
    result = place.call("chat", "model", "--temperature", "0", "--max-tokens", "8",
                        stdin="abc abc abc abc\n" * 40)
    expect(result.code == 0, f"exit status {result.code}", result.text)
    expect("full" in result.text, "that the context is full is not said", result.text)
    result = place.call("chat", "model", "--temperature", "0", "--max-tokens", "8",
                        stdin="abc " * 2000 + "\nabc\n")
    expect(result.code == 0, f"a line that is too long: exit status {result.code}", result.text)


@case("infer/serve-a-path-that-is-not-there")
def serve_a_path_that_is_not_there(place):
    events = place.serve({"id": 1, "do": "load", "path": "/no/such/folder", "device": "cpu"})
    errors = [e for e in events if e["event"] == "error"]
    expect(errors and "vocabulary" not in errors[0]["what"], f"the error is not true: {errors}")
    expect("no such" in json.dumps(errors[0]) or "no folder" in json.dumps(errors[0]) or
           "not exist" in json.dumps(errors[0]), f"it does not say that the folder is missing: {errors}")


@case("infer/serve-requests-through-a-pipe")
def serve_requests_through_a_pipe(place):
    requests = (place.folder / "requests.jsonl").read_text()
    for text in (requests, requests.rstrip("\n")):
        result = place.call("serve", stdin=text)
        kinds = [json.loads(line)["event"] for line in result.text.splitlines() if line.startswith("{")]
        expect("loaded" in kinds and "token" in kinds and "done" in kinds, f"only {kinds}", result.text)


@case("infer/serve-special-token-in-an-answer")
def serve_special_token_in_an_answer(place):
    events = place.serve({"id": 1, "do": "load", "path": "model", "device": "cpu"},
                         {"id": 2, "do": "generate", "prompt": "a", "sampling": {"temperature": 0}})
    shown = [e.get("shown") for e in events if e["event"] == "token" and e["token"] == 3]
    expect(shown and shown[0] == "<｜User｜>", f"shown is {shown}")


@case("infer/serve-unknown-fields")
def serve_unknown_fields(place):
    for request in ({"do": "unload", "now": True}, {"do": "cancel", "request": 9, "hard": 1},
                    {"do": "quit", "now": True}):
        events = place.serve({"id": 1, **request})
        errors = [e for e in events if e["event"] == "error"]
        field = [key for key in request if key not in ("do", "request")][0]
        expect(errors and field in json.dumps(errors[0]), f"{request} gave {events}")


@case("infer/several-ends-in-config")
def several_ends_in_config(place):
    result = place.call("generate", "model", "--prompt", "a", "--temperature", "0", "--max-tokens", "20")
    expect("abc" in result.text and "abcd" not in result.text and "abce" not in result.text,
           "the answer runs past the second end", result.text)
    place.call("import", "model", "out")
    ends = json.loads((place.folder / "out/config.json").read_text())["eos_token_id"]
    expect(ends == [1, 303], f"eos_token_id of the imported folder is {ends}")
    events = place.serve({"id": 1, "do": "load", "path": "model", "device": "cpu"},
                         {"id": 2, "do": "generate", "prompt": "a", "sampling": {"temperature": 0}})
    reasons = [e["reason"] for e in events if e["event"] == "done"]
    expect(reasons == ["stop"], f"serve ends with {reasons}")


@case("infer/tokenizer-json-only")
def tokenizer_json_only(place):
    result = place.call("generate", "model", "--prompt", "a")
    expect(result.code == 0 or "tokenizer.json" in result.text, "tokenizer.json is not named", result.text)
    expect("tessera tokenizer train" not in result.text, "a command that does not exist is advised", result.text)


@case("infer/two-system-messages")
def two_system_messages(place):
    events = place.serve({"id": 1, "do": "load", "path": "model", "device": "cpu"},
                         pause=2.0, *[{"id": 2, "do": "tokenize", "messages": [
                             {"role": "system", "text": "one"}, {"role": "system", "text": "two"},
                             {"role": "user", "text": "hi"}]}])
    ids = [[t[0] for t in e["tokens"]] for e in events if e["event"] == "tokens"]
    right = [0, 280, 292, 16, 16, 293, 306, 294, 3, 299, 295, 5]
    expect(ids == [right], f"ids are {ids}")


@case("infer/vocabulary-with-dummy-prefix")
def vocabulary_with_dummy_prefix(place):
    texts = json.loads((place.folder / "expected.json").read_text())
    requests = [{"id": 2 + at, "do": "tokenize", "text": t["text"]} for at, t in enumerate(texts)]
    events = place.serve({"id": 1, "do": "load", "path": "model", "device": "cpu"}, *requests, pause=1.0)
    ids = {e["id"]: [t[0] for t in e["tokens"]] for e in events if e["event"] == "tokens"}
    for at, text in enumerate(texts):
        expect(ids.get(2 + at) == text["ids"], f"{text['text']!r}: {ids.get(2 + at)}, right is {text['ids']}")
    result = place.call("generate", "model", "--prompt", "the cat", "--max-tokens", "3")
    expect(result.code == 0 and " the cat" not in result.text.splitlines()[0][:8],
           "generate shows a space that the prompt does not have", result.text)


case("infer/vocabulary-unigram-with-dummy-prefix")(vocabulary_with_dummy_prefix)


def run_case(name):
    with tempfile.TemporaryDirectory() as root:
        start = time.monotonic()
        try:
            CASES[name](Place(name, Path(root)))
            verdict = "right"
        except Wrong as wrong:
            verdict = f"WRONG  {wrong}"
        except Exception as error:  # a case that cannot be judged is no case that passes
            verdict = f"WRONG  {type(error).__name__}: {error}"
        print(f"{name:48} {time.monotonic() - start:6.1f} s  {verdict}", flush=True)
        return verdict == "right"


def main():
    global FIELD, TESSERA
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tessera", default="build/app/tessera")
    parser.add_argument("--only", nargs="*", default=[], help="parts of names")
    arguments = parser.parse_args()
    FIELD, TESSERA = arguments.folder.resolve(), str(Path(arguments.tessera).resolve())
    found = {f"{kind}/{path.name}" for kind in ("train", "infer") for path in (FIELD / kind).iterdir()
             if (path / "README.md").exists()}
    wanted = [name for name in sorted(found) if not arguments.only or any(o in name for o in arguments.only)]
    unknown = [name for name in wanted if name not in CASES]
    failed = sum(not run_case(name) for name in wanted if name in CASES)
    for name in unknown:
        print(f"{name:48}          no check is written for it")
    print(f"{len(wanted) - failed - len(unknown)} right, {failed} wrong, {len(unknown)} without a check")
    return failed + len(unknown)


if __name__ == "__main__":
    sys.exit(main())
