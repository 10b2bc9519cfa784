import fc from 'fast-check';
import { formatIngressPorts, ingressPortsOf, normalIngressPorts } from './ingress-ports';

const nodeThatSays = (text?: string) => ({
  metadata: {
    name: 'a',
    ...(text === undefined ? {} : { annotations: { 'dhow.dev/ingress-ports': text } }),
  },
});

it('reads what it writes', () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  fc.assert(
    fc.property(fc.array(port, { maxLength: 2 }), (ports) => {
      const text = formatIngressPorts(ports);
      expect(ingressPortsOf(nodeThatSays(text))).toEqual(ports);
      expect(normalIngressPorts(text)).toBe(text);
    }),
  );
});

it('takes whatever else for none', () => {
  expect(ingressPortsOf(nodeThatSays())).toEqual([]);
  for (const text of ['', 'none', '80,', '0', '70000', '80,443,8080', '-1', '1e3', 'x'.repeat(1e5)])
    expect(normalIngressPorts(text)).toBe('none');
});
