#!/usr/bin/env bash
# Makes the tar of a small root file system from Debian's static busybox: deploy/make-image.sh FILE
# It needs no network. Import it with: dhow image import FILE --rootfs -t NAME:TAG
set -euo pipefail

busybox=/bin/busybox
[ -x "$busybox" ] || { echo "busybox is missing: apt-get install -y busybox-static" >&2; exit 1; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{bin,etc,home,root,tmp,var}
chmod 755 "$root"
chmod 1777 "$root/tmp"
chmod 700 "$root/root"
cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
  [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
# What looks up names is no part of a static program: the C library loads it, from files of its own version.
libc=$(ldd /bin/sh | awk '/libc\.so/ { print $3 }')
loader=$(ldd /bin/sh | awk '/ld-linux/ { print $1 }')
for file in "$libc" "$loader" "$(dirname "$libc")"/lib{nss_dns,nss_files,resolv}.so.2; do
  [ -e "$file" ] && install -D -m 755 "$(realpath "$file")" "$root$file"
done
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
# Sorted and undated, so that the same busybox gives the same image.
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$root" -czf "$1" .
