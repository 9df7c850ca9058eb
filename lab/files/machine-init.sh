#!/bin/bash
# The first process of a machine: an overlay of the shared tree and the machine's own disk becomes its root.
# Its environment says which machine it is (lab/machine.py).
set -eu

mount --make-rprivate /
root=$MACHINE_DIR/root
mkdir -p "$root" "$MACHINE_DIR/disk" "$MACHINE_DIR/work"
mount -t overlay overlay -o "lowerdir=$MACHINE_TREE,upperdir=$MACHINE_DIR/disk,workdir=$MACHINE_DIR/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount --rbind /dev "$root/dev"
mkdir -p "$root/mnt" "$root/run/lock"
hostname "$MACHINE_NAME"
cd "$root"
pivot_root . mnt
umount -l /mnt
cd /

# Nothing but waiting, and burying processes whose parents are gone. PATH is the machine's own from here on.
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    bash -c 'touch /run/booted; while :; do sleep 3600 & wait $!; done'
