#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""GGUF files of this program in llama.cpp: the same greedy text, tokens and perplexity.

Trains small models of eight shapes for a short while, exports each, and compares what llama.cpp
does with the file with what this program does with the folder. Needs llama-cpp-python 0.3.36 (built
from its source) and numpy, which the product never does.

  build/tests/tokenizer/tokenizer_ids --text web 14000 resources/grammar \\
      | python3 -c 'import json,sys; print("\\n\\n".join(json.loads(l)["text"] for l in sys.stdin))' > text
  TESSERA_SAMPLE=none python3 tests/peers/gguf_llama_cpp.py --program build/app/tessera \\
      --peer build/tests/gguf/gguf_peer --work /tmp/gguf --text text --steps 150
  # last run: 2026-11-30; its table is in docs/released-models.md

Asserts: of F32 files all answers to 20 prompts have the same 64 tokens, but for those that differ
first where the best two logits are nearly equal (they are listed); the tokens of a text are the
same; perplexity in F32 is within 0.01 % of this program's; of Q8_0, Q4_0 and Q4_K it is within
0.5, 5 and 3 % of F32's, and within 0.2 % of what this program computes with the same numbers.
"""
import argparse
import json
import math
import pathlib
import shutil
import subprocess
import sys

import numpy as np

PROMPTS = [
    "Once upon a time", "The sum of two", "The river", "def add(a, b):", "In the morning the",
    "He said that", "A number is", "The house on the hill", "for i in range(", "When the rain",
    "She looked at", "Let x be", "The first of them", "There was a", "return",
    "It is known that", "The old man", "If a number", "Every day", "The end of the",
]
TOKENS = 64
WINDOW = 128
NEAR_TIE = 1e-3  # nats between the best two logits of F32
LIMITS = {"q8_0": 0.005, "q4_0": 0.05, "q4_k": 0.03}
ALIKE = 0.002  # between llama.cpp and this program, of the same quantised numbers

COMMON = {"model.num_nextn_predict_layers": 0, "tokenizer.kind": "bpe"}
# Rows that are whole blocks of every type, so that Q4_K is really used.
WIDE = {"model.hidden_size": 256, "model.kv_lora_rank": 64, "model.moe_intermediate_size": 256,
        "model.intermediate_size": 512, "model.n_routed_experts": 8}
SHAPES = {
    "demo (sigmoid, groups, unigram, MTP)": {},
    "query latent, two dense layers": {**COMMON, "model.q_lora_rank": 64,
                                       "model.first_k_dense_replace": 2},
    "V2: softmax, two shared experts": {
        **COMMON, "model.scoring_func": "softmax", "model.group_score": "max",
        "model.norm_topk_prob": False, "model.n_group": 1, "model.topk_group": 1,
        "model.n_shared_experts": 2},
    "tied head, scaled experts": {**COMMON, "model.tie_word_embeddings": True,
                                  "model.routed_scaling_factor": 2.5},
    "YaRN": {**COMMON, "model.max_position_embeddings": 1024, "model.yarn.factor": 4.0,
             "model.yarn.original_length": 256, "model.yarn.mscale": 0.707,
             "model.yarn.mscale_all_dim": 0.707},
    "byte pairs (tokenizer.json)": {**COMMON, "model.q_lora_rank": 64},
    "27 layers without a query latent": {
        **COMMON, "model.num_hidden_layers": 27, "model.hidden_size": 64,
        "model.intermediate_size": 128, "model.moe_intermediate_size": 32,
        "model.n_routed_experts": 8, "model.n_group": 1, "model.topk_group": 1},
    "wide, dense first layer": {**COMMON, **WIDE, "model.q_lora_rank": 256},
}


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(part) for part in command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def train(args, index, changes):
    runs = args.work / f"runs-{index}"
    if not runs.exists():
        command = [args.trainer, "train", args.preset, "--runs", runs, "--most-steps", args.steps]
        for key, value in changes.items():
            command += ["--set", f"{key}={json.dumps(value)}"]
        run(*command)
    return next(path for path in runs.iterdir() if (path / "checkpoints").exists())


def swap_vocabulary(folder, golden):
    """The same model with byte pairs: ids mean other pieces, and there are rows to spare."""
    (folder / "tokenizer.model").unlink()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(golden / name, folder / name)


class Llama:
    def __init__(self, path, threads):
        import llama_cpp

        self.llm = llama_cpp.Llama(model_path=str(path), n_ctx=256, n_batch=256, logits_all=True,
                                   type_k=0, type_v=0, flash_attn=False, n_threads=threads,
                                   n_threads_batch=threads, verbose=False)

    def tokens(self, text):
        return self.llm.tokenize(text.encode(), add_bos=False, special=False)

    def logits(self, ids):
        self.llm.reset()
        self.llm.eval(ids)
        return np.array(self.llm.scores[: len(ids)])

    def greedy(self, ids, count, vocabulary):
        """Rows of the model without a token are never chosen, as they are not here."""
        self.llm.reset()
        self.llm.eval(ids)
        answer = []
        for _ in range(count):
            best = int(np.argmax(self.llm.scores[self.llm.n_tokens - 1][:vocabulary]))
            answer.append(best)
            self.llm.eval([best])
        return answer

    def loss(self, ids, bos):
        total, counted = 0.0, 0
        for at in range(0, len(ids), WINDOW):
            window = ([bos] if bos >= 0 else []) + ids[at : at + WINDOW]
            if len(window) < 2:
                continue
            logits = self.logits(window)[:-1].astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            rows = np.arange(len(window) - 1)
            total -= (logits[rows, window[1:]] - np.log(np.exp(logits).sum(axis=1))).sum()
            counted += len(window) - 1
        return total / counted


def ours(args, folder, prompts, text):
    request = {"prompts": prompts, "tokens": TOKENS, "text": text, "window": WINDOW}
    return json.loads(run(args.peer, folder, input=json.dumps(request)))


def compare_answers(model, answers, vocabulary):
    differing = []
    for prompt, mine in zip(PROMPTS, answers):
        theirs = model.greedy(mine["ids"], TOKENS, vocabulary)
        if theirs != mine["answer"]:
            at = next(i for i, (a, b) in enumerate(zip(theirs, mine["answer"])) if a != b)
            differing.append((prompt, at, mine["margin"]))
    return differing


def check(failures, holds, what):
    if not holds:
        failures.append(what)
        print("  FAILED:", what)


def compare(args, index, name, changes, text):
    print(f"{index + 1}. {name}", flush=True)
    failures = []
    run_folder = train(args, index, changes)
    folder = args.work / f"model-{index}"
    shutil.rmtree(folder, ignore_errors=True)
    run(args.program, "export", run_folder, folder, "--dtype", "f32")
    if name.startswith("byte pairs"):
        swap_vocabulary(folder, args.golden)
    mine = ours(args, folder, PROMPTS, text)
    losses, llama_losses = {"f32": mine["loss"]}, {}
    for kind in ("f32", "q8_0", "q4_0", "q4_k"):
        file = args.work / f"model-{index}-{kind}.gguf"
        file.unlink(missing_ok=True)
        run(args.program, "export", folder, "--gguf", file, "--type", kind)
        model = Llama(file, args.threads)
        llama_losses[kind] = model.loss(mine["text"], mine["bos"])
        if kind == "f32":
            tokens = model.tokens(text)
            check(failures, tokens == mine["text"], "the tokens of the text are the same")
            differing = compare_answers(model, mine["prompts"], mine["vocabulary"])
            clear = [row for row in differing if row[2] > NEAR_TIE]
            check(failures, not clear, f"greedy answers are the same: {clear}")
            print(f"  {len(PROMPTS) - len(differing)} of {len(PROMPTS)} answers the same"
                  + (f"; near ties: {differing}" if differing else ""), flush=True)
        else:
            back = args.work / f"model-{index}-{kind}"
            shutil.rmtree(back, ignore_errors=True)
            run(args.program, "import", file, back, "--dtype", "f32")
            losses[kind] = ours(args, back, [], text)["loss"]
        del model
    for kind, loss in losses.items():
        gap = math.exp(llama_losses[kind] - loss) - 1
        cost = math.exp(llama_losses[kind] - llama_losses["f32"]) - 1
        size = (args.work / f"model-{index}-{kind}.gguf").stat().st_size
        print(f"  {kind:5} {size / 1e6:7.2f} MB  perplexity {math.exp(loss):9.4f} here, "
              f"{math.exp(llama_losses[kind]):9.4f} llama.cpp ({100 * gap:+.4f} %), "
              f"{100 * cost:+.3f} % beside F32", flush=True)
        limit = 1e-4 if kind == "f32" else ALIKE
        check(failures, abs(gap) <= limit, f"{kind}: perplexity is llama.cpp's within {limit}")
        if kind in LIMITS:
            check(failures, cost <= LIMITS[kind], f"{kind}: within {LIMITS[kind]} of F32")
    return [f"{name}: {failure}" for failure in failures]


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--trainer", type=pathlib.Path, help="another build for the training")
    parser.add_argument("--peer", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--preset", default="demo")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--text", type=pathlib.Path, required=True)
    parser.add_argument("--bytes", type=int, default=20_000)
    parser.add_argument("--only", type=int, nargs="*")
    args = parser.parse_args()
    args.trainer = args.trainer or args.program
    args.golden = root / "tests" / "golden" / "tokenizer" / "deepseek"
    args.work.mkdir(parents=True, exist_ok=True)
    text = args.text.read_bytes()[: args.bytes].decode("utf-8", "ignore")
    failures = []
    for index, (name, changes) in enumerate(SHAPES.items()):
        if args.only and index + 1 not in args.only:
            continue
        failures += compare(args, index, name, changes, text)
    print("all within the limits" if not failures else "\n".join(["", *failures]))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
