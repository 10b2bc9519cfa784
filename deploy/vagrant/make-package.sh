#!/bin/sh
# Makes what the machines are given, once: the package, an image, and a place for packages of Debian. It is called
# for each machine; `rm -r dist/vagrant` has all made anew.
set -eu
cd "$(dirname "$0")/../.."
made=dist/vagrant
mkdir -p "$made/debs"
# Machines may come up at once.
exec 9>"$made/lock"
flock 9
# scp has no empty folders.
[ -e "$made/debs/README" ] || echo 'Packages of Debian that machines install before they ask a mirror.' >"$made/debs/README"
[ -e "$made/join-token" ] || (umask 077 && : >"$made/join-token")
[ -e "$made/busybox.tar.gz" ] || deploy/make-image.sh "$made/busybox.tar.gz"
ls "$made"/dhow_*.deb >/dev/null 2>&1 && exit 0
[ -e node_modules/.package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error
npm run --silent package -- --out "$made"
