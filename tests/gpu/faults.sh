#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a run does when its GPU fails: for a machine with a GPU.
#
#   tests/gpu/faults.sh [PROGRAM]        PROGRAM: node/bin/tessera, build/app/tessera, ...
#
# Each failure must end the process with an error that names what failed and where, leave the
# checkpoints as they were, mark the run as failed, and not keep the next start from going on. Three
# are made with TESSERA_CUDA_FAULT (core/base/cuda/injected_fault.h); too little memory and a loss
# that is not finite are real. Ends with status 1 if anything was otherwise.
set -uo pipefail
tessera=$(realpath "${1:-build/app/tessera}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TESSERA_HOME=$work/home
mkdir -p "$TESSERA_HOME"
failed=0

say() { printf '%-58s %s\n' "$1" "$2"; }
# check NAME COMMAND...: one line, and the count of what failed.
check() {
  local name=$1
  shift
  if "$@"; then say "$name" ok; else
    say "$name" FAILED
    failed=$((failed + 1))
  fi
}

# Names, sizes and contents of all checkpoints of the run.
checkpoints() {
  (cd "$run/checkpoints" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
state() { "$tessera" watch "$run" --once --json | grep -o '"state":"[A-Za-z ]*"' | tail -n 1; }
says() { grep -Eq -- "$1" "$work/log" || { sed 's/^/    /' "$work/log" | tail -n 5; false; }; }
ends_with_error() { [[ $1 -ne 0 && $1 -lt 124 ]]; } # neither success, nor hung, nor a signal

# fails NAME PATTERN COMMAND...: in the run, with what the environment says.
fails() {
  local name=$1 pattern=$2 before after status
  shift 2
  before=$(checkpoints)
  timeout 300 "$@" >"$work/log" 2>&1
  status=$?
  after=$(checkpoints)
  check "$name: ends with an error" ends_with_error "$status"
  check "$name: says what failed" says "$pattern"
  check "$name: checkpoints as they were" [ "$before" = "$after" ]
  check "$name: the run is marked as failed" [ "$(state)" = '"state":"failed"' ]
}
goes_on() {
  timeout 300 "$tessera" resume "$run" --most-steps 1 >"$work/log" 2>&1 || {
    sed 's/^/    /' "$work/log" | tail -n 5
    false
  }
}

train() {
  timeout 500 "$tessera" train demo --runs "$work/runs" --id-file "$work/id" \
    --set host.device=cuda --set checkpoint.every_steps=2 --set validation.every_steps=0 \
    --set samples.every_steps=0 "$@" >"$work/log" 2>&1
}

for recipe in bf16 blockwise; do
  train --set precision.recipe=$recipe --most-steps 4 || {
    say "a run of four steps, $recipe" FAILED
    cat "$work/log"
    exit 1
  }
  run=$(head -n 1 "$work/id")
  say "a run of four steps, $recipe" ok

  export TESSERA_CUDA_FAULT="launch attention 3"
  fails "$recipe, a launch fails" \
    '\[attention_(forward|backward)\] CUDA: .*LaunchFailure.*operands: (BF16|F32)\([0-9]+, 4,' \
    "$tessera" resume "$run"
  unset TESSERA_CUDA_FAULT
  check "$recipe, a launch fails: the next start goes on" goes_on

  export TESSERA_CUDA_FAULT="memory 5"
  fails "$recipe, an allocation fails" 'MiB of GPU memory: .* are free.*hint: use a smaller' \
    "$tessera" resume "$run"
  unset TESSERA_CUDA_FAULT
  check "$recipe, an allocation fails: the next start goes on" goes_on

  export TESSERA_CUDA_FAULT="gone 200"
  fails "$recipe, the GPU is gone" \
    'CUDA: .*DevicesUnavailable.*hint: the GPU is gone or broken.*last checkpoint is whole' \
    "$tessera" resume "$run"
  unset TESSERA_CUDA_FAULT
  check "$recipe, the GPU is gone: the next start goes on" goes_on
done

# A loss that is not finite, for real: weights that grow a hundredfold with every step.
"$tessera" resume "$run" --fork --runs "$work/runs" --id-file "$work/id" --most-steps 60 \
  --set 'curriculum[0].learning_rate=10' --set optimiser.weight_decay=10 >"$work/log" 2>&1
status=$?
run=$(head -n 1 "$work/id")
check "not finite: ends with an error" ends_with_error $status
check "not finite: says where" says '\[(trainer|router_forward|[a-z_]+)\].*(not finite|nan|inf)'
check "not finite: the run is marked as failed" [ "$(state)" = '"state":"failed"' ]

# Too little memory, for real: more tokens than any GPU holds.
timeout 300 "$tessera" bench train --shape medium --device cuda --sequences 2048 >"$work/log" 2>&1
status=$?
check "too large: ends with an error" ends_with_error $status
check "too large: says how much is missing" says 'MiB of GPU memory: .* MiB are free'

if [[ $failed -gt 0 ]]; then
  echo "$failed failed"
  exit 1
fi
echo "all as it should be"
