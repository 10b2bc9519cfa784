#!/usr/bin/env bash
# A small box of Debian 12 for libvirt, with all of Debian's that the machines need: $DHOW_VAGRANT_DIR/dhow-test.box.
# As root, with debootstrap, loop devices and qemu-utils. DHOW_BARE_BOX names a folder that debootstrap has filled.
set -euo pipefail
[ "${OWN_MOUNTS:-}" = 1 ] || OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
folder=${DHOW_VAGRANT_DIR:?}
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
GIB=4
SECTORS=$((GIB * 2 * 1024 * 1024))
FIRST=2048

packages=linux-image-amd64,systemd-sysv,udev,dbus,openssh-server,sudo,ifupdown,isc-dhcp-client,iproute2,nftables
packages=$packages,grub-pc-bin,grub2-common,ca-certificates,procps,kmod,netbase,initramfs-tools,etcd-server
tree=${DHOW_BARE_BOX:-$folder/tree}
[ -e "$tree/sbin/init" ] || debootstrap --variant=minbase --include=$packages bookworm "$tree"

work=$(mktemp -d "$folder/box.XXXXXX")
loops=()
cleanup() {
  umount -R "$work/mnt" 2>/dev/null || true
  for loop in "${loops[@]}"; do losetup -d "$loop" || true; done
  rm -rf "$work"
}
trap cleanup EXIT

# --- a disk with one partition; no tool of the host's is asked to make it
image=$work/box.raw
truncate -s ${GIB}G "$image"
python3 - "$image" $FIRST $((SECTORS - FIRST)) <<'P'
import struct, sys
with open(sys.argv[1], 'r+b') as disk:
    disk.seek(446)
    disk.write(struct.pack('<BBBBBBBBII', 0x80, 254, 255, 255, 0x83, 254, 255, 255, int(sys.argv[2]), int(sys.argv[3])))
    disk.seek(510)
    disk.write(b'\x55\xaa')
P
whole=$(losetup --show -f "$image") && loops+=("$whole")
part=$(losetup --show -f -o $((FIRST * 512)) "$image") && loops+=("$part")
mkfs.ext4 -q -L root -E lazy_itable_init=1 "$part"
mkdir "$work/mnt"
mount "$part" "$work/mnt"
box=$work/mnt
cp -a "$tree/." "$box/"

# --- what Vagrant expects
echo dhow-test >"$box/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 dhow-test\n' >"$box/etc/hosts"
echo 'LABEL=root / ext4 errors=remount-ro,noatime 0 1' >"$box/etc/fstab"
mkdir -p "$box/etc/network/interfaces.d"
printf '%s\n' 'source-directory /etc/network/interfaces.d' 'auto lo' 'iface lo inet loopback' \
  'auto eth0' 'allow-hotplug eth0' 'iface eth0 inet dhcp' >"$box/etc/network/interfaces"
chroot "$box" id -u vagrant >/dev/null 2>&1 || chroot "$box" useradd -m -s /bin/bash -p '*' vagrant
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$box/etc/sudoers.d/vagrant"
chmod 440 "$box/etc/sudoers.d/vagrant"
install -d -m 700 "$box/home/vagrant/.ssh"
install -m 600 "$(dpkg -L vagrant | grep 'keys/vagrant.pub$')" "$box/home/vagrant/.ssh/authorized_keys"
chroot "$box" chown -R vagrant:vagrant /home/vagrant
printf 'UseDNS no\nGSSAPIAuthentication no\n' >"$box/etc/ssh/sshd_config.d/vagrant.conf"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer etcd.service; do
  ln -sfn /dev/null "$box/etc/systemd/system/$unit"
done
: >"$box/etc/machine-id"
rm -rf "$box"/var/cache/apt/archives/*.deb "$box"/var/lib/apt/lists/*

# --- what it starts with
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=gzip/' "$box/etc/initramfs-tools/initramfs.conf"
printf '%s\n' virtio_pci virtio_blk virtio_net ext4 crc32c_generic >"$box/etc/initramfs-tools/modules"
for each in proc sys dev; do mount --rbind "/$each" "$box/$each"; done
chroot "$box" update-initramfs -u -k all
kernel=$(basename "$box"/lib/modules/*)
mkdir -p "$box/boot/grub/i386-pc"
cat >"$box/boot/grub/grub.cfg" <<G
set timeout=0
insmod part_msdos
insmod ext2
search --no-floppy --label root --set=root
linux /boot/vmlinuz-$kernel root=LABEL=root ro console=ttyS0 net.ifnames=0 mitigations=off nokaslr quiet audit=0
initrd /boot/initrd.img-$kernel
boot
G
# grub-install cannot map loop devices with an offset: its two files are written by hand.
chroot "$box" grub-mkimage -O i386-pc -o /boot/grub/core.img -p '(hd0,msdos1)/boot/grub' \
  biosdisk part_msdos ext2 search search_label normal linux configfile echo ls
cp "$box/boot/grub/core.img" "$box/usr/lib/grub/i386-pc/boot.img" "$work/"
cp "$box"/usr/lib/grub/i386-pc/*.{mod,lst} "$box/boot/grub/i386-pc/"
umount -R "$box/proc" "$box/sys" "$box/dev"
python3 - "$image" "$work" <<'P'
import struct, sys
image, work = sys.argv[1:]
boot = bytearray(open(work + '/boot.img', 'rb').read()[:440])
core = bytearray(open(work + '/core.img', 'rb').read())
struct.pack_into('<Q', boot, 0x5C, 1)
boot[0x64] = 0xFF  # the drive that the BIOS names
sectors = (len(core) + 511) // 512
assert sectors < 2047
struct.pack_into('<QHH', core, 512 - 12, 2, sectors - 1, 0x820)
with open(image, 'r+b') as disk:
    disk.write(boot)
    disk.seek(512)
    disk.write(core)
P
umount "$box"
qemu-img convert -c -O qcow2 "$image" "$work/box.img"
printf '{"provider":"libvirt","format":"qcow2","virtual_size":%d}\n' $GIB >"$work/metadata.json"
printf 'Vagrant.configure("2") do |config|\n  config.ssh.insert_key = false\nend\n' >"$work/Vagrantfile"
tar -C "$work" -cf "$folder/dhow-test.box.new" metadata.json Vagrantfile box.img
mv "$folder/dhow-test.box.new" "$folder/dhow-test.box"
