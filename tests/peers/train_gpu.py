#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Training speed on one GPU beside PyTorch, in one run.

Builds the model of a preset with transformers' DeepseekV3ForCausalLM in BF16 (grouped products for
experts, attention by scaled_dot_product_attention, layers compiled), trains it on random tokens
(forward, backward, clip, fused AdamW; no FP32 weights), after `tessera bench train` of the same
shape, which keeps FP32 weights and gradients. MTP and the balance loss are off in
PyTorch. Needs torch 2.10 and transformers 5 or newer, which the product itself never does.

  python3 tests/peers/train_gpu.py --shape medium --sequences 12 --ours bf16:24 blockwise:40
"""
import argparse
import pathlib
import statistics
import subprocess
import time
import tomllib

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from train_cpu import config_of
from transformers import DeepseekV3ForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
LENGTH = 4096
HEAD_ROWS = 16384  # rows of logits at one time
ATTENTION = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]


def check_experts(model):
    """Grouped products must compute what a loop over experts does, in a layer with experts."""
    layer = model.model.layers[-1].mlp
    x = torch.randn(1, 512, model.config.hidden_size, device="cuda", dtype=torch.bfloat16)
    results = []
    with torch.no_grad():
        for implementation in ("eager", "grouped_mm"):
            model.set_experts_implementation(implementation)
            results.append((layer(x) - layer.shared_experts(x)).float())
    error = ((results[0] - results[1]).norm() / results[0].norm()).item()
    print(f"experts as grouped products and one by one differ by {error:.1e}", flush=True)
    if not error < 1e-2:
        raise SystemExit("the peer's grouped products are wrong")


def loss_and_backward(model, cross_entropy, tokens):
    hidden = model.model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state.flatten(0, 1)
    targets = tokens[:, 1:].flatten()
    leaf = hidden.detach().requires_grad_()
    loss = 0
    for first in range(0, len(targets), HEAD_ROWS):
        part = slice(first, first + HEAD_ROWS)
        piece = cross_entropy(leaf[part], model.lm_head.weight, targets[part]) / len(targets)
        piece.backward()
        loss += piece.detach()
    hidden.backward(leaf.grad)
    return loss


def torch_seconds(model, vocabulary, sequences, steps, warmup=3):
    """The median step, and the last loss."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    for i, layer in enumerate(model.model.layers):
        model.model.layers[i] = torch.compile(layer)
    cross_entropy = torch.compile(
        lambda hidden, head, targets: F.cross_entropy((hidden @ head.T).float(), targets, reduction="sum")
    )
    seconds = []
    for _ in range(warmup + steps):
        tokens = torch.randint(0, vocabulary, (sequences, LENGTH + 1), device="cuda")
        torch.cuda.synchronize()
        start = time.perf_counter()
        loss = loss_and_backward(model, cross_entropy, tokens)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[warmup:]), loss.item()


def bench_peer(shape, sequences, steps):
    spec = tomllib.loads((ROOT / f"resources/presets/numbers-{shape}.toml").read_text())["model"]
    torch.manual_seed(1)
    with torch.device("cuda"):
        model = DeepseekV3ForCausalLM._from_config(
            config_of(spec), attn_implementation="sdpa", dtype=torch.bfloat16, experts_implementation="grouped_mm"
        ).train()
    check_experts(model)
    with sdpa_kernel(ATTENTION):
        seconds, loss = torch_seconds(model, spec["vocab_size"], sequences, steps)
    rate = sequences * LENGTH / seconds
    memory = torch.cuda.max_memory_allocated() / 2**30
    print(f"PyTorch {torch.__version__}, {shape}, {sequences} x {LENGTH}: {rate:.0f} tokens/s "
          f"({1e3 * seconds:.1f} ms), {memory:.0f} GiB, last loss {loss:.4f}", flush=True)


def bench_ours(tessera, shape, ours, steps):
    for one in ours:
        recipe, sequences = one.split(":")
        command = [tessera, "bench", "train", "--shape", shape, "--precision", recipe, "--sequences", sequences,
                   "--steps", str(steps), "--device", "cuda"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        lines = [line for line in text.splitlines() if "tokens/s" in line or line.startswith("GPU:")]
        print(f"tessera, {shape}, {recipe}, {sequences} x {LENGTH}: {'; '.join(lines)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tessera", default=str(ROOT / "build/app/tessera"))
    parser.add_argument("--shape", default="medium", choices=["small", "medium"])
    parser.add_argument("--sequences", type=int, default=12, help="of a step of PyTorch's")
    parser.add_argument("--ours", nargs="*", default=["bf16:24", "blockwise:40"], help="RECIPE:SEQUENCES")
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    bench_ours(options.tessera, options.shape, options.ours, options.steps)
    bench_peer(options.shape, options.sequences, options.steps)


if __name__ == "__main__":
    main()
