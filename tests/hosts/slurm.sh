#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A cluster with Slurm on one machine: munged, slurmctld and four nodes, on which
# `tessera launch --slurm` submits, follows, loses its nodes, goes on, and stops.
#
#   tests/hosts/slurm.sh PROGRAM [PART...]     PROGRAM: a built tessera
#
#   bad       an unknown partition, a script that is nonsense, a cluster that is not there
#   losses    two nodes train as one machine does, to the last bit, whatever starts the ranks
#   requeue   a run that is put back, or one rank of which gets a signal, has the losses it would
#             have had
#   preempt   a job of higher rank takes the nodes: the run saves, and goes on after it
#   stop      a run that waits, and one that trains, is stopped; it is resumed with an edited script
#   limit     Slurm warns of the time limit, and ends a job that does not hear
#   down      the controller is gone for a while: the run goes on
#   window    the studio's own way to submit, follow and stop jobs
#
# Without parts: all. Needs root and packages.txt beside this file; ends with status 77 and the
# reason where it cannot run, 1 where something failed. All of it lives in namespaces of its own,
# which end with this script.
set -uo pipefail
here=$(dirname "$(realpath "$0")")
source "$here/tiny_spec.sh"

skip() {
  echo "skipped: $1"
  exit 77
}
[[ $# -ge 1 ]] || { sed -n '3,22p' "$0"; exit 2; }
program=$(realpath "$1") || exit 2
shift
parts=("$@")
asked=${TESSERA_SLURM_PARTS_ASKED:-${#parts[@]}} # this script runs itself again, with all parts named
((asked)) || parts=(bad losses requeue preempt stop window down limit)
for part in "${parts[@]}"; do
  case $part in
    bad | losses | requeue | preempt | stop | limit | down | window) ;;
    *) echo "there is no part $part" && exit 2 ;;
  esac
done
[[ -x $program ]] || skip "there is no program at $program"
[[ $(id -u) -eq 0 ]] || skip "a cluster of its own needs root"
packages=$(sed 's/#.*//' "$here/packages.txt" | xargs)
for tool in slurmctld slurmd sbatch munged ip unshare; do
  command -v "$tool" >/dev/null || skip "there is no $tool: apt-get install $packages"
done
id munge >/dev/null 2>&1 || skip "there is no user munge: apt-get install $packages"

# ---- Namespaces ----------------------------------------------------------------------------------

# Processes, network, mounts and the host's name are this script's own: what it starts ends with it.
if [[ -z ${TESSERA_SLURM_INSIDE:-} ]]; then
  unshare --mount --uts --net --pid --fork --mount-proc true 2>/dev/null ||
    skip "this system gives out no namespaces"
  work=$(mktemp -d /tmp/tessera-slurm-XXXXXX)
  take_down() {
    [[ -n ${inside:-} ]] && kill -9 "$inside" 2>/dev/null && wait "$inside" 2>/dev/null
    if [[ -n ${KEEP:-} ]]; then echo "kept: $work"; else rm -rf "$work"; fi
  }
  trap take_down EXIT
  trap 'exit 130' INT TERM
  TESSERA_SLURM_INSIDE=$work TESSERA_SLURM_PARTS_ASKED=$asked unshare --mount --uts --net --pid --fork --mount-proc --kill-child \
    "$0" "$program" "${parts[@]}" &
  inside=$!
  wait "$inside"
  status=$?
  inside=
  exit "$status"
fi
work=$TESSERA_SLURM_INSIDE
unset TESSERA_SLURM_INSIDE TESSERA_SLURM_PARTS_ASKED
export SLURM_CONF=$work/slurm.conf
export TESSERA_HOME=$work/home TESSERA_SAMPLE=none OMP_WAIT_POLICY=passive TESSERA_RUNS=$work/runs
# What starts ranks is root here, which Open MPI wants to be told.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
runs=$work/runs
mkdir -p "$runs" "$TESSERA_HOME"

# ---- The cluster ---------------------------------------------------------------------------------

write_conf() {
  cat >"$SLURM_CONF" <<END
ClusterName=tessera
SlurmctldHost=tessera-slurm(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=100000,bf_interval=2
EnforcePartLimits=ALL
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool/%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
SlurmctldLogFile=$work/log/slurmctld.log
SlurmdLogFile=$work/log/slurmd-%n.log
SlurmdParameters=config_overrides
# Nodes that share a machine must not share what PMIx keeps in files.
TmpFS=$work/tmp-%n
ReturnToService=2
KillWait=20
NodeName=n[1-5] NodeHostname=tessera-slurm NodeAddr=127.0.0.1 Port=[17001-17005] CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
PartitionName=low Nodes=n[1-4] Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=30
PartitionName=aside Nodes=n5 MaxTime=INFINITE State=UP
PartitionName=high Nodes=n[1-4] MaxTime=INFINITE State=UP PriorityTier=9 PreemptMode=OFF
END
}

start_munge() {
  mkdir -p "$work/munge"
  head -c 1024 /dev/urandom >"$work/munge/key"
  chown -R munge: "$work/munge"
  chmod 700 "$work/munge/key"
  chmod 711 "$work/munge"
  su -s /bin/sh munge -c "umask 0; exec munged --foreground --socket=$work/munge/socket \
    --key-file=$work/munge/key --log-file=$work/munge/log --pid-file=$work/munge/pid \
    --seed-file=$work/munge/seed" >"$work/log/munged" 2>&1 &
  until_true 10 test -S "$work/munge/socket"
}

start_cluster() {
  mkdir -p "$work"/{state,spool,log,tmp-n1,tmp-n2,tmp-n3,tmp-n4,tmp-n5}
  chmod 755 "$work" "$work/log"
  hostname tessera-slurm
  # NOTE: slurmctld and mpirun do not begin where there is no interface but the loopback.
  ip link set lo up && ip link add eth0 type veth peer name eth1 &&
    ip addr add 10.231.78.1/24 dev eth0 && ip link set eth0 up && ip link set eth1 up || return 1
  { echo "127.0.0.1 localhost tessera-slurm n1 n2 n3 n4 n5"; } >"$work/hosts"
  mount --bind "$work/hosts" /etc/hosts
  write_conf
  start_munge || return 1
  slurmctld -c >"$work/log/start" 2>&1 || return 1
  local node
  for node in n1 n2 n3 n4 n5; do
    slurmd -N "$node" >>"$work/log/start" 2>&1 || return 1
  done
  until_true 5 all_idle
}
all_idle() { [[ $(timeout 5 sinfo -h -N -p low -t idle -o %N 2>/dev/null | wc -l) -eq 4 ]]; }

# ---- Help for the parts --------------------------------------------------------------------------

failed=0
say() { printf '%-74s %s\n' "$1" "$2"; }
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
  local left=$(($1 * 5))
  shift
  while ((left-- > 0)); do
    "$@" && return 0
    sleep 0.2
  done
  return 1
}
# Nothing here takes a minute.
tessera() { timeout -k 5 60 "$program" "$@"; }
profile() { tessera slurm profile add "$@" >/dev/null; }
# submit LOG PROFILE [OPTIONS]: a job that nobody follows. Sets $run and $job.
submit() {
  local log=$1 name=$2
  shift 2
  tessera launch "$work/tiny.toml" --slurm "$name" --detach "$@" >"$log" 2>&1 || return 1
  run=$(sed -n 's/^run //p' "$log")
  job=$(sed -n 's/^job \([0-9]*\):.*/\1/p' "$log")
}
steps() { tessera watch "$run" --once --json 2>/dev/null | grep -c '"loss"'; }
has_steps() { (($(steps) >= $1)); }
state_of_job() { scontrol show job "$1" -o 2>/dev/null | grep -o 'JobState=[A-Z_]*' | cut -d= -f2; }
job_is() { [[ $(state_of_job "$1") == "$2" ]]; }
has_restarts() { scontrol show job "$1" -o | grep -q "Restarts=$2 "; }
losses_of() { tessera watch "$1" --once --json | grep -o '"loss":[^,}]*'; }
same_losses() { # RUN STEPS: the first STEPS of a run are those of one that nothing happened to
  local most=$2
  ((most <= here_steps)) || most=$here_steps
  losses_of "$1" | head -"$most" >"$work/losses-there"
  head -"$most" "$work/losses-here" >"$work/losses-wanted"
  [[ -s $work/losses-there ]] && cmp "$work/losses-wanted" "$work/losses-there"
}
# process_of_rank RANK RUN: its number.
process_of_rank() {
  local name
  for name in /proc/[0-9]*; do
    if tr '\0' '\n' 2>/dev/null <"$name/environ" | grep -qx "SLURM_PROCID=$1" &&
      tr '\0' ' ' 2>/dev/null <"$name/cmdline" | grep -q "tessera resume $2 "; then
      echo "${name#/proc/}"
    fi
  done | head -1
}

# ---- Parts ---------------------------------------------------------------------------------------

part_bad() {
  local log=$work/bad.log runs=$work/bad-runs
  local -x TESSERA_RUNS=$runs
  mkdir -p "$runs"
  tessera train "$work/tiny.toml" >"$log" 2>&1
  [[ $? -eq 1 ]] && says "$log" "tessera launch SPEC --slurm PROFILE"
  check "train refuses a spec for Slurm, and names the command" $? "$log"
  tessera launch "$work/tiny.toml" --slurm tow >"$log" 2>&1
  [[ $? -eq 1 ]] && says "$log" "did you mean two"
  check "an unknown profile: the nearest one is named" $? "$log"
  profile wrong --partition hihg
  tessera launch "$work/tiny.toml" --slurm wrong >"$log" 2>&1
  [[ $? -eq 1 ]] && says "$log" 'no partition "hihg" (line [0-9]* of the script)' &&
    says "$log" "did you mean high"
  check "an unknown partition: its line and the nearest one" $? "$log"
  [[ -z $(ls "$runs") ]]
  check "and no run is left of it" $?
  profile big --nodes 9
  tessera launch "$work/tiny.toml" --slurm big --set parallel.data=1 --set curriculum[0].batch_sequences=18 >"$log" 2>&1
  [[ $? -eq 1 ]] && says "$log" "nodes" && says "$log" "sinfo"
  check "more nodes than there are: what to look at" $? "$log"
  tessera launch "$work/tiny.toml" --slurm two --show >"$work/shown.sh" 2>"$log"
  [[ $? -eq 0 && -z $(ls "$runs") ]] && bash -n "$work/shown.sh" &&
    says "$work/shown.sh" "#SBATCH --nodes=2"
  check "the script is shown, and nothing is made" $? "$log"
  sed 's/^while true; do/while true; dooo/' "$work/shown.sh" >"$work/odd.sh"
  tessera launch "$work/tiny.toml" --slurm two --script "$work/odd.sh" >"$log" 2>&1
  [[ $? -eq 1 ]] && says "$log" "line [0-9]*: syntax error" && says "$log" "the script is kept in"
  check "a script that is nonsense: its line, and it is kept" $? "$log"
  rm -rf "${runs:?}"/*
  PATH=/nowhere "$program" launch "$work/tiny.toml" --slurm two >"$log" 2>&1
  [[ $? -eq 1 && -z $(ls "$runs") ]]
  check "no Slurm on this machine: nothing is made" $? "$log"
}

part_losses() {
  local log=$work/losses.log start
  for start in srun pmix mpirun; do
    profile "two-$start" --nodes 2 --start "$start"
    tessera launch "$work/tiny.toml" --slurm "two-$start" --most-steps 12 >"$log" 2>&1
    check "two ranks on two nodes, started by $start" $? "$log"
    run=$(sed -n 's/^run //p' "$log")
    (($(steps) == 12)) && same_losses "$run" 12
    check "their losses are those of this machine" $? "$log"
  done
}

part_requeue() {
  local log=$work/requeue.log rank
  submit "$log" two
  check "a job that nobody follows" $? "$log"
  until_true 30 has_steps 4
  scontrol requeue "$job"
  until_true 30 has_restarts "$job" 1
  check "it is put back by scontrol" $? "$work/runs/$(basename "$run")/slurm/job-$job.out"
  local before
  before=$(steps)
  until_true 40 has_steps $((before + 4))
  check "it goes on by itself" $? "$run/slurm/job-$job.out"
  same_losses "$run" $((before + 4))
  check "with the losses it would have had" $?
  rank=$(process_of_rank 1 "$run")
  before=$(steps)
  kill -USR1 "$rank"
  until_true 30 has_restarts "$job" 2
  check "one rank alone gets a signal: all save, and the job is put back" $? "$run/slurm/job-$job.out"
  says "$run/slurm/job-$job.out" "saved, as its ranks were told to stop"
  check "and says so" $? "$run/slurm/job-$job.out"
  before=$(steps)
  until_true 40 has_steps $((before + 4))
  same_losses "$run" $((before + 4))
  check "with the losses it would have had" $?
  tessera stop "$run" >"$log" 2>&1
  check "stop ends it" $? "$log"
  until_true 20 job_is "$job" COMPLETED
  check "for good: the job is not put back" $? "$log"
}

part_preempt() {
  local log=$work/preempt.log other low
  submit "$log" four
  low=$job
  until_true 30 has_steps 4
  other=$(sbatch --parsable -p high -N4 --exclusive -o /dev/null --wrap "sleep 4")
  until_true 40 job_is "$other" RUNNING
  check "a job of higher rank gets the nodes" $? "$run/slurm/job-$low.out"
  says "$run/slurm/job-$low.out" "saved, as its ranks were told to stop"
  check "the run has saved before" $? "$run/slurm/job-$low.out"
  tessera slurm jobs >"$log" 2>&1
  says "$log" "$low .*waits in the queue"
  check "slurm jobs tells that it waits" $? "$log"
  local before
  before=$(steps)
  until_true 60 has_steps $((before + 4))
  check "it goes on after that job" $? "$run/slurm/job-$low.out"
  same_losses "$run" $((before + 4))
  check "with the losses it would have had" $?
  scancel "$low"
  until_true 30 job_is "$low" CANCELLED
  check "scancel: the run is cancelled, and not put back" $? "$run/slurm/job-$low.out"
  tessera runs --runs "$runs" >"$log" 2>&1
  says "$log" "stopped.*stopped on request, saved"
  check "and has saved" $? "$log"
}

part_stop() {
  local log=$work/stop.log desk waits before
  "$program" launch "$work/tiny.toml" --slurm four >"$log" 2>&1 &
  desk=$!
  until_true 30 grep -qs "^run " "$log"
  run=$(sed -n 's/^run //p' "$log")
  until_true 40 has_steps 4
  submit "$work/waits.log" four
  waits=$run
  tessera stop "$waits" >"$work/waits.log" 2>&1
  [[ $? -eq 0 ]] && says "$work/waits.log" "it waited in the queue"
  check "a job that waits is cancelled" $? "$work/waits.log"
  run=$(sed -n 's/^run //p' "$log")
  kill -TERM "$desk"
  wait "$desk"
  check "SIGTERM to the desk: the launch ends well" $? "$log"
  says "$log" "stopped on request, saved"
  check "the run has saved and stopped" $? "$log"
  profile four --replace --time 30
  sed -i 's/--stopped-status 85/& --most-steps 5/' "$run/slurm/job.sh"
  before=$(steps)
  tessera launch --resume "$run" --slurm four --show 2>"$log" >/dev/null
  says "$log" "was edited by hand: it differs from the profile in line"
  check "an edited script is marked" $? "$log"
  tessera launch --resume "$run" --slurm four >"$log" 2>&1
  check "and kept: the run is resumed with it" $? "$log"
  (($(steps) == before + 5))
  check "and does what was written into it" $? "$log"
  same_losses "$run" $((before + 5))
  check "with the losses it would have had" $?
  tessera launch --stop "$run" >"$log" 2>&1
  [[ $? -eq 1 ]] && says "$log" "is not running"
  check "a run that is over is not stopped again" $? "$log"
}

# Beside the others, as Slurm counts limits in minutes.
begin_limit() {
  profile deaf --partition aside --time 1 --warn-s 0
  submit "$work/deaf.log" deaf
  check "a job with a limit of a minute and no warning" $? "$work/deaf.log"
  limited=$run
  until_true 40 has_steps 2
  tessera control pause "$limited" >/dev/null # it would keep the others waiting
}

part_limit() {
  local log=$work/limit.log
  profile warned --time 2 --warn-s 110
  submit "$log" warned
  until_true 60 has_restarts "$job" 1
  check "Slurm warns: the run saves, and the job is put back" $? "$run/slurm/job-$job.out"
  says "$run/slurm/job-$job.out" "saved, as its time is nearly over"
  check "and says so" $? "$run/slurm/job-$job.out"
  tessera stop "$run" >"$log" 2>&1
  check "it is stopped" $? "$log"
  run=$limited
  timeout -k 5 150 "$program" launch --attach "$run" >"$log" 2>&1
  says "$log" "was ended at its time limit" && says "$log" "stopped on request, saved" &&
    says "$log" "warn_s"
  check "the one without is ended at its limit, which is told with the next step" $? "$log"
}

part_down() {
  local log=$work/down.log before jobs
  submit "$log" two
  until_true 40 has_steps 4
  kill "$(cat "$work/slurmctld.pid")" # it keeps what it knows for its next start
  before=$(steps)
  tessera slurm jobs >"$work/jobs.log" 2>&1 & # Slurm's commands take 20 s to give up
  jobs=$!
  until_true 30 has_steps $((before + 4))
  check "the controller is gone: the run goes on" $? "$log"
  tessera stop "$run" >"$log" 2>&1
  [[ $? -eq 0 ]] && says "$log" "Slurm does not answer" && says "$log" "stopped on request, saved"
  check "and is stopped by its folder" $? "$log"
  wait "$jobs"
  says "$work/jobs.log" "Slurm does not answer" && says "$work/jobs.log" "job $job was submitted"
  check "slurm jobs tells so, and what is known" $? "$work/jobs.log"
  slurmctld >>"$work/log/start" 2>&1
  until_true 5 timeout 3 scontrol show job "$job" >/dev/null 2>&1
  tessera slurm jobs >"$work/jobs.log" 2>&1
  [[ $? -eq 0 ]] && ! says "$work/jobs.log" "does not answer" && says "$work/jobs.log" "stopped .*job $job "
  check "the controller is back, and is asked again" $? "$work/jobs.log"
}

# bridge LOG WORDS...: the studio's launcher without a window.
bridge() {
  local log=$1
  shift
  PATH=$(dirname "$program"):$PATH timeout 60 "$bridge_program" "$@" >"$log" 2>&1
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
  bridge "$log" "$work/tiny.toml" --slurm two --folder "$work/window-runs" --steps 3
  check "a job of the window trains, and is stopped by it" $? "$log"
  says "$log" "reason job [0-9]* " # what is known of it: Slurm is asked every 10 s
  check "it tells what Slurm says of the job" $? "$log"
  profile nowhere --partition no-such-partition
  bridge "$log" "$work/tiny.toml" --slurm nowhere --folder "$work/window-runs" --steps 3
  [[ $? -eq 1 ]] && says "$log" "no partition"
  check "an unknown partition is told" $? "$log"
  [[ $(ls -d "$work"/window-runs/tiny-* | wc -l) -eq 1 ]]
  check "and leaves no run" $? "$log"
}

here_steps=300
PARALLEL='sums = "canonical"' HOST='kind = "slurm"' write_spec
start_cluster || {
  cat "$work"/log/* | tail -40
  echo "the cluster cannot be set up"
  exit 1
}
profile two --nodes 2
profile four --nodes 4 --sbatch=--exclusive
tessera train "$work/tiny.toml" --set 'host.kind="local"' --runs "$work/here" --ranks 2 \
  --most-steps $here_steps >"$work/here.log" 2>&1 || { cat "$work/here.log"; exit 1; }
losses_of "$(ls -d "$work"/here/tiny-*)" >"$work/losses-here"
[[ " ${parts[*]} " != *" limit "* ]] || begin_limit
for part in "${parts[@]}"; do
  echo "-- $part ($SECONDS s)"
  "part_$part"
done
echo "$failed failed, after $SECONDS s"
[[ $failed -eq 0 ]]
