import { ownEndpoint, type EndpointsFor, type RegistryTls } from '../../runtime/images';
import type { AgentConfig } from '../config';

/**
 * The cluster's own registry first: it works without a way to the world. Images of `dhow.local` are
 * its alone, and nobody else is asked for them. `tls` is called for each image: certificates renew.
 */
export const endpointsOf =
  (
    {
      registryEndpoints,
      insecureRegistries,
    }: Pick<AgentConfig, 'registryEndpoints' | 'insecureRegistries'>,
    tls: () => RegistryTls,
  ): EndpointsFor =>
  (reference) => {
    const cluster = registryEndpoints.map((baseUrl) => ({ baseUrl, tls: tls(), isMirror: true }));
    if (reference.registry === CLUSTER_REGISTRY && cluster.length > 0) return cluster;
    return [...cluster, ownEndpoint(reference, insecureRegistries)];
  };

const CLUSTER_REGISTRY = 'dhow.local';
