import { bandwidthAnnotations, bandwidthOf } from './bandwidth';

const ingress = (value: string) => bandwidthOf({ 'kubernetes.io/ingress-bandwidth': value });

it('reads what a pod may receive and send', () => {
  expect(bandwidthOf(undefined)).toEqual({});
  const annotations = {
    'kubernetes.io/ingress-bandwidth': '10M',
    'kubernetes.io/egress-bandwidth': '1Ki',
    other: '1',
  };
  expect(bandwidthOf(annotations)).toEqual({
    ingressBitsPerSecond: 10_000_000,
    egressBitsPerSecond: 1024,
  });
  const { other, ...ofBandwidth } = annotations;
  expect(bandwidthAnnotations({ ...ofBandwidth, other })).toEqual(ofBandwidth);
  expect([ingress('1k'), ingress('1P'), ingress('999.5')]).toEqual([
    { ingressBitsPerSecond: 1_000 },
    { ingressBitsPerSecond: 1e15 },
    { ingressBitsPerSecond: 1_000 },
  ]);
});

it.each([
  ['999', 'resource is unreasonably small (< 1kbit)'],
  ['-1M', 'resource is unreasonably small (< 1kbit)'],
  ['1001T', 'resource is unreasonably large (> 1Pbit)'],
  ['1E1000', 'resource is unreasonably large (> 1Pbit)'],
  ['fast', 'quantities must match the regular expression'],
  ['', 'quantities must match the regular expression'],
])('refuses %j: %s', (value, why) => {
  expect(() => ingress(value)).toThrow(why);
  expect(() => bandwidthOf({ 'kubernetes.io/egress-bandwidth': value })).toThrow(why);
});
