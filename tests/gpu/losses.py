#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tests/golden/gpu/demo-2000-steps.json anew: the losses of the demo with 2,000 steps on one
GPU, by recipe, on the text that the program writes itself. For a machine with a GPU; about ten
minutes on one card.

usage: tests/gpu/losses.py [--tessera PROGRAM] [--out FILE] [--seeds N] [--steps N]

Run it whenever a grammar, the demo's preset or a kernel's arithmetic has changed. `text` in the
file is the hash of the grammars that the losses were measured on.
"""
import argparse
import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RECIPES = ("fp32", "bf16", "tensorwise", "blockwise")
SEEDED = ("bf16", "blockwise")  # recipes whose end is compared over several seeds
LAST = 400
SETTINGS = ["host.device=cuda", "validation.every_steps=0", "samples.every_steps=0",
            "checkpoint.every_steps=0"]


def grammar_hash():
    """Of the texts in resources/grammar, by which one sees whether the losses are still theirs."""
    folder = os.path.join(ROOT, "resources", "grammar")
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()[:16]


def command(tessera, steps, recipe, seed):
    settings = [f"curriculum[0].steps={steps}", *SETTINGS, f"precision.recipe={recipe}",
                f"run.seed={seed}"]
    return [tessera, "train", "demo", *(a for s in settings for a in ("--set", s))]


def losses(tessera, steps, recipe, seed, work):
    """One loss a step, as the run's event log has them."""
    runs = os.path.join(work, f"{recipe}-{seed}")
    environment = {**os.environ, "TESSERA_SAMPLE": "none",
                   "TESSERA_HOME": os.path.join(work, "home")}
    subprocess.run([*command(tessera, steps, recipe, seed), "--runs", runs], check=True,
                   stdout=subprocess.DEVNULL, env=environment)
    run = os.path.join(runs, os.listdir(runs)[0])
    events = subprocess.run([tessera, "watch", run, "--once", "--json"], check=True,
                            capture_output=True, text=True, env=environment).stdout
    found = {}
    for line in events.splitlines():
        event = json.loads(line)
        if event.get("kind") == "step":
            found[event["step"]] = round(event["loss"], 5)
    if sorted(found) != list(range(steps)):
        raise RuntimeError(f"{run}: {len(found)} of {steps} steps are in its log")
    return [found[step] for step in range(steps)]


def gpu_name():
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return subprocess.run(query, check=True, capture_output=True,
                          text=True).stdout.splitlines()[0].strip()


def main():
    options = argparse.ArgumentParser(
        description=__doc__, usage=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tessera", default=os.path.join(ROOT, "build", "app", "tessera"))
    options.add_argument("--out", default=os.path.join(
        ROOT, "tests", "golden", "gpu", "demo-2000-steps.json"))
    options.add_argument("--seeds", type=int, default=6)
    options.add_argument("--steps", type=int, default=2000)
    given = options.parse_args()
    result = {
        "what": f"training losses of the preset demo with {given.steps} steps on one GPU, on "
                "generated text, by recipe, seed 1; one value per step from step 0. "
                f"last_{LAST}_of_seeds: mean loss of the last {LAST} steps, in the order of the "
                "seeds",
        "made_by": "tests/gpu/losses.py",
        "command": "TESSERA_SAMPLE=none " +
                   " ".join(command("tessera", given.steps, "RECIPE", "SEED")),
        "text": grammar_hash(), "gpu": gpu_name(),
        "date": datetime.date.today().isoformat(), f"last_{LAST}_of_seeds": {}}
    with tempfile.TemporaryDirectory() as work:
        for recipe in RECIPES:
            ends = []
            for seed in range(1, (given.seeds if recipe in SEEDED else 1) + 1):
                curve = losses(given.tessera, given.steps, recipe, seed, work)
                ends.append(round(sum(curve[-LAST:]) / len(curve[-LAST:]), 6))
                print(f"{recipe:10} seed {seed}: {ends[-1]:.4f}", flush=True)
                if seed == 1:
                    result[recipe] = curve
            if recipe in SEEDED:
                result[f"last_{LAST}_of_seeds"][recipe] = ends
    with open(given.out, "w", encoding="utf-8") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")
    print(given.out)


if __name__ == "__main__":
    try:
        main()
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
