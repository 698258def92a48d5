#!/bin/bash
# Fuzzes every target for SECONDS seconds (default 60) with libFuzzer, from its corpus; what crashes stays in
# build-fuzz/crashes (put it into the corpus, it is then a test for ever). usage: tests/fuzz/run.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
cmake --preset fuzz ${launcher[@]+"${launcher[@]}"} >/dev/null
mkdir -p build-fuzz/crashes
failed=0
for source in tests/fuzz/fuzz_*.cpp; do
  target=$(basename "$source" .cpp)
  name=${target#fuzz_}
  cmake --build --preset fuzz --target "$target"
  echo "== $target, $seconds s"
  mkdir -p "build-fuzz/corpus/$name" # what it finds on the way; the corpus of the repository is only read
  nice timeout --kill-after=10 $((seconds + 60)) "build-fuzz/tests/fuzz/$target" -max_total_time="$seconds" \
    -rss_limit_mb=2048 -timeout=10 -print_final_stats=0 -verbosity=0 -artifact_prefix=build-fuzz/crashes/"$name"- \
    "build-fuzz/corpus/$name" "tests/fuzz/corpus/$name" </dev/null || { echo "$target: failed"; failed=1; }
done
exit $failed
