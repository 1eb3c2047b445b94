#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Training speed on the CPU beside PyTorch, in one run.

Builds the model of a preset with transformers' DeepseekV3ForCausalLM, trains it on random tokens
(forward, backward, clip, fused AdamW), eager and compiled, and runs `tessera bench train` for the
same shape before, between and after. MTP is off on both sides: transformers does not have it.
Needs torch and transformers from PyPI, which the product itself never does.

  python3 tests/peers/train_cpu.py --tessera build/app/tessera --preset small-20m --precision fp32
"""
import argparse
import pathlib
import re
import statistics
import subprocess
import time
import tomllib

import torch
import transformers
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]


def config_of(model):
    return DeepseekV3Config(
        vocab_size=model["vocab_size"],
        hidden_size=model["hidden_size"],
        num_hidden_layers=model["num_hidden_layers"],
        max_position_embeddings=model["max_position_embeddings"],
        num_attention_heads=model["num_attention_heads"],
        num_key_value_heads=model["num_attention_heads"],
        q_lora_rank=model.get("q_lora_rank") or None,
        kv_lora_rank=model["kv_lora_rank"],
        qk_nope_head_dim=model["qk_nope_head_dim"],
        qk_rope_head_dim=model["qk_rope_head_dim"],
        v_head_dim=model["v_head_dim"],
        first_k_dense_replace=model["first_k_dense_replace"],
        intermediate_size=model["intermediate_size"],
        moe_intermediate_size=model["moe_intermediate_size"],
        n_routed_experts=model["n_routed_experts"],
        n_shared_experts=model["n_shared_experts"],
        num_experts_per_tok=model["num_experts_per_tok"],
        n_group=model.get("n_group", 1),
        topk_group=model.get("topk_group", 1),
        routed_scaling_factor=model.get("routed_scaling_factor", 1.0),
        initializer_range=model.get("initializer_range", 0.006),
        tie_word_embeddings=False,
        use_cache=False,
    )


def torch_rate(config, rows, length, micro, dtype, compiled, steps, warmup):
    """Tokens per second of whole steps; the median step counts."""
    torch.manual_seed(1)
    model = DeepseekV3ForCausalLM(config).train()
    run = torch.compile(model) if compiled else model
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    seconds = []
    for step in range(warmup + steps):
        ids = torch.randint(0, config.vocab_size, (rows, length))
        start = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        for part in ids.split(micro):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bf16"):
                loss = run(input_ids=part, labels=part).loss * len(part) / rows
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step >= warmup:
            seconds.append(time.perf_counter() - start)
    return rows * length / statistics.median(seconds)


def tessera_rate(program, preset, precision, steps):
    out = subprocess.run(
        [program, "bench", "train", "--preset", preset, "--precision", precision, "--steps", str(steps),
         "--set", "model.num_nextn_predict_layers=0"],
        check=True, capture_output=True, text=True).stdout
    return float(re.search(r"([0-9.]+) tokens/s", out).group(1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tessera", default=str(ROOT / "build/app/tessera"))
    parser.add_argument("--preset", default="small-20m")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--no-compile", action="store_true")
    args = parser.parse_args()
    spec = tomllib.loads((ROOT / "resources/presets" / f"{args.preset}.toml").read_text())
    stage, config = spec["curriculum"][0], config_of(spec["model"])
    micro = spec["parallel"]["micro_batch_sequences"]
    shape = (stage["batch_sequences"], stage["sequence_length"], micro)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, "
          f"{torch.get_num_threads()} threads, {args.preset}, {args.precision}, "
          f"batch {shape[0]} x {shape[1]}, micro-batch {micro}")
    ours = [tessera_rate(args.tessera, args.preset, args.precision, args.steps)]
    theirs = {}
    for name, compiled in (("eager", False), ("compiled", True)):
        if compiled and args.no_compile:
            continue
        try:
            theirs[name] = torch_rate(config, *shape, args.precision, compiled, args.steps, 2)
        except Exception as error:  # a peer that cannot run is reported, not hidden
            print(f"torch {name}: failed: {type(error).__name__}: {str(error)[:200]}")
        ours.append(tessera_rate(args.tessera, args.preset, args.precision, args.steps))
    for name, rate in theirs.items():
        print(f"torch {name:9s} {rate:10.0f} tokens/s")
    print(f"tessera         {statistics.median(ours):10.0f} tokens/s (runs: {', '.join(f'{r:.0f}' for r in ours)})")
    if theirs:
        best = max(theirs.values())
        print(f"tessera / best of torch: {statistics.median(ours) / best:.2f}")


if __name__ == "__main__":
    main()
