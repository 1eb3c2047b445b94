#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Four hosts on one machine: network namespaces with addresses, names and an ssh server each, on
# which `tessera launch` trains, loses ranks and lines, stops, and finds its runs again.
#
#   tests/hosts/namespaces.sh PROGRAM [PART...]     PROGRAM: a built tessera
#
#   check     what `tessera hosts check` says of hosts that are well, strange, changed and absent
#   losses    two and four hosts train as one machine does, to the last bit
#   kill      a rank that is killed is named with its host, and all end
#   line      the line to a host is cut for 20 s: the run goes on, and nothing of it is lost,
#             nor of the copy that the desk keeps
#   fetch     a checkpoint comes to the desk through a cut line, and is talked to
#   desk      the desk dies: the run goes on, another desk finds it and stops it
#   agent     an agent dies: its ranks end with it
#   apart     a host loses all its links: the run ends, with the rank that is lost named
#   copy      the program is sent to hosts that have none
#   window    the studio's own way to start, follow, cancel and stop runs on hosts
#
# Without parts: all. Needs root and packages.txt beside this file; ends with status 77 and the
# reason where it cannot run, 1 where something failed. What it sets up is taken down in any case.
set -uo pipefail
here=$(dirname "$(realpath "$0")")
source "$here/tiny_spec.sh"

