#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reading and writing rates on the CPU beside llama.cpp, on the same exported model.

Writes a folder of the shape with random weights in BF16, exports it as GGUF in each form, and times
both programs in turn, several times, in one run: prompts that are read, and tokens that are written
after a context. Needs llama-cpp-python 0.3.36 (built from its source) and numpy, which the product
never does.

  pip install --no-binary llama-cpp-python llama-cpp-python==0.3.36 numpy
  python3 tests/peers/infer_llama_cpp.py --program build/app/tessera --work /tmp/infer --threads 2
  # last run: see kernels/packed_product/NOTES.md

Prints one row per form, length and program, and the ratios. Nothing else should run on the machine:
the load is printed, and so is the processor time of all threads, which says more where something
does.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

SHAPES = {
    "small": dict(hidden_size=1024, num_hidden_layers=12, num_attention_heads=8, q_lora_rank=512,
                  kv_lora_rank=256, intermediate_size=4096, moe_intermediate_size=512),
    "medium": dict(hidden_size=2048, num_hidden_layers=12, num_attention_heads=16,
                   q_lora_rank=1024, kv_lora_rank=512, intermediate_size=8192,
                   moe_intermediate_size=768),
    "tiny": dict(hidden_size=256, num_hidden_layers=3, num_attention_heads=4, q_lora_rank=128,
                 kv_lora_rank=64, intermediate_size=512, moe_intermediate_size=128),
}
COMMON = dict(
    architectures=["DeepseekV3ForCausalLM"], model_type="deepseek_v3", vocab_size=32768,
    qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128, first_k_dense_replace=1,
    n_routed_experts=64, n_shared_experts=1, num_experts_per_tok=8, n_group=8, topk_group=4,
    routed_scaling_factor=2.5, scoring_func="sigmoid", topk_method="noaux_tc", norm_topk_prob=True,
    moe_layer_freq=1, max_position_embeddings=8192, rms_norm_eps=1e-6, rope_theta=10000.0,
    rope_scaling=None, tie_word_embeddings=False, num_nextn_predict_layers=0, hidden_act="silu",
    attention_bias=False, bos_token_id=0, eos_token_id=1, torch_dtype="bfloat16")
FORMS = ["bf16", "q8_0", "q4_0"]


