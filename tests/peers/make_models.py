#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Small models and what transformers computes with them, for the tests of folders and of `verify`.

Writes tests/golden/models anew: random weights in the released tensor names, and recorded outputs.
Several cases share one set of weights and differ by config.json alone (variants.json); the tests
make each folder from both. Needs torch and transformers from PyPI, which the product never does.

  python3 tests/peers/make_models.py            # last run: 2026-11-30, torch 2.15, transformers 5.24

Weights are numbers that BF16 and F16 hold exactly, so that the tests may store them in any type.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[1] / "golden" / "models"
VOCABULARY = 96
FP8_BLOCK = 128


def v3_config(**changes):
    """The keys of DeepSeek-V3's config.json."""
    config = {
        "architectures": ["DeepseekV3ForCausalLM"], "attention_bias": False,
        "attention_dropout": 0.0, "aux_loss_alpha": 0.001, "bos_token_id": 0, "eos_token_id": 1,
        "ep_size": 1, "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 32,
        "initializer_range": 0.02, "intermediate_size": 48, "kv_lora_rank": 16,
        "max_position_embeddings": 256, "model_type": "deepseek_v3", "moe_intermediate_size": 16,
        "moe_layer_freq": 1, "n_group": 4, "n_routed_experts": 8, "n_shared_experts": 1,
        "norm_topk_prob": True, "num_attention_heads": 2, "num_experts_per_tok": 2,
        "num_hidden_layers": 3, "num_key_value_heads": 2, "num_nextn_predict_layers": 0,
        "q_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "rms_norm_eps": 1e-06,
        "rope_scaling": None, "rope_theta": 10000, "routed_scaling_factor": 2.5,
        "scoring_func": "sigmoid", "tie_word_embeddings": False, "topk_group": 2,
        "topk_method": "noaux_tc", "torch_dtype": "bfloat16", "transformers_version": "4.46.3",
        "use_cache": True, "v_head_dim": 8, "vocab_size": VOCABULARY,
    }
    config.update(changes)
    return config


YARN_V2 = {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
           "original_max_position_embeddings": 32, "type": "yarn"}
YARN_KIMI = {"beta_fast": 1.0, "beta_slow": 1.0, "factor": 32.0, "mscale": 1.0,
             "mscale_all_dim": 1.0, "original_max_position_embeddings": 32, "type": "yarn"}
V2 = {"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2",
      "scoring_func": "softmax", "norm_topk_prob": False}


def round_small(tensor):
    """To numbers that BF16 and F16 both hold."""
    rounded = tensor.to(torch.bfloat16).float()
    return torch.where(rounded.abs() < 2.0**-14, torch.zeros(()), rounded)


def shapes_of(c):
    """Released name -> shape."""
    h, heads = c["hidden_size"], c["num_attention_heads"]
    head = c["qk_nope_head_dim"] + c["qk_rope_head_dim"]
    latent, q_rank = c["kv_lora_rank"], c["q_lora_rank"]
    shapes = {"model.embed_tokens.weight": (c["vocab_size"], h), "model.norm.weight": (h,),
              "lm_head.weight": (c["vocab_size"], h)}

    def feed_forward(prefix, width):
        shapes[prefix + "gate_proj.weight"] = shapes[prefix + "up_proj.weight"] = (width, h)
        shapes[prefix + "down_proj.weight"] = (h, width)

    for layer in range(c["num_hidden_layers"]):
        p = f"model.layers.{layer}."
        shapes[p + "input_layernorm.weight"] = shapes[p + "post_attention_layernorm.weight"] = (h,)
        a = p + "self_attn."
        if q_rank:
            shapes[a + "q_a_proj.weight"] = (q_rank, h)
            shapes[a + "q_a_layernorm.weight"] = (q_rank,)
            shapes[a + "q_b_proj.weight"] = (heads * head, q_rank)
        else:
            shapes[a + "q_proj.weight"] = (heads * head, h)
        shapes[a + "kv_a_proj_with_mqa.weight"] = (latent + c["qk_rope_head_dim"], h)
        shapes[a + "kv_a_layernorm.weight"] = (latent,)
        shapes[a + "kv_b_proj.weight"] = (heads * (c["qk_nope_head_dim"] + c["v_head_dim"]), latent)
        shapes[a + "o_proj.weight"] = (h, heads * c["v_head_dim"])
        m = p + "mlp."
        if layer < c["first_k_dense_replace"]:
            feed_forward(m, c["intermediate_size"])
            continue
        shapes[m + "gate.weight"] = (c["n_routed_experts"], h)
        shapes[m + "gate.e_score_correction_bias"] = (c["n_routed_experts"],)
        for e in range(c["n_routed_experts"]):
            feed_forward(f"{m}experts.{e}.", c["moe_intermediate_size"])
        if c["n_shared_experts"]:
            feed_forward(m + "shared_experts.", c["n_shared_experts"] * c["moe_intermediate_size"])
    return shapes


