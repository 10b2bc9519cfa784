#!/bin/sh
# Inside a machine, as root: ROLE NAME ADDRESS SERVER. May be run again.
set -eu
role=$1 name=$2 address=$3 server=$4
export DEBIAN_FRONTEND=noninteractive

needed='nftables iproute2'
[ "$role" = node ] || needed="$needed etcd-server"
missing() {
  for package in $needed; do
    dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' || echo "$package"
  done
}
if [ -n "$(missing)" ] && ls /tmp/debs/*.deb >/dev/null 2>&1; then dpkg -i /tmp/debs/*.deb; fi
# shellcheck disable=SC2046
if [ -n "$(missing)" ]; then
  apt-get update -q
  apt-get install -y -q --no-install-recommends $(missing)
fi
# Debian's etcd would start beside ours.
systemctl disable --now etcd 2>/dev/null || true

dpkg -i /tmp/dhow.deb
if [ "$role" = node ]; then
  systemctl is-active --quiet dhow-agent || dhow join "$server" --token-file /tmp/join-token --timeout 15m
  rm -f /tmp/join-token
else
  dhow init --advertise-address "$address" --timeout 15m
  export KUBECONFIG=/var/lib/dhow/server/admin.kubeconfig
  dhow image import /tmp/busybox.tar.gz --rootfs -t dhow.local/busybox:1
  dhow apply -f /tmp/manifests/
  # `dhow init` has given it to who called it by sudo; here is it for root.
  install -d -m 700 /root/.kube
  [ -e /root/.kube/config ] || ln -s "$KUBECONFIG" /root/.kube/config
fi
echo "$name is up at $address"
