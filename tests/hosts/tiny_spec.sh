# SPDX-License-Identifier: MIT
# For the scripts beside it, whose folder is $here.
#
# write_spec: writes $work/text.jsonl and, from tiny.toml.in, $work/tiny.toml. STEPS, PARALLEL and
# HOST, where they are set, are the number of steps and further lines of these sections.
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
  local spec
  spec=$(<"$here/tiny.toml.in")
  spec=${spec//@name@/"tiny"}
  spec=${spec//@text@/"$work/text.jsonl"}
  spec=${spec//@steps@/"${STEPS:-100000}"}
  spec=${spec//@parallel@/"${PARALLEL:-}"}
  spec=${spec//@host@/"${HOST:-}"}
  spec=${spec//@checkpoint@/"every_steps = 0"}
  printf '%s\n' "$spec" >"$work/tiny.toml"
}