def random_weights(config, seed, latent_scale=1.0):
    """`latent_scale` makes the latents so small that the epsilon of their norms shows."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes_of(config).items():
        noise = torch.randn(shape, generator=generator)
        if name.endswith("norm.weight"):
            value = 1 + 0.1 * noise
        elif name.endswith("e_score_correction_bias"):
            value = 0.1 * noise
        elif name.endswith(("embed_tokens.weight", "gate.weight")):
            value = 0.5 * noise
        elif name == "lm_head.weight":
            value = 0.5 * noise
        else:
            value = noise * shape[-1] ** -0.5
        if name.endswith(("q_a_proj.weight", "kv_a_proj_with_mqa.weight")):
            value = value * latent_scale
        weights[name] = round_small(value)
    return weights


class ReleasedGate(torch.nn.Module):
    """The gate of the released V2 and V3 code in the forms that transformers does not have: softmax
    scores with weights that are normalised (and then not scaled), and with a selection bias."""

    def __init__(self, gate, config, bias):
        super().__init__()
        self.weight, self.config, self.bias = gate.weight, config, bias

    def forward(self, hidden):
        c = self.config
        hidden = hidden.view(-1, c["hidden_size"])
        logits = torch.nn.functional.linear(hidden.float(), self.weight.float())
        scores = logits.softmax(-1)
        choice = scores if self.bias is None else scores + self.bias
        if c["topk_method"] != "greedy":
            grouped = choice.view(len(choice), c["n_group"], -1)
            best = (grouped.topk(2, -1)[0].sum(-1) if c["topk_method"] == "noaux_tc"
                    else grouped.max(-1).values)
            kept = torch.zeros_like(best).scatter_(1, best.topk(c["topk_group"], -1)[1], 1)
            mask = kept.unsqueeze(-1).expand_as(grouped).reshape(choice.shape).bool()
            choice = choice.masked_fill(~mask, float("-inf"))
        picks = choice.topk(c["num_experts_per_tok"], -1)[1]
        weights = scores.gather(1, picks)
        if c["norm_topk_prob"]:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        else:
            weights = weights * c["routed_scaling_factor"]
        return logits, weights, picks


CLASSES = {
    "deepseek_v2": (transformers.DeepseekV2Config, transformers.DeepseekV2ForCausalLM),
    "deepseek_v3": (transformers.DeepseekV3Config, transformers.DeepseekV3ForCausalLM),
    "kimi_k2": (transformers.DeepseekV3Config, transformers.DeepseekV3ForCausalLM),
    "glm4_moe_lite": (transformers.Glm4MoeLiteConfig, transformers.Glm4MoeLiteForCausalLM),
}


def stacked(weights, config):
    """Released names -> those of transformers' modules, where a layer's experts are one tensor."""
    state = dict(weights)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}.mlp.experts."
        if prefix + "0.gate_proj.weight" not in state:
            continue
        each = [[state.pop(f"{prefix}{e}.{part}_proj.weight") for part in ("gate", "up", "down")]
                for e in range(config["n_routed_experts"])]
        state[prefix + "gate_up_proj"] = torch.stack([torch.cat(e[:2]) for e in each])
        state[prefix + "down_proj"] = torch.stack([e[2] for e in each])
    return state


def build(config, weights):
    config_class, model_class = CLASSES[config["model_type"]]
    torch.manual_seed(0)
    keys = {k: v for k, v in config.items() if k not in ("model_type", "torch_dtype")}
    c = config_class(**keys)
    c._attn_implementation = "eager"
    model = model_class(c).float().eval()
    state = stacked(weights, config)
    if config["tie_word_embeddings"]:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    if config["model_type"] == "deepseek_v2":
        biases = {k: state.pop(k) for k in list(state) if k.endswith("e_score_correction_bias")}
    missing, unexpected = model.load_state_dict(state, strict=False)
    # n_shared_experts 0: transformers keeps modules without rows.
    missing = [name for name in missing if "shared_experts" not in name]
    assert not missing and not unexpected, (missing, unexpected)
    if config.get("released_gate"):
        for layer in model.model.layers:
            if hasattr(layer.mlp, "gate"):
                bias = None
                if config["topk_method"] == "noaux_tc":
                    name = f"model.layers.{layer.self_attn.layer_idx}.mlp.gate."
                    bias = biases[name + "e_score_correction_bias"]
                layer.mlp.gate = ReleasedGate(layer.mlp.gate, config, bias)
    return model


def next_token_loss(model, ids):
    logits = model(ids, use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, VOCABULARY),
                                             ids[:, 1:].reshape(-1))


def greedy_tokens(model, ids, prompt=8, new=24):
    tokens = ids[:1, :prompt]
    for _ in range(new):
        best = model(tokens, use_cache=False).logits[:, -1].argmax(-1, keepdim=True)
        tokens = torch.cat([tokens, best], 1)
    return tokens[0].contiguous()


def record(model, ids, everything):
    out = {"input_ids": ids}
    gates = {}
    hooks = []
    for layer, block in enumerate(model.model.layers):
        if everything and hasattr(block.mlp, "gate"):
            hooks.append(block.mlp.gate.register_forward_hook(
                lambda _m, _i, o, layer=layer: gates.__setitem__(layer, o)))
    with torch.no_grad():
        result = model(ids, use_cache=False, output_hidden_states=everything)
        out["logits"] = result.logits.float().contiguous()
        for hook in hooks:
            hook.remove()
        out["greedy"] = greedy_tokens(model, ids)
        if everything:
            out["loss"] = next_token_loss(model, ids).reshape(1)
            for i, hidden in enumerate(result.hidden_states):
                out[f"hidden.{i}"] = hidden.contiguous()
            for layer, outputs in gates.items():
                for i, value in enumerate(outputs):
                    out[f"model.layers.{layer}.mlp.gate.out{i}"] = value.contiguous()
    return out


def random_ids(rows, length, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, VOCABULARY, (rows, length), generator=generator)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def write_gradients(folder, model, ids):
    model.zero_grad()
    next_token_loss(model, ids).backward()
    save_file({n: p.grad.contiguous() for n, p in model.named_parameters()},
              folder / "grads.safetensors")


def write_training(folder, model, steps=20, rows=4, length=24):
    """AdamW with decay on matrices alone, clipping to 1 before the step, a constant rate."""
    o = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0}
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": o["weight_decay"]},
         {"params": vectors, "weight_decay": 0.0}],
        lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"])
    batches = torch.stack([random_ids(rows, length, 100 + step) for step in range(steps)])
    losses, norms = [], []
    for ids in batches:
        optimiser.zero_grad()
        loss = next_token_loss(model, ids)
        loss.backward()
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), o["clip"]).item())
        optimiser.step()
    save_file({"input_ids": batches}, folder / "train.safetensors")
    write_json(folder / "train.json",
               {"optimizer": o, "losses": losses, "grad_norms": norms,
                "final_norms": {n: p.norm().item() for n, p in model.named_parameters()}})


def write_base(name, config, weights, everything=True):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", config)
    kept = {n: w if n.endswith("e_score_correction_bias") else w.to(torch.bfloat16)
            for n, w in weights.items()}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    model = build(config, weights)
    ids = random_ids(2, 40, 7)
    save_file(record(model, ids, everything), folder / "reference.safetensors")
    if everything:
        write_gradients(folder, model, ids)
    return model


def write_fp8(config):
    """The released FP8 form: E4M3 with one F32 scale per 128x128 block, ragged at the edges; gate,
    norms, embedding and head stay as they are. The outputs are those of the multiplied weights."""
    folder = OUT / "fp8"
    folder.mkdir(parents=True, exist_ok=True)
    stored, multiplied = {}, {}
    for name, weight in random_weights(config, 11).items():
        plain = weight.dim() == 1 or name.endswith(("embed_tokens.weight", "lm_head.weight",
                                                    "gate.weight"))
        if plain:
            bias = name.endswith("e_score_correction_bias")
            stored[name] = weight if bias else weight.to(torch.bfloat16)
            multiplied[name] = weight
            continue
        rows, columns = weight.shape
        scales = torch.zeros(-(-rows // FP8_BLOCK), -(-columns // FP8_BLOCK))
        codes = torch.zeros_like(weight, dtype=torch.float8_e4m3fn)
        back = torch.zeros_like(weight)
        for i in range(scales.shape[0]):
            for j in range(scales.shape[1]):
                at = (slice(i * FP8_BLOCK, (i + 1) * FP8_BLOCK),
                      slice(j * FP8_BLOCK, (j + 1) * FP8_BLOCK))
                scales[i, j] = weight[at].abs().max() / 448
                codes[at] = (weight[at] / scales[i, j]).to(torch.float8_e4m3fn)
                back[at] = codes[at].float() * scales[i, j]
        stored[name], stored[name + "_scale_inv"] = codes, scales
        multiplied[name] = back
    released = dict(config, quantization_config={
        "activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
        "weight_block_size": [FP8_BLOCK, FP8_BLOCK]})
    write_json(folder / "config.json", released)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    save_file(record(build(config, multiplied), random_ids(1, 24, 7), False),
              folder / "reference.safetensors")


def without(weights, part):
    return {n: w for n, w in weights.items() if part not in n}


def write_variants(weights):
    """Other configurations over the weights of `v3`, with the outputs of each."""
    glm = {"architectures": ["Glm4MoeLiteForCausalLM"], "model_type": "glm4_moe_lite",
           "n_group": 1, "topk_group": 1, "routed_scaling_factor": 1.8, "rms_norm_eps": 1e-5}
    by_groups = dict(V2, topk_method="group_limited_greedy", n_group=4, topk_group=2)
    variants = {
        "kimi-k2": dict(model_type="kimi_k2", n_group=1, topk_group=1, rope_theta=50000.0,
                        routed_scaling_factor=2.827, rope_scaling=YARN_KIMI),
        "glm4-moe-lite": glm,
        "tied": dict(tie_word_embeddings=True),
        "no-shared-experts": dict(n_shared_experts=0),
        "v2-lite": dict(V2, topk_method="greedy", n_group=1, topk_group=1,
                        routed_scaling_factor=1.0, rope_scaling=YARN_V2),
        "v2-by-groups": dict(by_groups, routed_scaling_factor=16.0),
        "v2-greedy-normalised": dict(V2, topk_method="greedy", n_group=1, topk_group=1,
                                     norm_topk_prob=True, routed_scaling_factor=16.0),
        "v2-by-groups-normalised": dict(by_groups, norm_topk_prob=True,
                                        routed_scaling_factor=1.0),
        "v2-with-bias": dict(V2, topk_method="noaux_tc", n_group=4, topk_group=2,
                             routed_scaling_factor=2.0),
        "v2-with-bias-normalised": dict(V2, topk_method="noaux_tc", n_group=4, topk_group=2,
                                        norm_topk_prob=True, routed_scaling_factor=1.0),
    }
    outputs, listed = {}, {}
    for name, changes in variants.items():
        config = v3_config(**changes)
        config["released_gate"] = (config["model_type"] == "deepseek_v2" and
                                   (config["norm_topk_prob"] or config["topk_method"] == "noaux_tc"))
        used = weights if config["n_shared_experts"] else without(weights, "shared_experts")
        recorded = record(build(config, used), random_ids(1, 24, 7), False)
        for tensor, value in recorded.items():
            outputs[f"{name}/{tensor}"] = value
        listed[name] = changes
    save_file(outputs, OUT / "variants.safetensors")
    write_json(OUT / "variants.json", listed)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    config = v3_config()
    weights = random_weights(config, 1)
    model = write_base("v3", config, weights)
    write_training(OUT / "v3", model.train())
    moonlight = v3_config(q_lora_rank=None, n_group=1, topk_group=1, n_shared_experts=2,
                          rope_theta=50000.0, routed_scaling_factor=2.446, rms_norm_eps=1e-05)
    write_base("moonlight", moonlight, random_weights(moonlight, 2, latent_scale=0.01))
    write_variants(weights)
    write_fp8(v3_config(hidden_size=160, intermediate_size=136, moe_intermediate_size=16,
                        num_hidden_layers=2, kv_lora_rank=132, q_lora_rank=24, n_routed_experts=4,
                        n_group=1, topk_group=1))
    total = sum(file.stat().st_size for file in OUT.rglob("*") if file.is_file())
    print(f"{OUT}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    sys.exit(main())
