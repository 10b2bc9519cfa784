import fc from 'fast-check';
import { SlicesByService } from './slices-by-service';
import type { EndpointSlice } from './types';

const sliceOf = (name: string, service: string | undefined): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    ...{ name, namespace: 'ns' },
    labels: service === undefined ? {} : { 'kubernetes.io/service-name': service },
  },
  addressType: 'IPv4',
  endpoints: [],
});

const change = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  service: fc.constantFrom('web', 'db', undefined),
  isThere: fc.boolean(),
});

it('has what a search through all slices finds, and names the services that a change concerns', () => {
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const index = new SlicesByService();
      const all = new Map<string, EndpointSlice>();
      for (const { name, service, isThere } of changes) {
        const labelOf = (slice: EndpointSlice | undefined) =>
          slice?.metadata.labels?.['kubernetes.io/service-name'];
        const slice = isThere ? sliceOf(name, service) : undefined;
        const concerned = [labelOf(all.get(name)), labelOf(slice)].filter(Boolean);
        expect([...index.set(name, slice)].sort()).toEqual(
          [...new Set(concerned)].map((each) => `ns/${each ?? ''}`).sort(),
        );
        if (slice === undefined) all.delete(name);
        else all.set(name, slice);
        for (const each of ['web', 'db'])
          expect(new Set(index.of(`ns/${each}`))).toEqual(
            new Set([...all.values()].filter((one) => labelOf(one) === each)),
          );
        expect([...index.keys()].sort()).toEqual([...all.keys()].sort());
      }
    }),
  );
});