skip() {
  echo "skipped: $1"
  exit 77
}
[[ $# -ge 1 ]] || { sed -n '3,20p' "$0"; exit 2; }
program=$(realpath "$1") || exit 2
shift
parts=("$@")
asked=${#parts[@]}
((asked)) || parts=(check losses kill line fetch desk agent apart copy window)
for part in "${parts[@]}"; do
  case $part in
    check | losses | kill | line | fetch | desk | agent | apart | copy | window) ;;
    *) echo "there is no part $part" && exit 2 ;;
  esac
done
[[ -x $program ]] || skip "there is no program at $program"
[[ $(id -u) -eq 0 ]] || skip "network namespaces need root"
sshd=$(command -v sshd || true)
packages=$(sed 's/#.*//' "$here/packages.txt" | xargs)
[[ -n $sshd ]] || skip "there is no sshd: apt-get install $packages"
for tool in ip ssh ssh-keygen unshare; do
  command -v "$tool" >/dev/null || skip "there is no $tool"
done
ip netns add tessera-try 2>/dev/null || skip "this system gives out no network namespaces"
ip netns delete tessera-try

bridge=tessbr0
ip link show "$bridge" >/dev/null 2>&1 && skip "$bridge is there: another of these tests runs"
work=$(mktemp -d /tmp/tessera-hosts-XXXXXX)
net=10.231.77
made_run_sshd=
hosts=(h1 h2 h3 h4)

take_down() {
  local host
  [[ -n ${desk:-} ]] && kill -9 "$desk" 2>/dev/null
  for host in "${hosts[@]}"; do
    ip netns pids "tessera-$host" 2>/dev/null | xargs -r kill -9 2>/dev/null
    ip netns delete "tessera-$host" 2>/dev/null
    ip link delete "tess-$host" 2>/dev/null
  done
  ip link delete "$bridge" 2>/dev/null
  [[ -n $made_run_sshd ]] && rmdir /run/sshd 2>/dev/null
  if [[ -n ${KEEP:-} ]]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap take_down EXIT
trap 'exit 130' INT TERM

# ---- Hosts ---------------------------------------------------------------------------------------

set_up_network() {
  ip link add "$bridge" type bridge && ip addr add "$net.1/24" dev "$bridge" &&
    ip link set "$bridge" up || return 1
  local number=10 host
  for host in "${hosts[@]}"; do
    number=$((number + 1))
    ip netns add "tessera-$host" &&
      ip link add "tess-$host" type veth peer name eth0 netns "tessera-$host" &&
      ip link set "tess-$host" master "$bridge" up &&
      ip -n "tessera-$host" addr add "$net.$number/24" dev eth0 &&
      ip -n "tessera-$host" link set eth0 up && ip -n "tessera-$host" link set lo up || return 1
  done
}

# A server in the host's namespace, with its own name and home folder.
start_server() {
  local host=$1 address=$2 home=$work/home-$1
  mkdir -p "$home"
  cat >"$work/sshd-$host.conf" <<END
ListenAddress $address
HostKey $work/host-key
AuthorizedKeysFile $work/user-key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
SetEnv HOME=$home TESSERA_HOME=$home/tessera TESSERA_AGENTS=$home/agents TESSERA_SAMPLE=none OMP_WAIT_POLICY=passive
END
  ip netns exec "tessera-$host" unshare --uts sh -c \
    'hostname "$1"; exec "$2" -D -e -f "$3" 2>"$4"' sh "$host" "$sshd" "$work/sshd-$host.conf" \
    "$work/sshd-$host.log" &
  disown # so that bash does not tell of its end
}

set_up_servers() {
  if [[ ! -d /run/sshd ]]; then mkdir -p /run/sshd && made_run_sshd=yes; fi
  local number=10 host key
  for key in host other user; do
    ssh-keygen -q -t ed25519 -N '' -f "$work/$key-key" || return 1
  done
  {
    echo "StrictHostKeyChecking yes"
    echo "User root"
    echo "IdentitiesOnly yes"
    echo "GlobalKnownHostsFile none"
    for host in "${hosts[@]}"; do
      number=$((number + 1))
      printf 'Host %s\n  HostName %s\n  UserKnownHostsFile %s\n  IdentityFile %s\n' \
        "$host" "$net.$number" "$work/known" "$work/user-key"
      echo "$net.$number $(cut -d' ' -f1,2 "$work/host-key.pub")" >>"$work/known"
      echo "$net.$number $(cut -d' ' -f1,2 "$work/other-key.pub")" >>"$work/known-other"
      start_server "$host" "$net.$number"
    done
    printf 'Host strange\n  HostName %s.11\n  UserKnownHostsFile %s\n' "$net" "$work/known-none"
    printf 'Host changed\n  HostName %s.11\n  UserKnownHostsFile %s\n' "$net" "$work/known-other"
    printf 'Host closed\n  HostName %s.11\n  Port 23\n' "$net"
    printf 'Host absent\n  HostName %s.99\n' "$net"
    printf 'Host stranger\n  HostName %s.11\n  UserKnownHostsFile %s\n  IdentityFile %s\n' \
      "$net" "$work/known" "$work/other-key"
  } >"$work/ssh-config"
  # NOTE: the first value of an option wins, so that what is for all hosts comes last.
  { sed -n '/^Host /,$p' "$work/ssh-config"; echo "Host *"; sed '/^Host /,$d' "$work/ssh-config"; } \
    >"$work/config"
  sed -i 's/^User root/  User root/' "$work/config"
  for host in "${hosts[@]}"; do
    for _ in {1..100}; do
      ssh -F "$work/config" -o BatchMode=yes -o ConnectTimeout=2 "$host" true 2>/dev/null && break
      sleep 0.1
    done || true
  done
  ssh -F "$work/config" -o BatchMode=yes h4 hostname
}

export TESSERA_SSH="ssh -F $work/config" TESSERA_HOME=$work/desk TESSERA_SAMPLE=none
export OMP_WAIT_POLICY=passive TESSERA_AGENTS=$work/desk-agents
mkdir -p "$work/desk"
runs=$work/runs

# ---- Help for the parts --------------------------------------------------------------------------

failed=0
say() { printf '%-66s %s\n' "$1" "$2"; }
check() { # NAME STATUS [LOG]
  if [[ $2 -eq 0 ]]; then say "$1" ok; else
    say "$1" FAILED
    failed=$((failed + 1))
    if [[ -n ${3:-} ]]; then sed 's/^/    /' "$3" | tail -25; fi
  fi
}
says() { grep -q -- "$2" "$1"; } # FILE TEXT
# until_true SECONDS COMMAND...: 0 once the command succeeds.
until_true() {
  local left=$(($1 * 10))
  shift
  while ((left-- > 0)); do
    "$@" && return 0
    sleep 0.1
  done
  return 1
}
# launch LOG [OPTIONS]: a launch in the background; $desk is its process.
launch() {
  local log=$1
  shift
  rm -rf "$runs"
  "$program" launch "$work/tiny.toml" --folder "$runs" "$@" >"$log" 2>&1 &
  desk=$!
}
# ended: waits for the launch; its exit status.
ended() {
  local status=0
  wait "$desk" || status=$?
  desk=
  return $status
}
the_run() { ls -d "$runs"/tiny-* 2>/dev/null | head -1; }
steps() { "$program" watch "$(the_run)" --once --json 2>/dev/null | grep -c '"loss"'; }
has_steps() { [[ -n $(the_run) ]] && (($(steps) >= $1)); }
state() { "$program" runs --runs "$runs" --json | grep -o '"state": "[^"]*"' | head -1; }
losses_of() { "$program" watch "$1" --once --json | grep -o '"loss":[^,}]*'; }
# The copy of the run that the desk keeps.
copy_of_run() { echo "$work/desk/runs/$(basename "$(the_run)")"; }
copy_is_whole() { cmp -s "$(the_run)/events.log" "$(copy_of_run)/events.log"; }
state_of_copy() { "$program" runs --json | grep -A7 "\"id\": \"$(basename "$(the_run)")\"" | grep -o '"state": "[^"]*"'; }
# process_of_rank RANK: its number, from its record of calls.
process_of_rank() {
  local name
  for name in /proc/[0-9]*; do
    if tr '\0' '\n' 2>/dev/null <"$name/environ" | grep -qx "RANK=$1" &&
      tr '\0' ' ' 2>/dev/null <"$name/cmdline" | grep -q -- "--runs $runs "; then
      echo "${name#/proc/}"
    fi
  done | head -1
}
none_left() { [[ -z $(process_of_rank 0)$(process_of_rank 1)$(process_of_rank 2)$(process_of_rank 3) ]]; }


# ---- Parts ---------------------------------------------------------------------------------------

part_check() {
  local log=$work/check.log host
  "$program" hosts check h1,h2,h3,h4 --folder "$runs" >"$log" 2>&1
  check "hosts that are well" $? "$log"
  says "$log" "the others reach h1 at $net.11 (eth0)"
  check "the address of the first host was tried" $? "$log"
  for host in strange:"accept its key" changed:"ssh-keygen -R" closed:"no ssh server" \
    absent:"does not answer" stranger:"refuses the login" nowhere.invalid:"nothing knows"; do
    "$program" hosts check "h1,${host%%:*}" >"$log" 2>&1
    [[ $? -eq 1 ]] && says "$log" "${host#*:}"
    check "a host that is ${host%%:*}: ${host#*:}" $? "$log"
  done
}

part_losses() {
  local log=$work/losses.log count list
  rm -rf "$runs"
  "$program" launch "$work/tiny.toml" --folder "$runs" --local 2 --most-steps 12 >"$log" 2>&1
  check "two ranks of this machine" $? "$log"
  losses_of "$(the_run)" >"$work/losses-here"
  for list in h1,h2:two h3:2:one; do
    count=${list##*:}
    launch "$log" --hosts "${list%:*}" --most-steps 12
    ended
    check "two ranks on $count host(s)" $? "$log"
    losses_of "$(the_run)" >"$work/losses-there"
    [[ -s $work/losses-there ]] && cmp -s "$work/losses-here" "$work/losses-there"
    check "their losses are those of this machine" $? "$log"
  done
  launch "$log" --hosts h1,h2,h3,h4 --most-steps 12
  ended
  check "four ranks on four hosts" $? "$log"
  [[ $(state) == *stopped* ]] && (($(steps) == 12))
  check "they made twelve steps and saved" $? "$log"
  "$program" launch --resume "$(the_run)" --folder "$runs" --hosts h2,h3 --most-steps 5 >"$log" 2>&1
  check "the run goes on with two other hosts" $? "$log"
  (($(steps) == 17))
  check "and makes five steps more" $? "$log"
}

part_kill() {
  local log=$work/kill.log victim status
  launch "$log" --hosts h1,h2,h3,h4
  until_true 120 has_steps 3
  victim=$(process_of_rank 2)
  kill -9 "$victim"
  local begin=$SECONDS
  ended
  status=$?
  [[ $status -eq 137 ]]
  check "a killed rank: the launch ends as it did" $? "$log"
  says "$log" "rank 2 on host h3 (process $victim) was killed by signal 9"
  check "and names it with its host" $? "$log"
  until_true 20 none_left
  check "no rank is left (after $((SECONDS - begin)) s)" $?
  launch "$log" --hosts h1,h2
  until_true 120 has_steps 3
  kill -TERM "$desk" # a shell without a terminal starts what is in the background deaf to SIGINT
  ended
  check "SIGTERM to the desk: the launch ends well" $? "$log"
  [[ $(state) == *stopped* ]] && [[ -n $(ls -d "$(the_run)"/checkpoints/* 2>/dev/null) ]]
  check "the run has saved and stopped" $? "$log"
}

part_line() {
  local log=$work/line.log before
  launch "$log" --hosts h1,h2
  until_true 120 has_steps 3
  until_true 30 test -s "$(copy_of_run)/events.log"
  check "the desk keeps a copy of the run" $? "$work/desk/mirrors/keeper.log"
  before=$(steps)
  # The host reaches the others, and nothing of what it says reaches the desk.
  ip -n tessera-h2 route add blackhole "$net.1/32"
  ip -n tessera-h1 route add blackhole "$net.1/32"
  sleep 20
  (($(steps) > before))
  check "the lines to both hosts are cut for 20 s: the run goes on" $? "$log"
  ip -n tessera-h1 route delete blackhole "$net.1/32"
  ip -n tessera-h2 route delete blackhole "$net.1/32"
  until_true 90 says "$log" "the line to h1 is back"
  check "the line to the first host is back" $? "$log"
  before=$(steps)
  until_true 60 has_steps $((before + 3))
  check "and the run goes on" $? "$log"
  kill -TERM "$desk"
  ended
  check "the launch ends well" $? "$log"
  # Every word of rank 0 once: steps in what it printed go up.
  grep -o '[0-9]*/100000 ' "$log" | cut -d/ -f1 >"$work/shown"
  [[ -s $work/shown ]] && sort -nuc "$work/shown"
  check "nothing that was said came twice" $? "$log"
  until_true 60 copy_is_whole
  check "the copy has every byte of the log, through the cut" $? "$work/desk/mirrors/keeper.log"
  [[ $(state_of_copy) == *stopped* ]]
  check "and the state of the run" $? "$work/desk/mirrors/keeper.log"
}

part_fetch() {
  local log=$work/fetch.log run staged
  launch "$log" --hosts h1 --most-steps 3
  ended
  check "a run on one host" $? "$log"
  run=$(the_run)
  # Something that takes a moment to send.
  truncate -s 600M "$(ls -d "$run"/checkpoints/step-* | tail -1)/zz-filling"
  until_true 30 copy_is_whole
  staged=$(copy_of_run)/checkpoints/.fetch-$(basename "$(ls -d "$run"/checkpoints/step-* | tail -1)")
  "$program" fetch "h1:$run" --checkpoint newest >"$log" 2>&1 &
  desk=$!
  until_true 30 test -s "$staged/zz-filling"
  ip -n tessera-h1 route add blackhole "$net.1/32"
  until_true 60 says "$log" "is broken"
  check "the line is cut while a checkpoint comes" $? "$log"
  [[ ! -e $(dirname "$staged")/$(basename "${staged/.fetch-/}") ]]
  check "a part of it is not taken for it" $?
  ip -n tessera-h1 route delete blackhole "$net.1/32"
  ended
  check "it goes on and comes whole" $? "$log"
  diff -r "$run/checkpoints" "$(copy_of_run)/checkpoints" >"$work/fetch-diff" \
    --exclude=.fetch.lock
  check "it is the same" $? "$work/fetch-diff"
  echo "the river" | "$program" chat "$(copy_of_run)" >"$log" 2>&1
  check "a chat with it" $? "$log"
}

part_desk() {
  local log=$work/desk.log name before
  launch "$log" --hosts h1,h2
  until_true 120 has_steps 3
  kill -9 "$desk"
  ended 2>/dev/null
  name=$(sed -n 's/^launch \([^:]*\):.*/\1/p' "$log")
  before=$(steps)
  until_true 60 has_steps $((before + 3))
  check "the desk is killed: the run goes on" $? "$log"
  "$program" launch --attach "$name" >"$log" 2>&1 &
  desk=$!
  until_true 60 grep -q loss "$log"
  check "another desk finds it" $? "$log"
  kill -HUP "$desk"
  ended 2>/dev/null
  before=$(steps)
  until_true 60 has_steps $((before + 3))
  check "its terminal is closed: the run goes on" $? "$log"
  "$program" launch --stop "$(basename "$(the_run)")" >"$log" 2>&1
  check "a third one stops it, by the name of its run" $? "$log"
  [[ $(state) == *stopped* ]]
  check "it has saved and stopped" $? "$log"
}

part_agent() {
  local log=$work/agent.log agent
  launch "$log" --hosts h1,h2
  until_true 120 has_steps 3
  agent=$(ip netns pids tessera-h2 | while read -r pid; do
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'agent hold' && echo "$pid"
  done | head -1)
  kill -9 "$agent"
  ended
  [[ $? -ne 0 ]] && says "$log" "the agent on host h2 is gone"
  check "an agent is killed: the launch fails and names its host" $? "$log"
  until_true 40 none_left
  check "no rank is left" $?
}

part_apart() {
  local log=$work/apart.log before
  launch "$log" --hosts h1,h2
  until_true 120 has_steps 3
  before=$(steps)
  ip link set tess-h2 down
  sleep 3
  ip link set tess-h2 up
  until_true 60 has_steps $((before + 3))
  check "a host is cut off for 3 s: the run goes on" $? "$log"
  ip link set tess-h2 down
  until_true 60 says "$log" "rank 1 (process [0-9]* on host h2)"
  check "a host is cut off for good: rank 0 names the rank that is lost" $? "$log"
  ip link set tess-h2 up
  ended
  [[ $? -ne 0 ]]
  check "the launch fails once the line is back" $? "$log"
  until_true 60 none_left
  check "no rank is left on either side" $?
}

part_copy() {
  local log=$work/copy.log
  "$program" hosts check h3,h4 --copy --folder "$runs" >"$log" 2>&1
  check "the program is sent to two hosts" $? "$log"
  [[ $(grep -c "was copied there" "$log") -eq 2 ]] && ls "$work"/home-h3/.local/share/tessera/copies/*/bin/tessera >/dev/null
  check "and is there" $? "$log"
  launch "$log" --copy --hosts h3,h4 --most-steps 3
  ended
  check "and trains" $? "$log"
  [[ $(grep -c "this tessera is there" "$log") -eq 2 ]]
  check "it is sent once" $? "$log"
}

# bridge LOG WORDS...: the studio's launcher without a window.
bridge() {
  local log=$1
  shift
  PATH=$(dirname "$program"):$PATH timeout 100 "$bridge_program" "$@" >"$log" 2>&1
}

part_window() {
  local log=$work/window.log
  bridge_program=$(dirname "$program")/../tests/ui/launch_by_bridge
  if [[ ! -x $bridge_program ]]; then
    echo "there is no $bridge_program: cmake --build BUILD --target launch_by_bridge makes it"
    ((asked == 0)) && echo "this part is left out" && return
    check "the studio's launcher is built" 1
    return
  fi
  rm -rf "$runs"
  bridge "$log" "$work/tiny.toml" --hosts h1,h2 --folder "$runs" --steps 3
  check "a run of the window on two hosts, stopped by it" $? "$log"
  # It is looked at from time to time: a phase that is over at once may pass unseen.
  says "$log" "phase The hosts try how they reach" || says "$log" "phase All ranks are there"
  check "it tells how far the start has come" $? "$log"
  [[ $(state) == *stopped* ]] && [[ -e $(copy_of_run)/mirror.json ]]
  check "the run has stopped there, and its copy is here" $? "$log"
  rm -rf "$runs"
  bridge "$log" "$work/tiny.toml" --hosts h1,absent --folder "$runs" --steps 3
  [[ $? -eq 1 ]] && says "$log" "does not answer"
  check "a host that does not answer is told" $? "$log"
  [[ -z $(the_run) ]] && none_left
  check "and nothing is left" $? "$log"
  ip -n tessera-h2 route add blackhole "$net.1/32"
  bridge "$log" "$work/tiny.toml" --hosts h1,h2 --folder "$runs" --cancel-after 2
  check "a start is cancelled while the second host does not hear" $? "$log"
  ip -n tessera-h2 route delete blackhole "$net.1/32"
  [[ -z $(the_run) ]] && none_left
  check "and nothing is left either" $? "$log"
}

write_spec
set_up_network || { echo "the network cannot be set up"; exit 1; }
set_up_servers || { cat "$work"/sshd-*.log; echo "the ssh servers cannot be set up"; exit 1; }
for part in "${parts[@]}"; do
  echo "-- $part"
  "part_$part"
done
echo "$failed failed"
[[ $failed -eq 0 ]]
