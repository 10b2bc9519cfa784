/** Addresses and routes of the sandboxes on one host, by rtnetlink. */
export interface PodNetwork extends AsyncDisposable {
  /**
   * Gives the sandbox an address of this node's range, an `eth0` and a default route. Idempotent by
   * `sandboxId`: after a restart the same address comes back, read from what exists.
   */
  attach(request: AttachRequest, signal?: AbortSignal): Promise<Attachment>;
  /** Call after the namespace is unpinned. Frees the address after a while. Idempotent. */
  detach(sandboxId: string): Promise<void>;
  /**
   * Makes the routes to the other nodes' ranges be exactly these, and puts back routes and firewall
   * rules that others have taken away: call it now and then.
   */
  syncPeers(peers: readonly NetworkPeer[]): Promise<void>;
  attachments(): readonly Attachment[];
}

export interface AttachRequest {
  readonly sandboxId: string;
  readonly netnsPath: string;
}

export interface Attachment {
  readonly sandboxId: string;
  readonly ip: string;
  readonly hostInterface: string;
}

/** Another node: packets for `podCidr` go to `address`. */
export interface NetworkPeer {
  readonly nodeName: string;
  readonly address: string;
  readonly podCidr: string;
  /** NotReady: answer at once rather than let packets vanish. */
  readonly isUnreachable: boolean;
}
