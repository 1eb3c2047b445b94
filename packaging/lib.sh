# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Shared by packaging/start and packaging/test: packages, configuration, build.
#
# One build folder serves both. `start` compiles the programs alone, `test` adds the tests to them,
# so whichever comes second compiles only what the first did not.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${TESSERA_BUILD_DIR:-$root/build}

say() { printf '\n==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() {
  printf '\nerror: %s\n' "$1" >&2
  if [[ -n ${2:-} ]]; then printf 'hint: %s\n' "$2" >&2; fi
  exit 1
}

# elapsed: time since the script began, as "3 min 07 s".
elapsed() { printf '%d min %02d s' $((SECONDS / 60)) $((SECONDS % 60)); }

# listed_packages FILE: the names of a package list, without comments and blank lines.
listed_packages() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$1"; }

# missing_packages FILE: those of them that are not installed.
missing_packages() {
  local name
  for name in $(listed_packages "$1"); do
    # NOTE: a removed package keeps an entry (config-files): the status decides, not the exit code.
    if ! dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed; then
      echo "$name"
    fi
  done
}

as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing packages needs root, and sudo is not installed" \
      "as root: apt-get install --no-install-recommends $missing"
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Use-Pty=0 "$@"
}

# install_packages FILE: installs what is missing of a package list; says nothing to apt otherwise.
install_packages() {
  say "Packages ($(basename "$1"))"
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    note "no dpkg here, so nothing can be checked or installed; these Debian packages are needed:"
    note "$(listed_packages "$1" | tr '\n' ' ')"
    return
  fi
  missing=$(missing_packages "$1" | tr '\n' ' ')
  missing=${missing% }
  if [[ -z $missing ]]; then
    note "all installed"
    return
  fi
  note "installing: $missing"
  apt_get update || die "apt-get update failed" "is this machine connected to its package mirror?"
  # shellcheck disable=SC2086  # a list of names
  apt_get install -y --no-install-recommends $missing ||
    die "apt-get could not install: $missing" "on Ubuntu the archive component 'universe' is needed"
}

# configure [cmake arguments]: Ninja and ccache, a release with tests declared.
configure() {
  say "Configuring $build"
  # NOTE: ccache takes -march=native as text. A cache that is carried to another processor would
  # hand out objects with instructions it lacks, so what the flag stands for is part of the key.
  CCACHE_NAMESPACE=tessera-$(c++ -march=native -Q --help=target | cksum | cut -d' ' -f1)
  export CCACHE_NAMESPACE
  # One cache serves every clone: paths inside the clone count from the build folder.
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
  cmake -S "$root" -B "$build" -G Ninja --no-warn-unused-cli \
    -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache \
    -DTESSERA_TESTS=ON -DTESSERA_LARGE_UNITS=ON "$@"
}

# job_count: compilers at a time: one per core, each with 1.5 GB of memory.
job_count() {
  local by_memory
  by_memory=$(awk '/^MemAvailable:/ { print int($2 / 1572864) }' /proc/meminfo)
  local by_cores
  by_cores=$(nproc)
  local n=$((by_memory < by_cores ? by_memory : by_cores))
  echo $((n > 0 ? n : 1))
}

has_target() { ninja -C "$build" -t query "$1" >/dev/null 2>&1; }

# compile TARGET...: "all" is everything, tests included.
compile() {
  local n
  n=$(job_count)
  say "Building $*, $n at a time"
  cmake --build "$build" --parallel "$n" --target "$@"
}
