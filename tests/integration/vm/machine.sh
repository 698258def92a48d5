# What the virtual machine of test_v2.py does; tests/support/vm.py tells what group, inside, within and section are.

explain() { inside $1 /nodeinit --explain --json -- /node /server.js; }
own_tree="umount -l $R && mount -t cgroup2 none $R && exec"
namespace() { inside $1 /unshare -C -m sh -c "$2 /nodeinit --explain --json -- /node /server.js"; }

section quota
group quota
echo "150000 100000" > $R/quota/cpu.max
explain quota

section nested
group pod/web
echo "100000 100000" > $R/pod/cpu.max
echo "400000 100000" > $R/pod/web/cpu.max
echo 300M > $R/pod/memory.max
echo 512M > $R/pod/web/memory.max
explain pod/web

section hidden
group cage/web
echo "50000 100000" > $R/cage/cpu.max
echo 200M > $R/cage/memory.max
echo 512M > $R/cage/web/memory.max
namespace cage/web "$own_tree"

section foreign_mount
namespace cage/web exec

section high
group high
echo 512M > $R/high/memory.max
echo 300M > $R/high/memory.high
explain high

section cpuset
group narrow
echo 1 > $R/narrow/cpuset.cpus
explain narrow

section threaded
group domain
mkdir $R/domain/threads
echo threaded > $R/domain/threads/cgroup.type
echo +cpu > $R/domain/cgroup.subtree_control
echo "50000 100000" > $R/domain/threads/cpu.max
echo 400M > $R/domain/memory.max
sh -c "echo \$\$ > $R/domain/cgroup.procs && echo \$\$ > $R/domain/threads/cgroup.procs &&
  exec /nodeinit --explain --json -- /node /server.js"

section removed
group gone
sh -c "echo \$\$ > $R/gone/cgroup.procs; /nodeinit --explain --json -- /node /server.js"

### A service that lives through changes of its limits, as PID 1 of a namespace of its own

workers() { for pid in $(cat $R/live/cgroup.procs); do [ "$(cat /proc/$pid/comm)" = node ] && echo $pid; done; }
has_workers() { [ "$(workers | wc -l)" = $1 ]; }
heaps() { for pid in $(workers); do tr '\0' '\n' < /proc/$pid/cmdline | grep max-old-space; done | sort -u; }
has_heap() { [ "$(heaps)" = "--max-old-space-size=$1" ]; }
serves() { wget -q -O - http://127.0.0.1:3000/ > /dev/null 2>&1; }

group live
echo "100000 100000" > $R/live/cpu.max
echo 600M > $R/live/memory.max
NODEINIT_RESIZE=reload NODEINIT_HTTP=127.0.0.1:9464 inside live \
  /unshare --pid --fork --mount-proc /nodeinit -- /node /server.js > /tmp/live.log 2>&1 &
outer=$!

section live
within 90 serves && echo "serves with $(workers | wc -l), $(heaps)"
echo "200000 100000" > $R/live/cpu.max
within 90 has_workers 2 && within 90 has_heap 232 && echo "grown to 2 with heap 232"
echo 400M > $R/live/memory.max
within 90 has_heap 138 && echo "memory shrunk, heap 138"
echo 600M > $R/live/memory.max
within 90 has_heap 232 && echo "memory grown, heap 232"
echo "100000 100000" > $R/live/cpu.max
within 90 has_workers 1 && echo "shrunk to 1"
serves && echo "still serves"

section metrics
wget -q -O - http://127.0.0.1:9464/metrics | grep '^nodeinit_container'

section stop
for pid in $(cat $R/live/cgroup.procs); do
  case $(readlink /proc/$pid/exe) in */nodeinit) kill -TERM $pid;; esac
done
wait $outer
echo "exit $?"
echo "oom_kill $(grep '^oom_kill ' $R/live/memory.events)"

section log
cat /tmp/live.log

### Death by memory

section heap
group heap
echo 256M > $R/heap/memory.max
inside heap /nodeinit -- /node /objects.js 2>&1 | grep nodeinit:
grep '^oom_kill ' $R/heap/memory.events

section buffers
group buffers
echo 256M > $R/buffers/memory.max
NODEINIT_RESTART=never inside buffers /nodeinit -- /node /buffers.js 2>&1 | grep nodeinit:
grep '^oom_kill ' $R/buffers/memory.events

# Kubernetes sets memory.oom.group for every container (1.28 and newer): all of it dies, its init too.
section together
group together
echo 256M > $R/together/memory.max
echo 1 > $R/together/memory.oom.group
NODEINIT_MODE=cluster inside together /unshare --pid --fork --mount-proc /nodeinit -- /node /buffers.js > /dev/null 2>&1
echo "exit $?"
grep '^oom_group_kill ' $R/together/memory.events
is_empty() { grep -q '^populated 0' $R/$1/cgroup.events; }
within 30 is_empty together && echo "nobody is left"
