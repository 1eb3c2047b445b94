#!/bin/sh
# SPDX-License-Identifier: MIT
# Stands in for `tessera serve` where a test needs one that is slow, dies, or talks fast.
# $1: talk, hang (never loads), crash (dies while it writes), fast (200 tokens/s without an end).
say() { printf '%s\n' "$1"; }
loaded() {
  say "{\"event\":\"loaded\",\"id\":$1,\"step\":7,\"context\":4096,\"chat\":true,\"device\":\"cpu\",\
\"threads\":1,\"seconds\":0.1,\"folder\":\"x\",\"vocabulary\":{\"size\":100,\"hash\":\"00\"},\
\"model\":{\"layers\":3,\"moe_layers\":2,\"first_moe_layer\":1,\"experts\":8,\"shared_experts\":1,\
\"top_k\":2,\"hidden_size\":8,\"parameters\":1000,\"active_parameters\":500}}"
}
token() {
  word="word$2 "
  [ $(($2 % 60)) = 59 ] && word='end.\n\n'
  say "{\"event\":\"token\",\"id\":$1,\"index\":$2,\"token\":$((10 + $2 % 7)),\"text\":\"$word\",\"p\":0.4,\
\"alternatives\":[[10,\"word\",0.4],[11,\"other\",0.2],[12,\"third\",0.1],[13,\"fourth\",0.05],[14,\"fifth\",0.01]],\
\"experts\":[[1,5],[0,3]],\"gates\":[[0.7,0.3],[0.6,0.4]]}"
}
done_event() {
  say "{\"event\":\"done\",\"id\":$1,\"reason\":\"$2\",\"text\":\"\",\"tokens\":$3,\"prompt_tokens\":5,\
\"reused_tokens\":0,\"context_used\":$((5 + $3)),\"prompt_tokens_per_second\":100,\"tokens_per_second\":20,\
\"seconds\":1,\"usage\":[[0,4,0,0,0,4,0,0],[4,0,0,4,0,0,0,0]]}"
}

say '{"event":"ready","id":0,"protocol":1,"program":"fake","process":1,"threads":2}'
writer=""
while IFS= read -r line; do
  id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
  case "$line" in
    *'"do":"load"'*)
      [ "$1" = hang ] || loaded "$id" ;;
    *'"do":"generate"'*)
      say "{\"event\":\"started\",\"id\":$id,\"prompt_tokens\":5,\"reused_tokens\":0,\"prefix_text\":\"\"}"
      say "{\"event\":\"reading\",\"id\":$id,\"read\":5,\"total\":5}"
      current=$id
      case "$1" in
        crash)
          token "$id" 0
          echo 'a bad thing happened' >&2
          kill -SEGV $$ ;;
        talk)
          (n=0
           while [ $n -lt 400 ]; do token "$id" $n; n=$((n + 1)); sleep 0.05; done
           done_event "$id" length $n) &
          writer=$! ;;
        fast)
          (n=0
           while [ $n -lt 1000 ]; do
             for i in 1 2 3 4 5 6 7 8 9 10; do token "$id" $n; n=$((n + 1)); done
             sleep 0.05
           done
           done_event "$id" length $n) &
          writer=$! ;;
      esac ;;
    *'"do":"cancel"'*)
      [ -n "$writer" ] && kill "$writer" && wait "$writer" 2>/dev/null
      writer=""
      say "{\"event\":\"ok\",\"id\":$id}"
      done_event "$current" cancelled 3 ;;
    *'"do":"count"'*)
      say "{\"event\":\"counted\",\"id\":$id,\"tokens\":42}" ;;
  esac
done
[ -n "$writer" ] && kill "$writer"
exit 0
