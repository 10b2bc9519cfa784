#!/usr/bin/env bash
# Runs every test on a machine that may have nothing but Node: `npm test`. The last line is the count.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/common.sh

deploy/prerequisites.sh --tests
ready_build
exec node scripts/test.mjs "$@" </dev/null
