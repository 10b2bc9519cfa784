import { all, kept, shown, warned, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

/** Kinds that nothing acts on yet: all of their specs is warned of. */
export const DECLARED_EFFECTS: Effects = {
  Service: {
    ...OBJECT,
    spec: warned({ ports: [{ port: 80 }] }, { type: 'ExternalName', externalName: 'a.example' }),
    status: STATUS,
  },
  Endpoints: {
    ...OBJECT,
    subsets: warned([{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }]),
  },
  EndpointSlice: {
    ...OBJECT,
    addressType: shown(
      'control-plane/api-server/kinds/endpoints.test.ts: holds addresses to their type',
    ),
    endpoints: warned([{ addresses: ['192.0.2.1'] }]),
    ports: kept('where the endpoints are reached, by who reads them'),
  },
  Ingress: {
    ...OBJECT,
    spec: warned({ defaultBackend: { service: { name: 'web', port: { number: 80 } } } }),
    status: STATUS,
  },
  IngressClass: {
    ...OBJECT,
    spec: warned({ controller: 'example.com/ingress' }),
  },
  NetworkPolicy: {
    ...OBJECT,
    spec: kept('no traffic is held back by it yet: the author of each policy is warned'),
  },
  StorageClass: {
    ...OBJECT,
    metadata: shown(
      'control-plane/api-server/admission/default-storage-class.test.ts: gives a claim without a class',
    ),
    provisioner: warned('example.com/disk'),
    ...all(
      [
        'allowVolumeExpansion',
        'allowedTopologies',
        'mountOptions',
        'parameters',
        'reclaimPolicy',
        'volumeBindingMode',
      ],
      kept('for the provisioner, which there is none of yet: that is warned of'),
    ),
  },
  PersistentVolume: {
    ...OBJECT,
    spec: warned({
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: '/tmp' },
    }),
    status: STATUS,
  },
  PersistentVolumeClaim: {
    ...OBJECT,
    spec: warned({
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
    }),
    status: STATUS,
  },
};
