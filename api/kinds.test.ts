import { kindOf } from './scheme';

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
