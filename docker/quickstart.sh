#!/bin/bash
# See nodeinit at work, from nothing: on a Debian 12 machine, as root,
#
#   docker/quickstart.sh
#
# installs what is missing (Debian's packages; express where npm is there), builds build/nodeinit, runs a service under
# it as PID 1 of a PID namespace with a CPU quota of 1.5 (a cgroup of its own), and shows the plan, an answer
# of each worker, a killed worker replaced, and a stop that waits for the requests in flight. Nothing is left
# running; what was built and downloaded stays in build/, so that the second run takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '   $ %s\n' "$*"; }

[ "$(id -u)" -eq 0 ] || { echo "please run it as root: it installs packages and makes a PID namespace" >&2; exit 1; }

group=nodeinit-quickstart groups=() unshare_pid=''
clean_up() {
  local folder pid
  [ -z "$unshare_pid" ] || kill -KILL "$unshare_pid" 2>/dev/null || true # --kill-child ends PID 1 with it
  wait 2>/dev/null || true
  for folder in ${groups[@]+"${groups[@]}"}; do
    for _ in $(seq 100); do
      rmdir "$folder" 2>/dev/null && break
      while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done <"$folder/cgroup.procs" || true
      sleep 0.05
    done
  done
}
trap clean_up EXIT
trap 'exit 130' INT TERM

### 1. What is needed

say "Debian's packages"
mapfile -t packages < <(sed '/^#/d' docker/build-packages)
packages+=(ca-certificates curl procps util-linux)
command -v node >/dev/null || packages+=(nodejs)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "all are installed"
else
  echo "installing ${missing[*]}"
  apt-get update -q </dev/null
  apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null
fi

say "building build/nodeinit"
cmake --preset release >/dev/null
cmake --build --preset release
ls -l build/nodeinit

service=build/quickstart
mkdir -p $service
cp docker/example/package.json docker/example/package-lock.json $service/
# Debian's npm is half a gigabyte of packages: only where it is there already.
if command -v npm >/dev/null; then
  say "an express service from npm (docker/example)"
  if [ ! -d $service/node_modules/express ]; then
    show "npm ci"
    (cd $service && npm ci --no-audit --no-fund </dev/null) || {
      rm -rf $service/node_modules
      echo "npm could not get express; its own words are above (no network, a proxy, a registry that refuses?)"
    }
  fi
fi
if [ -d $service/node_modules/express ]; then
  cp docker/example/server.js $service/
  echo "node $(node --version), express $(node -p "require('./$service/node_modules/express/package.json').version")"
else
  say "a service of node's own http (docker/example/plain.js)"
  cp docker/example/plain.js $service/server.js
  echo "node $(node --version)"
fi

### 2. A CPU quota of 1.5, as a container engine sets it

say "a cgroup with a CPU quota of 1.5 and 512 MiB"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then # v2
  echo "+cpu +memory" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
  folder=/sys/fs/cgroup/$group
  mkdir -p $folder 2>/dev/null && groups=("$folder")
  { echo "150000 100000" >$folder/cpu.max && echo 512M >$folder/memory.max; } 2>/dev/null ||
    echo "no quota can be set here: going on without"
else
  for controller in cpu memory; do
    folder=/sys/fs/cgroup/$controller/$group
    mkdir -p "$folder" 2>/dev/null && groups+=("$folder")
  done
  { echo 150000 >/sys/fs/cgroup/cpu/$group/cpu.cfs_quota_us &&
    echo 512M >/sys/fs/cgroup/memory/$group/memory.limit_in_bytes; } 2>/dev/null ||
    echo "no quota can be set here: going on without"
fi
printf '%s\n' ${groups[@]+"${groups[@]}"}

join_group() { # moves the subshell that calls it into the group
  local folder
  for folder in ${groups[@]+"${groups[@]}"}; do echo $BASHPID >"$folder/cgroup.procs"; done
}

say "the plan, with its reasons"
show "nodeinit --explain -- node server.js"
(join_group && build/nodeinit --explain -- node $service/server.js)

### 3. The service

port=$(node -e 'const s = require("net").createServer().listen(0, () => { console.log(s.address().port); s.close() })')
say "the service as PID 1 (its own words follow, nodeinit's begin with its name)"
show "PORT=$port nodeinit node server.js"
(join_group && PORT=$port exec unshare --pid --fork --mount-proc --kill-child build/nodeinit node $service/server.js) &
unshare_pid=$!
url=http://127.0.0.1:$port
for _ in $(seq 200); do
  curl -sf --max-time 1 "$url/" >/dev/null && break
  kill -0 $unshare_pid 2>/dev/null || { echo "the service ended before it answered" >&2; exit 1; }
  sleep 0.1
done
pid1=$(pgrep -P "$unshare_pid")

workers() { pgrep -P "$pid1" -f server.js | tr '\n' ' '; }

say "a request per worker"
show "curl $url/        until all have answered"
answers=''
for _ in $(seq 500); do
  answers+=$(curl -s --max-time 2 "$url/")$'\n'
  seen=$(sort -u <<<"$answers" | grep -c pid)
  [ "$seen" -ge "$(workers | wc -w)" ] && [ "$seen" -ge 2 ] && break
  [ "$(nproc)" -eq 1 ] && break # one CPU makes one worker
done
sort <<<"$answers" | grep pid | uniq -c | sed 's/^/   /'

say "a worker is killed while a client asks on"
results=$service/answers
(
  for _ in $(seq 150); do
    curl -s -o /dev/null --max-time 5 -w '%{http_code} %{exitcode}\n' "$url/" || true
    sleep 0.01
  done >$results
) &
client=$!
sleep 0.5
victim=$(workers | cut -d' ' -f1)
echo "   workers before: $(workers)"
show "kill -9 $victim"
kill -9 "$victim"
wait $client
echo "   workers after:  $(workers)"
echo "   answers: $(grep -c '^200 0' $results) of 150, refused connections: $(grep -c ' 7$' $results || true)"

say "a stop with requests of two seconds in flight"
clients=()
for _ in 1 2 3 4; do
  curl -s --max-time 20 -w '   %{http_code} after %{time_total} s\n' -o /dev/null "$url/slow?ms=2000" &
  clients+=($!)
done
sleep 0.5
show "kill -TERM 1        (what docker stop does)"
kill -TERM "$pid1"
code=0
wait $unshare_pid || code=$?
unshare_pid=''
wait "${clients[@]}" || true
echo "   exit code of the container: $code"

say "done: build/nodeinit is the one file to copy into an image (Dockerfile.example)"
