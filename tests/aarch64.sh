#!/bin/sh
# SPDX-License-Identifier: MIT
# The restartable sequences of AArch64: compiled and assembled; with a kernel and libraries, run too, in
# qemu-system-aarch64, by the tests of caches and of fork().
# Usage: aarch64.sh [KERNEL ROOT]    KERNEL: an arm64 kernel from 5.10 on, with an initial RAM disk and devtmpfs;
#                                    ROOT: Debian's libcmocka-dev, libcmocka0 and busybox-static for arm64, unpacked
set -eu
cd "$(dirname "$0")/.."

cc=aarch64-linux-gnu-gcc
command -v $cc >/dev/null && [ -e /usr/aarch64-linux-gnu/include/stdio.h ] ||
	{ echo "skipped: AArch64: $cc or its C library is not installed"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() {
	$cc -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-missing-field-initializers -D_GNU_SOURCE -Iinclude -Isrc -Iport/posix -Iport/posix/aarch64 "$@"
}

for source in port/posix/*.c; do
	compile -c "$source" -o "$work/$(basename "$source" .c).o"
done
[ $# = 2 ] || exit 0

kernel=$1
root=$2
mkdir -p "$work/disk/bin" "$work/disk/lib" "$work/disk/proc" "$work/disk/sys" "$work/disk/dev"
for name in hot fork; do
	# shellcheck disable=SC2046 # none of these names has a blank
	compile -Itests -I"$root/usr/include" $(find src -name '*.c') port/posix/*.c tests/posix/test_$name.c \
		-o "$work/disk/bin/test_$name" -pthread -L"$root/usr/lib/aarch64-linux-gnu" -lcmocka
done
cp "$root/bin/busybox" "$work/disk/bin"
cp -L /usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1 /usr/aarch64-linux-gnu/lib/libc.so.6 \
	"$root/usr/lib/aarch64-linux-gnu/libcmocka.so.0" "$work/disk/lib"
cat >"$work/disk/init" <<'END'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
export LD_LIBRARY_PATH=/lib
/bin/test_hot && /bin/test_fork && echo "AArch64: all passed"
/bin/busybox poweroff -f
END
chmod +x "$work/disk/init"
(cd "$work/disk" && find . | cpio -o -H newc 2>/dev/null | gzip >"$work/disk.gz")
qemu-system-aarch64 -M virt -cpu max -smp 2 -m 4096 -nographic -nic none -no-reboot -kernel "$kernel" -initrd "$work/disk.gz" \
	-append 'console=ttyAMA0 quiet' | tee "$work/log"
grep -q 'AArch64: all passed' "$work/log"
