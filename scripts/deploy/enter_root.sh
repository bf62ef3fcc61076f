#!/bin/sh
# Runs a command inside a folder as if that were the whole machine, but for the network. For root, and only inside a
# mount namespace of its own: what is mounted here goes with it.
#
#   unshare --mount --pid --fork scripts/deploy/enter_root.sh ROOT rw|ro UID:GID DIRECTORY CACHE|- env-arguments...
#
# ro: the root cannot be written, as an engine's --read-only --tmpfs /tmp does it. CACHE is shown as uv's, "-" for none.
set -eu
root=$1 mode=$2 user=$3 directory=$4 cache=$5
shift 5

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
# An engine gives both to every container: how names are found, and (in a build, from its proxy) whom to trust.
[ ! -f "$root/etc/resolv.conf" ] || mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
[ "$mode" = ro ] || mount --bind /etc/ssl/certs "$root/etc/ssl/certs"
[ "$cache" = - ] || mount --bind "$cache" "$root/root/.cache/uv"
[ "$mode" = rw ] || mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" "$root" /usr/bin/env --ignore-environment --chdir="$directory" "$@"
