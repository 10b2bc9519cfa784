import { bytesOf } from '../../api/quantity';
import type { Pod } from '../../api/types';
import { VolumeUsage_Unit as Unit, type VolumeUsage } from '../../proto/gen/csi/v1/node';
import type { CsiVolume } from '../volumes/csi-volume';
import type { VolumeFigures } from '../volumes/volume-figures';
import { Capability } from './csi-driver';
import type { CsiVolumes } from './csi-volumes';
import { capabilityOf, secretsFor, type RequestSource } from './requests';

/** What drivers can be asked about volumes that pods have mounted. Idempotent. */
export class MountedVolumes {
  constructor(
    private readonly volumes: Pick<CsiVolumes, 'withMounted'>,
    private readonly source: Pick<RequestSource, 'objects'>,
  ) {}

  /** Has it grown? It may be that the driver needs not be asked, or that it is not mounted yet. */
  async grow(pod: Pod, volume: CsiVolume, storage: string, signal: AbortSignal): Promise<boolean> {
    const grown = await this.volumes.withMounted(
      { pod, volume },
      async ({ driver, ...place }) => {
        const can = await driver.capabilities(signal);
        if (!can.has(Capability.EXPAND_VOLUME)) return false;
        const groupId = pod.spec.securityContext?.fsGroup;
        await driver.expand(
          {
            ...place,
            capacityRange: { requiredBytes: BigInt(bytesOf(storage)), limitBytes: 0n },
            volumeCapability: capabilityOf(volume, can, groupId),
            secrets: secretsFor('NodeExpand', volume, { ...this.source, pod }),
          },
          signal,
        );
        return true;
      },
      signal,
    );
    return grown === true;
  }

  /** Undefined where it is not mounted, or its driver counts nothing. */
  figures(pod: Pod, volume: CsiVolume, signal: AbortSignal): Promise<VolumeFigures | undefined> {
    return this.volumes.withMounted(
      { pod, volume },
      async ({ driver, ...place }) => {
        const can = await driver.capabilities(signal);
        if (!can.has(Capability.GET_VOLUME_STATS)) return undefined;
        const { usage, volumeCondition } = await driver.stats(place, signal);
        const figures = figuresOf(usage);
        if (!can.has(Capability.VOLUME_CONDITION) || volumeCondition === undefined) return figures;
        const { abnormal, message } = volumeCondition;
        return { ...figures, condition: { abnormal, message: message.slice(0, MESSAGE_MAX) } };
      },
      signal,
    );
  }
}

/** Source: pkg/volume/csi, NodeGetVolumeStats */
const figuresOf = (usage: readonly VolumeUsage[]): VolumeFigures => {
  const bytes = usage.find(({ unit }) => unit === Unit.BYTES);
  const inodes = usage.find(({ unit }) => unit === Unit.INODES);
  return {
    ...(bytes === undefined
      ? {}
      : {
          availableBytes: Number(bytes.available),
          capacityBytes: Number(bytes.total),
          usedBytes: Number(bytes.used),
        }),
    ...(inodes === undefined
      ? {}
      : {
          inodesFree: Number(inodes.available),
          inodes: Number(inodes.total),
          inodesUsed: Number(inodes.used),
        }),
  };
};

/** It goes into an event: of these, a thousand are kept while the server is away. */
const MESSAGE_MAX = 1024;
