#!/bin/bash
# The first process of a node: makes the host's file system look like a machine of its own, then runs containerd,
# kubelet and kube-proxy as an init system would. Its environment says which node it is (lab/node.py).
set -eu

# A fresh sysfs shows this node's network interfaces; the cgroup file systems are carried over to it.
mkdir -p "$NODE_DIR/cgroup"
mount --rbind /sys/fs/cgroup "$NODE_DIR/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$NODE_DIR/cgroup" /sys/fs/cgroup
umount -l "$NODE_DIR/cgroup"

resolver=$(readlink -f /etc/resolv.conf || echo /etc/resolv.conf)
mount -t tmpfs tmpfs /run
mkdir -p /run/containerd /run/lock "$(dirname "$resolver")"
touch "$resolver"
mount --bind "$NODE_DIR/resolv.conf" "$resolver"
for folder in /var/lib/kubelet /var/lib/rackrelay /var/log/pods /var/log/containers; do
    mkdir -p "$folder" "$NODE_DIR/disk$folder"
    mount --bind "$NODE_DIR/disk$folder" "$folder"
done

# The kubelet sets these for the whole kernel. It finds the values it wants, and the host keeps its own.
mkdir /run/sysctl
while read -r name value; do
    [ -e "/proc/sys/$name" ] || continue
    echo "$value" >"/run/sysctl/${name//\//.}"
    mount --bind "/run/sysctl/${name//\//.}" "/proc/sys/$name"
done <<VALUES
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
VALUES

mount --make-rshared /
hostname "$NODE_NAME"

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    # Version 2: one tree; every controller is handed down, level by level.
    mkdir -p "/sys/fs/cgroup/$NODE_CGROUP"
    for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || true
        echo "+$controller" >"/sys/fs/cgroup/$NODE_CGROUP/cgroup.subtree_control" || true
    done
else
    for controller in /sys/fs/cgroup/*/; do
        mkdir -p "$controller$NODE_CGROUP"
    done
    for file in cpuset.cpus cpuset.mems; do
        cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$NODE_CGROUP/$file"
    done
fi

keep_running() {
    local log=$1
    shift
    while :; do
        "$@" >>"$NODE_DIR/log/$log.log" 2>&1 || true
        sleep 1
    done
}

keep_running containerd containerd --config "$NODE_DIR/containerd.toml" &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.05; done
# The sandbox image has to be there before the kubelet starts the first pod.
until ctr -n k8s.io images import --digests=false "$PAUSE_IMAGE" >>"$NODE_DIR/log/import.log" 2>&1; do sleep 0.2; done

keep_running kubelet kubelet --config="$NODE_DIR/kubelet.yaml" --kubeconfig="$KUBELET_KUBECONFIG" \
    --hostname-override="$NODE_NAME" --node-ip="$NODE_ADDRESS" --node-labels="$NODE_LABELS" &
keep_running kube-proxy kube-proxy --kubeconfig="$PROXY_KUBECONFIG" --proxy-mode=nftables \
    --hostname-override="$NODE_NAME" --conntrack-max-per-core=0 --cluster-cidr=10.244.0.0/16 \
    --healthz-bind-address="$NODE_ADDRESS:10256" &
wait
