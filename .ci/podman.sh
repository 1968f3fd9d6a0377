#!/usr/bin/env bash
# Brings what the specs of containers need, as root on Debian: Podman with runc and netavark, flock,
# git. Does nothing where it is there.
set -euo pipefail

missing=()
for program in podman runc flock git; do
  command -v "$program" >/dev/null || missing+=("$program")
done
for file in /usr/lib/podman/netavark /usr/lib/podman/aardvark-dns; do
  [ -x "$file" ] || missing+=("${file##*/}")
done
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    podman runc crun netavark aardvark-dns uidmap slirp4netns fuse-overlayfs util-linux git
fi
podman --version
runc --version | head -n 1
