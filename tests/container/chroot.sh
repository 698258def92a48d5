#!/bin/bash
# Builds the source and runs its unit tests in a fresh Debian, made by mmdebstrap:
#
#   tests/container/chroot.sh bookworm            Debian 12, as this machine's processor
#   tests/container/chroot.sh trixie              Debian 13: newer gcc, libuv, fmt, toml++, Catch2 3
#   tests/container/chroot.sh bookworm arm64      cross-compiled; the unit tests run under qemu-user
#
# Needs root and mmdebstrap. The bare Debian is kept in the test cache as a tar archive, so that the second run
# only unpacks it; where it is unpacked is removed at the end. OUT=folder keeps the program that was built.
set -euo pipefail
suite=${1:?a suite: bookworm or trixie} target=${2:-native}
top=$(cd "$(dirname "$0")/../.." && pwd)
# Shims of version managers make mmdebstrap's Python helper hang.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
cache=${NODEINIT_TEST_CACHE:-/var/cache/nodeinit-tests}/chroot
mkdir -p "$cache"

mapfile -t packages < <(sed '/^#/d' "$top/docker/build-packages")
case $target in
  native) architectures=() catch=catch2 ;;
  arm64)
    architectures=(--architectures="$(dpkg --print-architecture),arm64")
    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sed 's/^lib.*-dev$/&:arm64/; s/^g++$/g++-aarch64-linux-gnu/')
    packages+=(qemu-user-static)
    catch=catch2:arm64
    ;;
  *) echo "unknown target $target" >&2; exit 64 ;;
esac
packages+=(ca-certificates python3 binutils git "$catch")

# Another list of packages is another base; the one of the list before is not kept.
base=$cache/$suite-$target-$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c1-12).tar
if [ ! -e "$base" ]; then
  rm -f "$cache/$suite-$target"*.tar
  echo "== making a Debian $suite with ${packages[*]}"
  mmdebstrap --quiet --variant=minbase "${architectures[@]}" --include="$(IFS=,; echo "${packages[*]}")" \
    "$suite" "$base.new.tar" </dev/null # .tar is how it knows that an archive is wanted
  mv "$base.new.tar" "$base"
fi

root=$(mktemp -d "${TMPDIR:-/tmp}/nodeinit-chroot.XXXXXX")
clean_up() {
  umount "$root/proc" 2>/dev/null || true
  # Never through a mount: only this file system.
  rm -rf --one-file-system "$root"
}
trap clean_up EXIT
tar -C "$root" -xf "$base" --exclude=./dev
mkdir -p "$root/dev" "$root/src"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/urandom" c 1 9
ln -s /proc/self/fd "$root/dev/fd"
mount -t proc proc "$root/proc"
# What git knows, as it is in the work tree; without git everything but what was built.
if git -C "$top" rev-parse >/dev/null 2>&1; then
  (cd "$top" && git ls-files -z --cached --others --exclude-standard | xargs -0 -r ls -d 2>/dev/null | tar -c -T -) | tar -x -C "$root/src"
else
  tar -C "$top" --exclude='./build*' -c . | tar -x -C "$root/src"
fi

options=()
if [ "$target" = arm64 ]; then
  cat >"$root/toolchain.cmake" <<'C'
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
C
  options=(-DCMAKE_TOOLCHAIN_FILE=/toolchain.cmake)
fi

inside() { env -i PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 nice chroot "$root" sh -euc "cd /src && $1"; }

echo "== $suite, $target: the program"
inside "cmake --preset release ${options[*]} && cmake --build --preset release && ls -l build/nodeinit"
if [ "$target" = arm64 ]; then
  inside "qemu-aarch64-static build/nodeinit --version"
else
  inside "build/nodeinit --version"
fi
[ -z "${OUT:-}" ] || { mkdir -p "$OUT" && cp "$root/src/build/nodeinit" "$OUT/"; }

echo "== $suite, $target: the unit tests"
# Without sanitizers: they do not run under qemu-user, and the sanitizers' own run is that of tests/run.sh. Static
# for another processor: no loader of it is to be found here.
[ "$target" = arm64 ] && options+=(-DCMAKE_EXE_LINKER_FLAGS=-static "'-DNODEINIT_TEST_FILTER=~[not-emulated]'")
inside "cmake -S . -B build-tests -G Ninja -DCMAKE_BUILD_TYPE=Debug ${options[*]} &&
  cmake --build build-tests -j 2 --target unit_base unit_wire unit_core unit_sys unit_loop unit_app simulation &&
  ctest --test-dir build-tests --output-on-failure -j 2 --timeout 900 -R '^(unit|simulation)'"
