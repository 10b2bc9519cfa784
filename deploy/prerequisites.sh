#!/usr/bin/env bash
# Brings what Dhow needs from Debian: deploy/prerequisites.sh [--tests]
# Quick and silent when everything is there; safe to run again. With --tests, also what tests compare with.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/common.sh

NODE_MIN='20.10.0'
NODE_SETUP='apt-get install -y ca-certificates curl && curl -fsSL https://deb.nodesource.com/setup_20.x | bash - && apt-get install -y nodejs'

RUN_PACKAGES=(
  etcd-server    # the store; run by the server itself, never as Debian's service
  busybox-static # the quickstart's images are made from it
  musl-tools     # the launcher is a static program
  gcc make linux-libc-dev
  iproute2 nftables # local clusters' networks
  util-linux procps
)
TEST_PACKAGES=(
  crun runsc # handlers of RuntimeClasses, beside runc
  etcd-client runc conmon containernetworking-plugins # peers that benches and tests compare with
  skopeo umoci docker-registry                        # images made and served by others
  libseccomp-dev libc6-dev                            # oracle of the seccomp compiler
  jq unzip openssl curl zstd
)
# Installing a package must not leave its daemon on: Dhow runs its own.
declare -A SERVICES=([etcd-server]=etcd [docker-registry]=docker-registry)

main() {
  check_machine
  check_node
  local packages=("${RUN_PACKAGES[@]}") missing=() package
  if [ "${1:-}" = --tests ]; then packages+=("${TEST_PACKAGES[@]}"); fi
  for package in "${packages[@]}"; do is_installed "$package" || missing+=("$package"); done
  if [ "${#missing[@]}" -gt 0 ]; then install_packages "${missing[@]}"; fi
}

check_machine() {
  [ "$(uname -s)" = Linux ] || fail 'Dhow runs on Linux; this machine is not one'
  if ! command -v dpkg >/dev/null || ! command -v apt-get >/dev/null; then
    fail "this is not a Debian machine (no apt-get); install these by its own means: ${RUN_PACKAGES[*]}"
  fi
  [ "$(id -u)" = 0 ] || fail "containers need root; run it again as: sudo $(invocation)"
}

# The command a person typed, as far as npm tells it.
invocation() {
  case "${npm_lifecycle_event:-}" in
    '') printf 'deploy/prerequisites.sh' ;;
    test) printf 'npm test' ;;
    *) printf 'npm run %s' "$npm_lifecycle_event" ;;
  esac
}

check_node() {
  command -v node >/dev/null || fail "Node.js $NODE_MIN or newer is missing; install it with: $NODE_SETUP"
  local version
  version=$(node -p process.versions.node)
  dpkg --compare-versions "$version" ge "$NODE_MIN" ||
    fail "Node.js is $version and must be $NODE_MIN or newer; install it with: $NODE_SETUP"
  command -v npm >/dev/null || fail "npm is missing; it comes with Node.js: $NODE_SETUP"
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

install_packages() {
  step "Installing Debian packages: $*"
  forbid_service_starts
  export DEBIAN_FRONTEND=noninteractive
  patiently apt-get update -q || printf 'apt-get update failed; trying the lists at hand\n' >&2
  patiently apt-get install -y -q --no-install-recommends "$@" </dev/null ||
    fail "packages are missing (is there a network?); install them with:
  apt-get update && apt-get install -y --no-install-recommends $*"
  local package
  for package in "$@"; do
    if [ -n "${SERVICES[$package]:-}" ] && command -v systemctl >/dev/null; then
      systemctl disable "${SERVICES[$package]}" >/dev/null 2>&1 || true
    fi
  done
}

# On a new machine automatic upgrades may hold apt's locks. apt waits for dpkg's by itself; for that of
# the lists it has to be tried again.
patiently() {
  local errors status try
  errors=$(mktemp)
  for try in 1 2 3 4 5 6; do
    status=0
    LC_ALL=C "$@" -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 2>"$errors" || status=$?
    cat "$errors" >&2
    if [ "$status" = 0 ] || ! grep -q 'Could not get lock' "$errors"; then break; fi
    printf 'apt is in use by another program; tried %s of 6 times\n' "$try" >&2
    sleep 10
  done
  rm -f "$errors"
  return "$status"
}

# Debian asks this file before a package may start its daemon; one that is there already stays.
forbid_service_starts() {
  local policy=/usr/sbin/policy-rc.d
  [ ! -e "$policy" ] || return 0
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

main "$@"