def tensors_of(c):
    """Names, shapes and the kind of numbers of every released tensor."""
    h, heads = c["hidden_size"], c["num_attention_heads"]
    nope, rope, value = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    latent, query = c["kv_lora_rank"], c["q_lora_rank"]
    yield "model.embed_tokens.weight", (c["vocab_size"], h), "normal"
    for layer in range(c["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        attention = prefix + "self_attn."
        yield attention + "q_a_proj.weight", (query, h), "normal"
        yield attention + "q_a_layernorm.weight", (query,), "ones"
        yield attention + "q_b_proj.weight", (heads * (nope + rope), query), "normal"
        yield attention + "kv_a_proj_with_mqa.weight", (latent + rope, h), "normal"
        yield attention + "kv_a_layernorm.weight", (latent,), "ones"
        yield attention + "kv_b_proj.weight", (heads * (nope + value), latent), "normal"
        yield attention + "o_proj.weight", (h, heads * value), "normal"
        yield prefix + "input_layernorm.weight", (h,), "ones"
        yield prefix + "post_attention_layernorm.weight", (h,), "ones"
        if layer < c["first_k_dense_replace"]:
            forward = [(prefix + "mlp.", c["intermediate_size"])]
        else:
            width = c["moe_intermediate_size"]
            yield prefix + "mlp.gate.weight", (c["n_routed_experts"], h), "normal"
            yield prefix + "mlp.gate.e_score_correction_bias", (c["n_routed_experts"],), "zeros"
            forward = [(f"{prefix}mlp.experts.{e}.", width) for e in range(c["n_routed_experts"])]
            forward.append((prefix + "mlp.shared_experts.", width * c["n_shared_experts"]))
        for name, width in forward:
            yield name + "gate_proj.weight", (width, h), "normal"
            yield name + "up_proj.weight", (width, h), "normal"
            yield name + "down_proj.weight", (h, width), "normal"
    yield "model.norm.weight", (h,), "ones"
    yield "lm_head.weight", (c["vocab_size"], h), "normal"


def write_folder(folder, config, golden):
    folder.mkdir(parents=True)
    header, at = {}, 0
    for name, shape, kind in tensors_of(config):
        each = 4 if kind == "zeros" else 2
        size = each * int(np.prod(shape))
        header[name] = {"dtype": "F32" if each == 4 else "BF16", "shape": list(shape),
                        "data_offsets": [at, at + size]}
        at += size
    random = np.random.default_rng(1)
    with open(folder / "model.safetensors", "wb") as file:
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape, kind in tensors_of(config):
            count = int(np.prod(shape))
            if kind == "zeros":
                file.write(np.zeros(count, np.float32).tobytes())
            elif kind == "ones":
                file.write(np.full(count, 0x3F80, np.uint16).tobytes())
            else:
                numbers = random.standard_normal(count, dtype=np.float32) * np.float32(0.02)
                file.write((numbers.view(np.uint32) >> 16).astype(np.uint16).tobytes())
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((golden / name).read_bytes())


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(part) for part in command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def ours(args, folder, form, prompt, context):
    out = run(args.program, "bench", "infer", "--shape", folder, "--precision", form, "--prompt",
              prompt, "--context", context, "--threads", args.threads, "--steps", args.steps,
              "--repeats", 1 if prompt > 1000 else 3, "--json")
    return json.loads(out.splitlines()[-1])


def llama(args, file, prompt, context):
    import llama_cpp

    model = llama_cpp.Llama(model_path=str(file), n_ctx=max(prompt, context + args.steps) + 64,
                            n_batch=512, n_threads=args.threads, n_threads_batch=args.threads,
                            flash_attn=args.flash, verbose=False)
    random = np.random.default_rng(2)
    ids = random.integers(2, 2000, max(prompt, context + args.steps + 8)).tolist()
    read = []
    busy = time.process_time()
    for _ in range(1 if prompt > 1000 else 3):
        model.reset()
        start = time.perf_counter()
        model.eval(ids[:prompt])
        read.append(time.perf_counter() - start)
    read_busy = (time.process_time() - busy) / len(read)
    model.reset()
    model.eval(ids[:context])
    write = []
    for token in ids[context : context + args.steps + 4]:
        if len(write) == 4:
            busy = time.process_time()
        start = time.perf_counter()
        model.eval([token])
        write.append(time.perf_counter() - start)
    write_busy = (time.process_time() - busy) / args.steps
    return {"read_tokens_per_s": prompt / statistics.median(read),
            "write_tokens_per_s": 1 / statistics.median(write[4:]),
            "read_processor_seconds": read_busy, "write_processor_seconds_per_step": write_busy}


def compare(args, folder, file, form, prompt, context):
    """Both programs in turn; medians of each."""
    mine, theirs = [], []
    for _ in range(args.rounds):
        mine.append(ours(args, folder, form, prompt, context))
        theirs.append(llama(args, file, prompt, context))

    def middle(rows, key):
        return statistics.median(row[key] for row in rows)

    for what, length, key, busy in (
            ("reading", prompt, "read_tokens_per_s", "read_processor_seconds"),
            ("writing", context, "write_tokens_per_s", "write_processor_seconds_per_step")):
        here, there = middle(mine, key), middle(theirs, key)
        busy_here, busy_there = middle(mine, busy), middle(theirs, busy)
        print(f"{form:5} {what} at {length:5}: {here:8.2f} here, {there:8.2f} llama.cpp, "
              f"ratio {here / there:.2f}; processor time {busy_here:.4f} and {busy_there:.4f} s, "
              f"ratio {busy_there / busy_here:.2f}", flush=True)
    share, bandwidth = middle(mine, "share_of_bandwidth"), middle(mine, "read_bandwidth")
    print(f"{form:5} {100 * share:.0f} % of {bandwidth / 1e9:.1f} GB/s at a context of {context}; "
          f"memory {middle(mine, 'used_bytes') / 2**20:.0f} MiB, planned "
          f"{middle(mine, 'planned_bytes') / 2**20:.0f} MiB, loaded in "
          f"{middle(mine, 'load_seconds'):.1f} s", flush=True)


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=FORMS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--flash", action="store_true", help="llama.cpp with its flash attention")
    parser.add_argument("--lengths", type=int, nargs="*", default=[128, 4096],
                        help="contexts; 128 goes with a prompt of 512, others with one of as many")
    args = parser.parse_args()
    folder = args.work / args.shape
    if not folder.exists():
        golden = root / "tests" / "golden" / "tokenizer" / "deepseek"
        write_folder(folder, {**COMMON, **SHAPES[args.shape]}, golden)
    print(f"{args.shape}, {args.threads} threads, load {os.getloadavg()[0]:.1f}", flush=True)
    for form in args.forms:
        file = args.work / f"{args.shape}-{form}.gguf"
        if not file.exists():
            run(args.program, "export", folder, "--gguf", file, "--type", form)
        for context in args.lengths:
            compare(args, folder, file, form, 512 if context == 128 else context, context)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
