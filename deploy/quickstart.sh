#!/usr/bin/env bash
# From a fresh Debian machine to a cluster of three nodes that runs manifests/: `npm run quickstart`.
# Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/common.sh

CLUSTER=lab
NODES=3
READY_TIMEOUT_S=120

dhow() { ./dhow "$@"; }

main() {
  step 'Debian packages'
  deploy/prerequisites.sh
  ready_build
  step "Cluster $CLUSTER: $NODES nodes, each in a network namespace of its own"
  dhow up --nodes "$NODES" --name "$CLUSTER"
  export KUBECONFIG=/var/lib/dhow/$CLUSTER/server/admin.kubeconfig
  step 'Image dhow.local/busybox:1, made from this machine'\''s busybox'
  import_image
  step 'Manifests'
  dhow apply -f manifests/
  step 'Waiting for the pods'
  wait_for_pods
  show
}

import_image() {
  local archive
  archive=$(mktemp --suffix=.tar.gz)
  deploy/make-image.sh "$archive"
  dhow image import "$archive" --rootfs -t dhow.local/busybox:1
  rm -f "$archive"
}

wait_for_pods() {
  local deadline=$((SECONDS + READY_TIMEOUT_S)) waiting
  while :; do
    waiting=$(unready_pods)
    [ -n "$waiting" ] || break
    if [ "$SECONDS" -ge "$deadline" ]; then
      printf 'not ready after %s s:\n%s\n' "$READY_TIMEOUT_S" "$waiting" >&2
      while read -r namespace pod _; do
        dhow describe pod "$pod" -n "$namespace" >&2
      done <<<"$waiting"
      exit 1
    fi
    sleep 0.5
  done
  echo "all pods are ready"
}

# Lines of NAMESPACE NAME for pods that are neither ready nor done.
unready_pods() {
  dhow get pods -A --no-headers | awk '
    { split($3, ready, "/") }
    $4 != "Completed" && !($4 == "Running" && ready[1] == ready[2]) { print $1, $2, $4 }'
}

# By what is there for certain: a bare Debian has neither curl nor wget.
fetch() {
  node -e '
    fetch(process.argv[1], { signal: AbortSignal.timeout(10000) })
      .then((answer) => answer.text())
      .then((text) => process.stdout.write(text))' "$1"
}

show() {
  step 'Nodes'
  dhow get nodes -o wide
  step 'Pods'
  dhow get pods -A -o wide
  step 'The log of pod hello'
  dhow logs hello
  local client server_ip
  client=$(dhow get pods -l app=web -o name | head -n 1)
  # A server on another node than the client, if there is one.
  server_ip=$(dhow get pods -l app=web -o wide --no-headers |
    awk -v client="${client#pod/}" '
      $1 == client { node = $7 } { ip[$1] = $6; at[$1] = $7 }
      END { for (p in ip) if (p != client && (best == "" || at[p] != node)) best = ip[p]; print best }')
  step "HTTP from $client to a pod of another node: http://$server_ip:8080/"
  # Debian's busybox crashes on wget -T, so the time is bounded from outside.
  dhow exec "$client" -- timeout 10 wget -q -O - "http://$server_ip:8080/"
  step "HTTP from $client to the Service echo, by its name"
  dhow exec "$client" -- timeout 10 wget -q -O - http://echo/
  local node_ip
  node_ip=$(dhow get nodes -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
  step "HTTP from this machine to the same, by a port of a node: http://$node_ip:30080/"
  fetch "http://$node_ip:30080/"
  step "Why $client runs where it does"
  dhow why "$client"
  cat <<END

Go on:      export KUBECONFIG=$KUBECONFIG
            ./dhow get pods -w          ./dhow why pod/picky        ./dhow decisions -w
            ./dhow logs -f clock -c server                          ./dhow exec -it hello -- sh
kubectl:    kubectl get pods            with the same KUBECONFIG
Tear down:  ./dhow down --name $CLUSTER
END
}

main "$@"
