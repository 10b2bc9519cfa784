#!/usr/bin/env bash
# The lab of deploy/vagrant for real, by libvirt, where there is no KVM too: npm run test:vagrant [-- MACHINE...]
# As root, with vagrant, vagrant-libvirt, libvirt-daemon-system, libvirt-clients, dnsmasq-base, qemu-system-x86,
# qemu-utils and debootstrap. Machines: server and node-1 unless told. It runs in namespaces of its own, without a
# network but that of the machines: what it starts ends with it. DHOW_VAGRANT_DIR keeps the box (some 350 MB).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export DHOW_VAGRANT_DIR=${DHOW_VAGRANT_DIR:-/var/tmp/dhow-vagrant}

step() { printf '==> %s (%d s)\n' "$*" "$SECONDS"; }

if [ "${1:-}" != --inside ]; then
  [ "$(id -u)" = 0 ] || { echo 'needs root' >&2; exit 1; }
  mkdir -p "$DHOW_VAGRANT_DIR"
  step 'box'
  [ -e "$DHOW_VAGRANT_DIR/dhow-test.box" ] || "$here/make-box.sh"
  step 'package'
  "$root/deploy/vagrant/make-package.sh"
  # The machines have no network: what Debian has is in the box.
  status=0
  unshare --net --mount --pid --fork --kill-child=KILL --mount-proc --propagation private \
    "$here/run.sh" --inside "$@" || status=$?
  rm -rf "$DHOW_VAGRANT_DIR/run"
  exit "$status"
fi
shift
machines=("$@")
[ ${#machines[@]} -gt 0 ] || machines=(server node-1)

# --- libvirt, without systemd and cgroups, in folders of this run
work=$DHOW_VAGRANT_DIR/run
rm -rf "$work"
mkdir -p "$work"/{pool,lib,log,home,dotfile} /run/libvirt /var/log/libvirt
cp -a /etc/libvirt "$work/etc"
# Neither networks nor machines of this host are to be started here, nor ours to be known there.
rm -rf "$work"/etc/{qemu,storage}
mkdir -p "$work"/etc/{qemu/networks,storage}
ip link set lo up
mount -t tmpfs tmpfs /run/libvirt
mount -t tmpfs tmpfs /sys/fs/cgroup
mount --bind "$work/lib" /var/lib/libvirt
mkdir -p /var/lib/libvirt/{qemu,dnsmasq,images,network,boot}
cat >"$work/etc/qemu.conf" <<'C'
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
C
mount --bind "$work/etc" /etc/libvirt
mount --bind "$work/log" /var/log/libvirt
libvirtd --pid-file "$work/libvirtd.pid" >"$work/libvirtd.log" 2>&1 &
virsh() { command virsh -c qemu:///system "$@"; }
for _ in $(seq 300); do virsh version >/dev/null 2>&1 && break; sleep 0.2; done
virsh version >/dev/null || { cat "$work/libvirtd.log" >&2; exit 1; }
virsh pool-define-as dhow dir --target "$work/pool" >/dev/null
virsh pool-start dhow >/dev/null

# --- vagrant
export VAGRANT_HOME=$work/home VAGRANT_DOTFILE_PATH=$work/dotfile VAGRANT_DEFAULT_PROVIDER=libvirt
export DHOW_BOX=dhow-test DHOW_VM_DRIVER=qemu DHOW_VM_POOL=dhow
v() { vagrant "$@" --no-color 2>&1 | tr '\r' '\n' | grep -v Progress; }
on() { vagrant ssh "$1" --no-color -c "sudo $2" 2>/dev/null; }
until_said() { # SECONDS PATTERN MACHINE COMMAND
  local end=$((SECONDS + $1)) said=
  while ! said=$(on "$3" "$4") || ! grep -Eq "$2" <<<"$said"; do
    [ "$SECONDS" -lt "$end" ] || { printf '%s never said %s; last:\n%s\n' "$4" "$2" "$said" >&2; return 1; }
    sleep 5
  done
}
finish() {
  local status=$?
  [ "$status" = 0 ] || on server 'journalctl --no-pager -n 60 -u dhow-server -u dhow-agent' >&2 || true
  v destroy -f >/dev/null || true
  exit "$status"
}
trap finish EXIT

cd "$root/deploy/vagrant"
vagrant box add --name dhow-test "$DHOW_VAGRANT_DIR/dhow-test.box" >/dev/null
for machine in "${machines[@]}"; do
  step "vagrant up $machine"
  v up "$machine"
done
for machine in "${machines[@]:1}"; do
  step "$machine is Ready"
  until_said 300 "^$machine +Ready" server 'dhow get nodes'
done
step 'a pod runs'
until_said 300 '^hello +1/1 +Running' server 'dhow get pods'
on server 'dhow get nodes -o wide'
node=${machines[-1]}
step "vagrant halt and up: $node"
v halt "$node"
until_said 300 "^$node +NotReady" server 'dhow get nodes'
v up "$node"
until_said 300 "^$node +Ready" server 'dhow get nodes'
step "vagrant destroy $node: its pods are no longer there"
v destroy -f "$node"
until_said 300 "^$node +NotReady" server 'dhow get nodes'
step 'done'
