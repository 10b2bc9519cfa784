import type { Pod } from '../../api/types';
import type { DescribeWriter } from './writer';

type Volume = NonNullable<Pod['spec']['volumes']>[number];
type Field = readonly [name: string, value: string | number | boolean | undefined];

/** A pod's volumes, each with what it is and where its content comes from, as kubectl puts it. */
export const describeVolumes = (writer: DescribeWriter, { spec }: Pod): void => {
  const { volumes = [] } = spec;
  if (volumes.length === 0) {
    writer.field(0, 'Volumes', '<none>');
    return;
  }
  writer.heading(0, 'Volumes');
  for (const volume of volumes) {
    writer.heading(1, volume.name);
    for (const [name, value] of fieldsOf(volume)) writer.field(2, name, value);
  }
};

const fieldsOf = (volume: Volume): readonly Field[] => {
  const { emptyDir, hostPath, configMap, secret, downwardAPI, projected } = volume;
  const { persistentVolumeClaim: claim, nfs } = volume;
  if (emptyDir !== undefined)
    return [
      ['Type', "EmptyDir (a temporary directory that shares a pod's lifetime)"],
      ['Medium', emptyDir.medium],
      ['SizeLimit', emptyDir.sizeLimit ?? '<unset>'],
    ];
  if (hostPath !== undefined)
    return [
      ['Type', 'HostPath (bare host directory volume)'],
      ['Path', hostPath.path],
      ['HostPathType', hostPath.type],
    ];
  if (claim !== undefined)
    return [
      [
        'Type',
        'PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)',
      ],
      ['ClaimName', claim.claimName],
      ['ReadOnly', claim.readOnly ?? false],
    ];
  if (nfs !== undefined)
    return [
      ['Type', 'NFS (an NFS mount that lasts the lifetime of a pod)'],
      ['Server', nfs.server],
      ['Path', nfs.path],
      ['ReadOnly', nfs.readOnly ?? false],
    ];
  if (configMap !== undefined)
    return [
      ['Type', 'ConfigMap (a volume populated by a ConfigMap)'],
      ['Name', configMap.name],
      ['Optional', configMap.optional ?? false],
    ];
  if (secret !== undefined)
    return [
      ['Type', 'Secret (a volume populated by a Secret)'],
      ['SecretName', secret.secretName],
      ['Optional', secret.optional ?? false],
    ];
  if (downwardAPI !== undefined)
    return [['Type', 'DownwardAPI (a volume populated by information about the pod)']];
  if (projected !== undefined)
    return [
      ['Type', 'Projected (a volume that contains injected data from multiple sources)'],
      ...(projected.sources ?? []).flatMap(sourceFields),
    ];
  const type = Object.keys(volume).find((key) => key !== 'name');
  return [['Type', type ?? '<unknown>']];
};

type Source = NonNullable<NonNullable<Volume['projected']>['sources']>[number];

const sourceFields = (source: Source): readonly Field[] => {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap !== undefined)
    return [
      ['ConfigMapName', configMap.name],
      ['Optional', configMap.optional ?? false],
    ];
  if (secret !== undefined)
    return [
      ['SecretName', secret.name],
      ['Optional', secret.optional ?? false],
    ];
  if (downwardAPI !== undefined) return [['DownwardAPI', true]];
  if (serviceAccountToken !== undefined)
    return [['TokenExpirationSeconds', serviceAccountToken.expirationSeconds ?? 3600]];
  return [];
};
