import * as fc from 'fast-check';
import { LAST_APPLIED } from '../annotations';
import { DEPLOYMENTS, SERVICES } from '../resources';
import { applyPatch, STRATEGIC_MERGE_PATCH } from './patch';

interface Port {
  readonly name: string;
  readonly port: number;
  readonly protocol?: string;
  readonly targetPort?: number;
}

const tcp = { name: 't', port: 9000 };
const udp = { name: 'u', port: 9000, protocol: 'UDP' };
const service = (ports: readonly object[], written = ports) => ({
  metadata: { annotations: { [LAST_APPLIED]: JSON.stringify({ spec: { ports: written } }) } },
  spec: { ports },
});

/** As the server keeps it. */
const live = (ports: readonly Port[]) =>
  ports.map((port, i) => ({
    protocol: 'TCP',
    targetPort: port.port,
    nodePort: 30_000 + i,
    ...port,
  }));

/** What `kubectl apply` sends, from the state that was written before, of which only `ports` is telling. */
const applied = (before: readonly Port[], ports: readonly object[], written: readonly Port[]) => {
  const order = written.map(({ port }) => ({ port }));
  const { metadata } = service([], written);
  return applyPatch(SERVICES, STRATEGIC_MERGE_PATCH, service(live(before), before), {
    metadata,
    spec: { ports, '$setElementOrder/ports': order },
  }) as { spec: { ports: readonly Port[] } };
};

it.each<[string, Port[], object[], Port[]]>([
  ['adds one of a pair', [tcp], [udp], [tcp, udp]],
  ['removes the second', [tcp, udp], [{ $patch: 'delete', port: 9000 }], [tcp]],
  ['removes the first', [tcp, udp], [udp, { $patch: 'delete', port: 9000 }], [udp]],
  [
    'changes the second',
    [tcp, udp],
    [{ port: 9000, targetPort: 53 }],
    [tcp, { ...udp, targetPort: 53 }],
  ],
  ['puts them the other way round', [tcp, udp], [udp, tcp], [udp, tcp]],
])('%s, though told of the number alone', (_title, before, sent, written) => {
  const { ports } = applied(before, sent, written).spec;
  expect(ports.map(({ name }) => name)).toEqual(written.map(({ name }) => name));
  const kept = new Map(live(before).map((port) => [port.name, port]));
  // The node port of who stays is kept, and what a new one lacks is left to be filled in.
  expect(ports).toEqual(written.map((port) => ({ ...kept.get(port.name), ...port })));
});

it('brings any list of ports to what was written, whatever the patch makes of it', () => {
  const port = fc.record({
    port: fc.constantFrom(1, 2),
    protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'),
    targetPort: fc.nat(3),
  });
  const ports = fc
    .uniqueArray(port, { selector: (one) => `${one.port}${one.protocol}`, minLength: 1 })
    .map((list) => list.map((one) => ({ ...one, name: `${one.port}${one.protocol}` })));
  fc.assert(
    fc.property(ports, ports, fc.array(port), (before, written, sent) => {
      const numbers = [before, written].map((list) => list.map((one) => one.port));
      fc.pre(numbers.some((list) => new Set(list).size < list.length));
      const result = applied(before, sent, written).spec.ports;
      expect(result.map(({ name, targetPort }) => ({ name, targetPort }))).toEqual(
        written.map(({ name, targetPort }) => ({ name, targetPort })),
      );
    }),
  );
});

it('finds such lists below lists of objects', () => {
  const container = (ports: object[]) => ({ name: 'a', image: 'i', ports });
  const deployment = (containers: object[], written = containers) => {
    const template = (list: object[]) => ({ spec: { template: { spec: { containers: list } } } });
    const annotations = { [LAST_APPLIED]: JSON.stringify(template(written)) };
    return { metadata: { annotations }, ...template(containers) };
  };
  const [first, second] = [
    { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
    { name: 'dns', containerPort: 53, protocol: 'UDP' },
  ];
  const before = deployment([container([first, second])]);
  const sent = { name: 'a', ports: [{ containerPort: 53, $patch: 'delete' }] };
  const patch = deployment([sent], [container([second])]);
  expect(applyPatch(DEPLOYMENTS, STRATEGIC_MERGE_PATCH, before, patch)).toEqual(
    deployment([container([second])]),
  );
});

it('leaves patches alone whose annotation is none of kubectl, and ports that no other shares', () => {
  for (const text of ['{', '[]', '{"spec":{"ports":7}}']) {
    const metadata = { annotations: { [LAST_APPLIED]: text } };
    const patch = { metadata, spec: { ports: [{ port: 9000, targetPort: 53 }] } };
    expect(
      applyPatch(
        SERVICES,
        STRATEGIC_MERGE_PATCH,
        service([{ ...tcp, protocol: 'TCP' }, udp]),
        patch,
      ),
    ).toEqual({ metadata, spec: { ports: [{ ...tcp, protocol: 'TCP', targetPort: 53 }, udp] } });
  }
  const alone = applied([tcp], [{ port: 9000, targetPort: 53 }], [tcp]).spec.ports;
  expect(alone).toEqual([{ ...live([tcp])[0], targetPort: 53 }]);
});
