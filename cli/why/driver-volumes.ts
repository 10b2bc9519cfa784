import { hasReason } from '../../api/errors';
import {
  CSI_DRIVERS,
  CSI_NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  VOLUME_ATTACHMENTS,
  type Resource,
} from '../../api/resources';
import type { ApiObject, Pod } from '../../api/types';
import { attachmentNameOf, claimNameOf, isBoundPair } from '../../api/volumes';
import type { RestClient } from '../../client/rest-client';
import type { DriverVolume, Found } from './volume-waits';

/** The volumes of a placed pod that drivers provide, with what is known of each. */
export const driverVolumesOf = async (
  client: Pick<RestClient, 'get'>,
  pod: Pod,
  signal: AbortSignal,
): Promise<readonly DriverVolume[]> => {
  const found = <T extends ApiObject>(resource: Resource<T>, name: string, namespace = '') =>
    lookFor(client.get(resource, { namespace, name }, signal));
  const { nodeName = '', volumes = [] } = pod.spec;
  const all = volumes
    .slice(0, VOLUMES_READ_MAX)
    .map(async (each): Promise<readonly DriverVolume[]> => {
      const { name, csi: inline } = each;
      if (inline !== undefined)
        return [
          {
            name,
            driverName: inline.driver,
            ...named('csiNode', await found(CSI_NODES, nodeName)),
          },
        ];
      const claimName = claimNameOf(pod, each);
      if (claimName === undefined) return [];
      const claim = (await found(PERSISTENT_VOLUME_CLAIMS, claimName, pod.metadata.namespace))
        ?.value;
      const volumeName = claim?.spec?.volumeName ?? '';
      if (claim === undefined || volumeName === '') return [];
      const volume = (await found(PERSISTENT_VOLUMES, volumeName))?.value;
      const source = volume?.spec?.csi;
      if (volume === undefined || source === undefined || !isBoundPair(volume, claim)) return [];
      const attachmentName = attachmentNameOf(source.volumeHandle, source.driver, nodeName);
      const [object, csiNode, attachment] = await Promise.all([
        found(CSI_DRIVERS, source.driver),
        found(CSI_NODES, nodeName),
        found(VOLUME_ATTACHMENTS, attachmentName),
      ]);
      return [
        {
          ...{ name, driverName: source.driver, volume },
          ...named('object', object),
          ...named('csiNode', csiNode),
          ...named('attachment', attachment),
        },
      ];
    });
  return (await Promise.all(all)).flat();
};

/** Undefined for who may not ask. */
const lookFor = async <T>(asked: Promise<T>): Promise<Found<T> | undefined> => {
  try {
    return { value: await asked };
  } catch (error) {
    if (hasReason(error, 'NotFound')) return { value: undefined };
    if (hasReason(error, 'Forbidden')) return undefined;
    throw error;
  }
};

const named = <K extends string, T>(key: K, value: T | undefined): Partial<Record<K, T>> =>
  value === undefined ? {} : ({ [key]: value } as Record<K, T>);

/** A pod with more says enough by these. */
const VOLUMES_READ_MAX = 16;
