import { kindOf, kinds, warningsFor } from '../scheme';

it('finds events by what they are about and who tells', () => {
  const about = {
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: 'default',
    name: 'web',
    uid: 'u',
    resourceVersion: '7',
    fieldPath: 'spec.containers{c}',
  };
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'default' },
    involvedObject: about,
    reason: 'Pulled',
    reportingComponent: 'agent',
    source: { component: 'node-1' },
    type: 'Normal',
  };
  const fields = Object.entries(kindOf({ group: '', kind: 'Event' })?.fields ?? {});
  expect(Object.fromEntries(fields.map(([name, valueOf]) => [name, valueOf(event)]))).toEqual({
    ...Object.fromEntries(
      Object.entries(about).map(([name, value]) => [`involvedObject.${name}`, value]),
    ),
    reason: 'Pulled',
    reportingComponent: 'agent',
    source: 'node-1',
    type: 'Normal',
  });
});

const CLAIMS = [{ name: 'c', resourceClaimName: 'c' }];

it.each([
  ['Node', { spec: { externalID: 'x', taints: [{ key: 'node.kubernetes.io/out-of-service' }] } }],
  ['Secret', { type: 'kubernetes.io/service-account-token' }],
  ['Lease', { spec: { strategy: 'x' } }],
  ['Pod', { spec: { resourceClaims: CLAIMS, containers: [] } }],
  ['Deployment', { spec: { template: { spec: { resourceClaims: CLAIMS } } } }],
])(
  'says of a %s what has no effect, and nothing of its namesake in another group',
  (kind, body) => {
    const { group, version } = kinds().find((each) => each.resource.kind === kind)!.resource;
    const own = { apiVersion: group === '' ? version : `${group}/${version}`, kind };
    const metadata = { name: 'x' };
    expect(warningsFor({ ...own, metadata, ...body })).not.toEqual([]);
    expect(warningsFor({ ...own, apiVersion: 'example.com/v1', metadata, ...body })).toEqual([]);
  },
);
