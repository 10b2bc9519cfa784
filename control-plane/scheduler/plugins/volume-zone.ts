import { keyOf, type PersistentVolume } from '../../../api/types';
import type { NodeView } from '../node-info';
import { COST, nodeRemedy, type FilterPlugin } from './plugin';

/** Keeps pods in the zones and regions that the labels of their volumes name. */
export const volumeZone: FilterPlugin = {
  name: 'VolumeZone',
  scope: 'static',
  wakeOn: ['NodeLabelsChanged', 'ClaimChanged', 'VolumeChanged', 'StorageClassChanged'],

  prepare({ volumes }) {
    const places = (volumes?.bound ?? []).flatMap(({ claim, volume }) =>
      volume === undefined ? [] : placesOf(volume, keyOf(claim)),
    );
    if (places.length === 0) return undefined;
    const missedBy = (node: NodeView): readonly Place[] =>
      KEYS.some((key) => Object.hasOwn(node.labels, key))
        ? places.filter((place) => !isIn(node, place))
        : [];
    return {
      refuse: (node) => (missedBy(node).length === 0 ? undefined : REFUSAL),

      explain: (node) =>
        missedBy(node).map(({ volumeName, claim, key, values }) => ({
          reason: REASON,
          detail: `volume ${volumeName} of claim ${claim} is where ${key} is ${values.join(' or ')}, ${isAt(node, key)}`,
        })),

      // A label says where a machine is: it is worth changing only where it is missing.
      remedies: (node) =>
        missedBy(node)
          .filter(({ key }) => valueOn(node, key) === undefined)
          .map(({ key, values: [value = ''] }) =>
            nodeRemedy(`label ${node.name} ${key}=${value}`, COST.label, (each) => ({
              ...each,
              metadata: {
                ...each.metadata,
                labels: { ...each.metadata.labels, [key]: value },
              },
            })),
          ),
    };
  },
};

interface Place {
  readonly volumeName: string;
  readonly claim: string;
  readonly key: string;
  readonly values: readonly string[];
}

const placesOf = ({ metadata }: PersistentVolume, claim: string): readonly Place[] =>
  KEYS.flatMap((key) => {
    const values = zonesIn(metadata.labels?.[key]);
    return values === undefined ? [] : [{ volumeName: metadata.name, claim, key, values }];
  });

/** Several are joined by `__`; a label that cannot be read says nothing, as upstream. */
const zonesIn = (label: string | undefined): readonly string[] | undefined => {
  const zones = label?.split('__').map((zone) => zone.trim());
  return zones?.every((zone) => zone !== '') === true ? zones : undefined;
};

const isIn = (node: NodeView, { key, values }: Place): boolean => {
  const value = valueOn(node, key);
  return value !== undefined && values.includes(value);
};

/** By the label's older name, or by the one that it has today. */
const valueOn = ({ labels }: NodeView, key: string): string | undefined =>
  [key, TODAY[key] ?? key].flatMap((each) =>
    Object.hasOwn(labels, each) ? [labels[each] ?? ''] : [],
  )[0];

const isAt = (node: NodeView, key: string): string => {
  const value = valueOn(node, key);
  return value === undefined ? 'the node does not say' : `the node's is ${value}`;
};

const ZONE = 'topology.kubernetes.io/zone';
const REGION = 'topology.kubernetes.io/region';
const TODAY: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': ZONE,
  'failure-domain.beta.kubernetes.io/region': REGION,
};
const KEYS = [...Object.keys(TODAY), ZONE, REGION];

/** Upstream's words (pkg/scheduler/framework/plugins/volumezone). */
const REASON = 'node(s) had no available volume zone';
const REFUSAL = { reasons: [REASON], isPodBound: false } as const;
