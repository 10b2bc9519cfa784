# shellcheck shell=bash
# Sourced by the scripts beside it, from the project's root.

step() { printf '\n==> %s\n' "$*"; }
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

NPM_TIMEOUT_S=1200

# Dependencies and bundles, each only when it is missing or older than what it is made from.
ready_build() {
  if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    step 'Installing Node dependencies (npm ci): 350 MB, a minute or two'
    timeout "$NPM_TIMEOUT_S" npm ci --no-audit --no-fund --loglevel=error ||
      fail 'npm ci failed or hung; what it said is above (is there a network?). Try again with: npm ci'
  fi
  step 'Building (npm run build)'
  npm run --silent build || fail 'the build failed; run it again with: npm run build'
}
