import { DOCKER_HUB, type ImageReference } from './reference';

/** One place that may hold an image, spoken to by the OCI distribution protocol. */
export interface RegistryEndpoint {
  /** Scheme, host and port, without `/v2`: `https://10.0.0.1:6443`. */
  readonly baseUrl: string;
  readonly tls?: RegistryTls;
  /** Sent as the Authorization header; for a cluster's own registry. */
  readonly authorization?: string;
  /**
   * True for a registry that serves images of others. It is asked with `?ns=<registry>`, and
   * credentials meant for the image's own registry are never sent to it.
   */
  readonly isMirror?: boolean;
}

/** PEM texts. */
export interface RegistryTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name to verify instead of the host of `baseUrl`. */
  readonly serverName?: string;
}

/** Where to look for an image, in order. A `not found` or a failure moves on to the next. */
export type EndpointsFor = (reference: ImageReference) => readonly RegistryEndpoint[];

/**
 * The image's own registry: https, or http for loopback and the `insecureRegistries` named by the
 * operator (`host` or `host:port`).
 */
export const ownEndpoint = (
  { registry }: ImageReference,
  insecureRegistries: readonly string[] = [],
): RegistryEndpoint => {
  if (registry === DOCKER_HUB) return { baseUrl: 'https://registry-1.docker.io' };
  const host = registry.replace(/:[0-9]+$/, '');
  const isInsecure =
    LOOPBACK_HOSTS.has(host) ||
    insecureRegistries.includes(registry) ||
    insecureRegistries.includes(host);
  return { baseUrl: `${isInsecure ? 'http' : 'https'}://${registry}` };
};

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);
