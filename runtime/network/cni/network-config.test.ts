import fc from 'fast-check';

import { networkFilesIn, networkText, parseNetwork } from './network-config';

const list = (more: object): string =>
  JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge' }], ...more });

it('reads a list of plugins with all that they alone understand', () => {
  const plugins = [{ type: 'bridge', ipam: { type: 'host-local' } }, { type: 'portmap' }];
  expect(parseNetwork(list({ plugins, disableCheck: 'true' }), true)).toEqual({
    ...{ name: 'net', cniVersion: '1.0.0', plugins, disableCheck: true, disableGC: false },
  });
});

it('reads a single plugin as a list of one', () => {
  const plugin = { cniVersion: '0.4.0', name: 'net', type: 'ptp', mtu: 1400 };
  expect(parseNetwork(JSON.stringify(plugin), false)).toMatchObject({
    ...{ name: 'net', cniVersion: '0.4.0', plugins: [plugin] },
  });
});

it('speaks the newest version that the file allows and is known here', () => {
  const versionOf = (more: object) => parseNetwork(list(more), true).cniVersion;
  expect(versionOf({ cniVersion: '0.4.0', cniVersions: ['1.0.0', '1.1.0', '9.0.0'] })).toBe(
    '1.1.0',
  );
  expect(versionOf({ cniVersion: '0.3.1' })).toBe('0.3.1');
});

it.each([
  ['{', /^error parsing configuration list: /],
  ['[]', 'it is no object'],
  [list({ name: '' }), 'no name'],
  [list({ name: undefined }), 'no name'],
  [list({ name: '../x' }), 'invalid characters in network name'],
  [list({ name: 'n'.repeat(201) }), 'name: no longer than 200 characters'],
  [list({ plugins: undefined }), "no 'plugins' key"],
  [list({ plugins: [] }), 'no plugins in list'],
  [list({ plugins: [{}] }), "missing 'type'"],
  [list({ plugins: [{ type: '/bin/sh' }] }), 'invalid plugin name'],
  [list({ cniVersion: '0.2.0' }), 'cniVersion 0.2.0 is not supported: 0.3.0 to 1.1.0 are'],
  [list({ cniVersion: undefined }), 'cniVersion is missing'],
])('refuses %s', (text, message) => {
  expect(() => parseNetwork(text, true)).toThrow(message);
});

it('tells a list in a file for one plugin by its missing type', () => {
  expect(() => parseNetwork(list({}), false)).toThrow("missing 'type'");
});

it('never breaks on what a file may hold, and keeps what it takes', () => {
  fc.assert(
    fc.property(
      fc.json({ maxDepth: 2 }),
      fc.record({ name: fc.string(), cniVersion: fc.string() }),
      (text, of) => {
        for (const source of [text, list(of)])
          try {
            const network = parseNetwork(source, true);
            expect(parseNetwork(networkText(network), true)).toEqual(network);
          } catch (error) {
            expect(String(error)).toContain('error parsing configuration list: ');
          }
      },
    ),
  );
});

it('looks for a network by the names of files, in their order', () => {
  const names = ['20-b.conf', 'README', '10-a.conflist', '.05.conf', '30-c.json', 'x.conf.bak'];
  expect(networkFilesIn(names)).toEqual(['10-a.conflist', '20-b.conf', '30-c.json']);
});
