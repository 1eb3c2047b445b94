# SPDX-License-Identifier: MIT
# For the scripts beside it: a run so small that a step takes milliseconds.
#
# write_spec: writes $work/text.jsonl and $work/tiny.toml. STEPS, PARALLEL and HOST, where they are
# set, are the number of steps and further lines of these sections.
write_spec() {
  awk 'BEGIN {
    split("river stone light under morning walks a the silent green and over house field bright cold", w, " ")
    srand(1)
    for (d = 0; d < 200; ++d) {
      printf "{\"text\": \""
      for (i = 0; i < 120; ++i) printf "%s%s", w[int(rand() * 16) + 1], i % 12 == 11 ? ". " : " "
      print "\"}"
    }
  }' >"$work/text.jsonl"
  cat >"$work/tiny.toml" <<END
[run]
name = "tiny"
seed = 5
[model]
vocab_size = 512
hidden_size = 32
num_hidden_layers = 2
max_position_embeddings = 64
num_attention_heads = 2
kv_lora_rank = 16
qk_nope_head_dim = 16
qk_rope_head_dim = 8
v_head_dim = 16
intermediate_size = 64
moe_intermediate_size = 16
n_routed_experts = 8
num_experts_per_tok = 2
[tokenizer]
vocab_size = 512
[data]
held_out_fraction = 0.1
[data.filters]
deduplicate_near = false
[[data.sources]]
name = "words"
domain = "web"
paths = ["$work/text.jsonl"]
[[curriculum]]
steps = ${STEPS:-100000}
sequence_length = 32
batch_sequences = 8
learning_rate = [ { kind = "warmup", steps = 4, to = 3e-3 }, { kind = "constant", to = 3e-3 } ]
[parallel]
micro_batch_sequences = 2
${PARALLEL:-}
[host]
threads = 1
${HOST:-}
[checkpoint]
every_steps = 0
[validation]
every_steps = 0
END
}
