#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Ranks that are GPUs: for a machine with two or more.
#
#   tests/gpu/ranks.sh FOLDER [PART...]     FOLDER: tessera, nccl_suite and their plugins
#
#   cases       what every transport must do, on the GPUs
#   bandwidth   rates between GPUs, beside PyTorch's
#   losses      30 steps of the demo on one GPU and on all
#   kill        a rank that is killed is named, and all end
#   speed       bench train on one GPU and on all
#
# Without parts: all. Each writes its own log under $OUT (here where that is not set) and goes on
# after a failure. RANKS: how many (2). Ends with status 1 if anything failed.
set -uo pipefail
folder=$(realpath "$1")
shift
parts=("$@")
((${#parts[@]})) || parts=(cases bandwidth losses kill speed)
here=$(dirname "$(realpath "$0")")
out=${OUT:-.}
ranks=${RANKS:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TESSERA_HOME=$work/home
mkdir -p "$TESSERA_HOME"
# NVLink multicast stays off on hosts that are shared with others.
export NCCL_NVLS_ENABLE=0 TORCH_SYMM_MEM_DISABLE_MULTICAST=1 NVSHMEM_DISABLE_NVLS=1
failed=0
port=29510

say() { printf '%-58s %s\n' "$1" "$2" | tee -a "$out/summary.log"; }
check() { # NAME STATUS
  if [[ $2 -eq 0 ]]; then say "$1" ok; else
    say "$1" "FAILED ($2)"
    failed=$((failed + 1))
  fi
}

# on_all LOG COMMAND...: the command as each rank. Logs of ranks but the first get a number. The
# status is the worst.
on_all() {
  local log=$1 worst=0 status
  shift
  port=$((port + 1))
  local pids=()
  for ((rank = 0; rank < ranks; ++rank)); do
    local to=$log
    ((rank == 0)) || to=$log.$rank
    RANK=$rank WORLD_SIZE=$ranks LOCAL_RANK=$rank LOCAL_WORLD_SIZE=$ranks \
      MASTER_ADDR=127.0.0.1 MASTER_PORT=$port timeout "${LIMIT:-240}" "$@" >"$to" 2>&1 &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid"
    status=$?
    ((status > worst)) && worst=$status
  done
  return $worst
}

cases() {
  on_all "$work/cases" "$folder/nccl_suite" cases
  check "cases on $ranks GPUs" $?
  for file in "$work"/cases*; do
    echo "== $(basename "$file")"
    cat "$file"
    rm "$file"
  done >"$out/cases.log"
  grep -h error "$out/cases.log" | head -n 5
}

bandwidth() {
  on_all "$work/ours" "$folder/nccl_suite" bandwidth
  check "bandwidth" $?
  TESSERA_NCCL_NONBLOCKING=1 on_all "$work/other" "$folder/nccl_suite" bandwidth
  check "bandwidth, where NCCL does not block" $?
  on_all "$work/peer" python3 "$here/nccl_peer.py"
  check "bandwidth of PyTorch" $?
  sed -i 's/"tessera"/"non-blocking"/' "$work/other"
  cat "$work/ours" "$work/other" "$work/peer" "$work"/ours.* "$work"/peer.* >"$out/bandwidth.log"
  python3 - "$out/bandwidth.log" <<'PY' | tee -a "$out/summary.log"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1], errors="replace") if line.startswith("{")]
of = {(r["by"], r["op"], r["bytes_a_peer"]): r for r in rows}
by = ["tessera", "non-blocking", "torch"]
print("%-26s %9s %s" % ("GB/s a GPU (us)", "MiB", "  ".join("%22s" % b for b in by)))
for op, size in dict.fromkeys((r["op"], r["bytes_a_peer"]) for r in rows):
    cells = [of.get((b, op, size)) for b in by]
    print("%-26s %9.1f %s" % (op, size / 2**20, "  ".join(
        "%11.1f (%8.1f)" % (c["gb_s"], c["us"]) if c else " " * 22 for c in cells)))
PY
}

# Micro-batches of one size on one GPU and on many, so that the same sums are taken.
demo=(train demo --most-steps 30 --set host.device=cuda --set validation.every_steps=0
  --set samples.every_steps=0 --set checkpoint.every_steps=0
  --set "parallel.micro_batch_sequences=$((8 / ranks))")
losses_of() { # RUNS: the losses, a line each
  "$folder/tessera" watch "$(find "$1" -mindepth 1 -maxdepth 1 -type d | head -n 1)" --once --json |
    python3 -c 'import json, sys
for line in sys.stdin:
    event = json.loads(line)
    if "loss" in event and "grad_norm" in event: print(event["step"], repr(event["loss"]))'
}

losses() {
  export TESSERA_SAMPLE=none
  for recipe in fp32 bf16 blockwise; do
    "$folder/tessera" "${demo[@]}" --runs "$work/one-$recipe" --set "precision.recipe=$recipe" \
      >"$work/one.log" 2>&1
    check "$recipe: 30 steps on one GPU" $?
    # As torchrun starts ranks.
    on_all "$work/all.log" "$folder/tessera" "${demo[@]}" --runs "$work/all-$recipe" \
      --set "precision.recipe=$recipe" --set "parallel.data=$ranks"
    check "$recipe: 30 steps on $ranks GPUs" $?
    cat "$work"/one.log "$work"/all.log* >>"$out/losses.log"
    losses_of "$work/one-$recipe" >"$work/one" 2>>"$out/losses.log"
    losses_of "$work/all-$recipe" >"$work/all" 2>>"$out/losses.log"
    paste "$work/one" "$work/all" | sed "s/^/$recipe /" >>"$out/losses.log"
    python3 - "$work/one" "$work/all" "$recipe" <<'PY' | tee -a "$out/summary.log"
import sys
one, all_ = ([float(line.split()[1]) for line in open(f)] for f in sys.argv[1:3])
if len(one) != 30 or len(all_) != 30: sys.exit(f"{sys.argv[3]}: {len(one)} and {len(all_)} losses, not 30")
worst = lambda n: max(abs(a / b - 1) for a, b in zip(one[:n], all_[:n]))
print(f"{sys.argv[3]}: losses differ by at most {worst(1):.2g} in step 1, {worst(10):.2g} in 10 steps, {worst(30):.2g} in 30")
PY
    check "$recipe: losses of one" "${PIPESTATUS[0]}"
  done
}

kill_one() {
  port=$((port + 1))
  local pids=() rank start
  for ((rank = 0; rank < ranks; ++rank)); do
    RANK=$rank WORLD_SIZE=$ranks LOCAL_RANK=$rank LOCAL_WORLD_SIZE=$ranks MASTER_ADDR=127.0.0.1 \
      MASTER_PORT=$port "$folder/nccl_suite" wait >"$work/kill.$rank" 2>&1 &
    pids+=($!)
  done
  for ((i = 0; i < 120; ++i)); do
    grep -q "at work" "$work/kill.0" && break
    sleep 0.5
  done
  start=$(date +%s.%N)
  kill -"$2" "${pids[$1]}"
  local worst=0
  for ((rank = 0; rank < ranks; ++rank)); do
    ((rank == $1)) && continue
    for ((i = 0; i < 300; ++i)); do
      kill -0 "${pids[rank]}" 2>/dev/null || break
      sleep 0.1
    done
    kill -0 "${pids[rank]}" 2>/dev/null && { worst=1; kill -KILL "${pids[rank]}"; }
    wait "${pids[rank]}" && worst=1
  done
  wait "${pids[$1]}" 2>/dev/null
  local took
  took=$(python3 -c "import time; print(f'{time.time() - $start:.1f}')")
  { echo "rank $1 killed, all ended after $took s"; cat "$work"/kill.*; } >>"$out/kill.log"
  check "rank $1 killed: all end, after $took s" $worst
  grep -q "rank $1" <(cat "$work"/kill.* | grep error)
  check "rank $1 killed: it is named" $?
  python3 -c "exit($took > 15)"
  check "rank $1 killed: within 15 s" $?
}
kill_ranks() {
  kill_one 1 KILL
  kill_one 0 KILL
  nvidia-smi --query-compute-apps=pid,used_memory --format=csv >>"$out/kill.log"
}

speed() {
  for shape in ${SHAPES:-small medium}; do
    sequences=$([[ $shape == small ]] && echo 32 || echo 20)
    for recipe in ${RECIPES:-blockwise}; do
      "$folder/tessera" bench train --shape "$shape" --precision "$recipe" --sequences "$sequences" \
        --device cuda >"$work/one" 2>&1
      check "$shape, $recipe: one GPU" $?
      on_all "$work/all" "$folder/tessera" bench train --shape "$shape" --precision "$recipe" \
        --sequences "$sequences" --device cuda
      check "$shape, $recipe: $ranks GPUs" $?
      cat "$work/one" "$work"/all* >>"$out/speed.log"
      grep -h "tokens/s" "$work/one" "$work/all" | tee -a "$out/summary.log"
    done
  done
}

for part in "${parts[@]}"; do
  case $part in
    cases | bandwidth | losses | speed) "$part" ;;
    kill) kill_ranks ;;
    *) echo "there is no part $part" >&2; exit 2 ;;
  esac
done
((failed == 0)) && echo "all as it should be" || echo "$failed failed"
((failed == 0))
