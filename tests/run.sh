#!/bin/bash
# Installs what the tests need, builds, and runs every tier of tests.
#
#   tests/run.sh                  everything but the slow tests
#   tests/run.sh --long           the slow tests too (soak, fuzz, load)
#   tests/run.sh --only TIER      one tier (may be given several times): unit simulation tidy integration
#                                 container fuzz
#   tests/run.sh --no-install     trust what is installed
#
# Needs Debian 12 and, to install, root or sudo. Safe to run twice: what is there is not made again. Downloads
# (Node binaries, npm packages) stay in $NODEINIT_TEST_CACHE (~/.cache/nodeinit-tests; for root
# /var/cache/nodeinit-tests), results as JUnit files in build-dev/results. Ends with a line "N passed, N failed"; its
# exit code is 0 when none failed.
set -euo pipefail
cd "$(dirname "$0")/.."

only=() long='' install=1
while [ $# -gt 0 ]; do
  case $1 in
    --long) long=1 ;;
    --only) only+=("${2:?--only needs a tier}"); shift ;;
    --no-install) install='' ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
    *) echo "tests/run.sh: unknown option $1 (see --help)" >&2; exit 64 ;;
  esac
  shift
done

# Shims of version managers come before Debian's programs on some machines; the tests want Debian's.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
python=/usr/bin/python3
results=build-dev/results
unit_limit=12m integration_limit=40m container_limit=12m tidy_limit=20m fuzz_limit=40m

# Images are built several times, and the source in three fresh Debians, one of them under qemu-user.
[ -z "$long" ] || container_limit=120m
# What came of each row of the table of engines in docker/docs/engines.md (tests/container/table.py writes it there).
export NODEINIT_ENGINE_RESULTS=$PWD/$results/engines.json

say() { printf '\n=== %s\n' "$*"; }

wanted() {
  [ ${#only[@]} -eq 0 ] && return 0
  local tier
  for tier in "${only[@]}"; do [ "$tier" = "$1" ] && return 0; done
  return 1
}
for tier in ${only[@]+"${only[@]}"}; do
  case $tier in
    unit | simulation | tidy | integration | container | fuzz) ;;
    *) echo "tests/run.sh: no tier $tier" >&2; exit 64 ;;
  esac
done

### What is needed

mapfile -t packages < <(sed '/^#/d' docker/build-packages)
packages+=(
  ca-certificates git openssl # npm downloads; the lints ask git which files are ours; certificates of the tests
  ccache catch2
  clang clang-format clang-tidy # formatting and tidy; clang's headers also serve libFuzzer
  python3 python3-pytest python3-pytest-timeout
  binutils util-linux procps iproute2 curl jq # unshare, nsenter, setpriv; what the container tests look at
  wrk strace tini runc tmux prometheus
)
wanted fuzz && packages+=(libclang-rt-dev)
wanted container && packages+=(podman conmon golang-github-containers-common python3-yaml)
# The virtual machine with a pure cgroup v2 tree (its kernel is downloaded by the test, not installed), a browser for the
# page at NODEINIT_HTTP, what judges a Debian package, and a registry for the image.
wanted integration && [ -n "$long" ] && packages+=(qemu-system-x86 busybox-static cpio chromium lintian docker-registry skopeo)
# All the engines, and what speaks the kubelet's protocol to containerd: for the slow form.
wanted container && [ -n "$long" ] && packages+=(docker.io docker-compose slirp4netns containerd iptables buildah mmdebstrap protobuf-compiler
  python3-protobuf python3-grpcio)

install_packages() {
  local missing=() package
  command -v npm >/dev/null || packages+=(nodejs npm)
  for package in "${packages[@]}"; do
    # A virtual package is there when something provides it: dpkg-query knows real ones, `command -v` npm.
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && { echo "all packages are installed"; return; }
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "not root and no sudo; please install: ${missing[*]}" >&2; exit 1; }
    root=(sudo -n env "DEBIAN_FRONTEND=$DEBIAN_FRONTEND")
  fi
  echo "to install: ${missing[*]}"
  ${root[@]+"${root[@]}"} apt-get update -q </dev/null
  # No daemon of theirs is started: policy-rc.d says no for the time of the installation.
  local policy=/usr/sbin/policy-rc.d made=''
  if [ ! -e $policy ]; then
    made=1
    printf '#!/bin/sh\nexit 101\n' | ${root[@]+"${root[@]}"} tee $policy >/dev/null
    ${root[@]+"${root[@]}"} chmod 755 $policy
  fi
  local failed=0
  ${root[@]+"${root[@]}"} apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null || failed=1
  [ -z "$made" ] || ${root[@]+"${root[@]}"} rm -f $policy
  [ $failed = 0 ] || { echo "apt-get install failed" >&2; exit 1; }
}

### Building: at most two compilers at a time

build() {
  local preset=$1 launcher=()
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  cmake --preset "$preset" ${launcher[@]+"${launcher[@]}"}
  cmake --build --preset "$preset" -j 2
}

### The tiers; each leaves its results as JUnit files

scratch=$(mktemp -d /tmp/nodeinit-tests.XXXXXX)
trap 'rm -rf --one-file-system "$scratch"' EXIT
trap 'exit 130' INT TERM
failed_tiers=()
tier() { # NAME LIMIT COMMAND...: bounded in time, and nothing of it is left when the time is over
  local name=$1 limit=$2 status=0
  shift 2
  say "$name: ${*:1:6}"
  timeout --kill-after=30 "$limit" "$@" </dev/null || status=$?
  [ $status -eq 0 ] && return
  [ $status -eq 124 ] && echo "$name: not finished within $limit"
  failed_tiers+=("$name")
}

run_pytest() { # TIER LIMIT PATH...
  local name=$1 limit=$2
  shift 2
  tier "$name" "$limit" $python -m pytest -q -c tests/pytest.ini ${long:+--long} --durations=10 \
    --basetemp="$scratch/$name" --junitxml="$PWD/$results/$name.xml" "$@"
}

if [ -n "$install" ]; then
  say "Debian packages"
  install_packages
fi

say "building: dev (sanitizers) in build-dev/, release (static) in build/"
build dev
build release
mkdir -p $results
rm -f $results/*.xml $results/engines.json
ls -l build/nodeinit

if wanted unit; then
  tier unit $unit_limit ctest --preset dev -j 2 --timeout 300 --output-junit "$PWD/$results/unit.xml"
fi
# The dev build has lived a thousand lives under the sanitizers; this one lives millions of steps.
if wanted simulation; then
  build simulation
  tier simulation $unit_limit env NODEINIT_SEEDS=20000 build-simulation/tests/simulation/simulation \
    --reporter junit --out "$PWD/$results/simulation.xml"
fi
if wanted tidy; then
  tier tidy $tidy_limit $python tests/lint/tidy.py . build-dev -j 2
fi
if wanted integration; then
  run_pytest integration $integration_limit tests/integration
fi
if wanted container && [ -d tests/container ]; then
  run_pytest container $container_limit tests/container
fi
if { wanted fuzz && [ ${#only[@]} -gt 0 ]; } || [ -n "$long" ] && [ -x tests/fuzz/run.sh ]; then
  tier fuzz $fuzz_limit tests/fuzz/run.sh 60
fi

say "result"
$python tests/support/tally.py $results ${failed_tiers[@]+"${failed_tiers[@]}"}
