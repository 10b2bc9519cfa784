import { readFileSync } from 'node:fs';

import { clusterNetworkOf, DEFAULT_CLUSTER_NETWORK } from '../../api/cluster-network';
import { parseTracingConfiguration } from '../../api/tracing-configuration';
import { parseSchedulerConfiguration } from '../../control-plane/scheduler';
import { describeError } from '../../lib/describe-error';
import { NetworkError } from '../../runtime/network/errors';
import { requireWireguard } from '../../runtime/network/wireguard/kernel';
import { UsageError } from '../usage-error';
import { diskBytes } from './node-disk';
import type { ClusterRecord, UpOptions } from './record';

/**
 * Before anything is made: server and agents would refuse it much later.
 * @param known the cluster as it was started before
 * @throws UsageError
 */
export const checkOptions = async (
  options: UpOptions,
  known: ClusterRecord | undefined,
): Promise<void> => {
  checkFixed(options, known);
  if (options.nodeDisk !== undefined) diskBytes(options.nodeDisk);
  checkNetwork(options);
  checkFiles(options, known);
  if ((known ?? options).nodeEncryption === 'wireguard') await checkWireguard();
};

const checkFixed = (options: UpOptions, known: ClusterRecord | undefined): void => {
  for (const [option, field, byDefault] of FIXED_OPTIONS) {
    const given = options[field];
    if (given !== undefined && known !== undefined && (known[field] ?? byDefault) !== given)
      throw new UsageError(
        `cluster ${options.name} has ${option} ${known[field] ?? 'by default'}: it cannot be changed`,
      );
  }
};

const checkNetwork = (options: UpOptions): void => {
  const { clusterCidr, serviceClusterIpRange } = { ...DEFAULT_CLUSTER_NETWORK, ...options };
  try {
    clusterNetworkOf({ ...DEFAULT_CLUSTER_NETWORK, clusterCidr, serviceClusterIpRange });
  } catch (error) {
    throw new UsageError(describeError(error));
  }
};

/** What is wrong with a file is better said now than in the server's log. @throws UsageError */
const checkFiles = (options: UpOptions, known: ClusterRecord | undefined): void => {
  for (const [option, field, parse] of FILE_OPTIONS) {
    const file = options[field];
    if (file === undefined) continue;
    if (known !== undefined && known[field] !== file)
      throw new UsageError(
        `cluster ${options.name} has ${option} ${known[field] ?? 'by default'}: it cannot be changed`,
      );
    try {
      parse(readFileSync(file, 'utf8'));
    } catch (error) {
      throw new UsageError(`${option} ${file}: ${describeError(error)}`);
    }
  }
};

const checkWireguard = async (): Promise<void> => {
  try {
    await requireWireguard();
  } catch (error) {
    throw new UsageError(error instanceof NetworkError ? error.message : describeError(error));
  }
};

/** With what they are in a record that does not say, where that is one value. */
const FIXED_OPTIONS = [
  ['--cluster-cidr', 'clusterCidr', undefined],
  ['--service-cluster-ip-range', 'serviceClusterIpRange', undefined],
  ['--node-encryption', 'nodeEncryption', 'none'],
  ['--node-disk', 'nodeDisk', undefined],
] as const;

const FILE_OPTIONS = [
  ['--scheduler-config', 'schedulerConfig', parseSchedulerConfiguration],
  ['--tracing-config-file', 'tracingConfigFile', parseTracingConfiguration],
] as const;
