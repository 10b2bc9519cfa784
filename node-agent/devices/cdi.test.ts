import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { silentLog } from '../../lib/log';
import { parseAgentConfig } from '../config';
import { CdiSpecs } from './cdi-source';
import { isCdiName, readCdiDevices, resolveCdi } from './cdi';

describe('descriptions of devices', () => {
  let root: string;
  let problems: string[];

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cdi-'));
    problems = [];
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const put = (file: string, content: unknown): void => {
    mkdirSync(join(root, 'etc'), { recursive: true });
    mkdirSync(join(root, 'run'), { recursive: true });
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    writeFileSync(join(root, file), text);
  };
  const read = () =>
    readCdiDevices([join(root, 'etc'), join(root, 'run')], (_file, message) =>
      problems.push(message),
    );
  const resolve = (...names: string[]) => resolveCdi(names, read());
  const spec = (containerEdits: object, more: object = {}) => ({
    ...{ cdiVersion: '0.6.0', kind: 'v.com/gpu', devices: [{ name: '0', containerEdits }] },
    ...more,
  });

  it('say what a container gets, with what all devices of the file have', () => {
    const own = {
      env: ['A=1'],
      deviceNodes: [{ path: '/dev/x', permissions: 'r', fileMode: 0o600 }],
      mounts: [{ hostPath: '/lib/x', containerPath: '/x', options: ['ro', 'bind'] }],
    };
    put('etc/a.json', spec(own, { containerEdits: { env: ['B=2'], additionalGids: [7] } }));
    expect(resolve('v.com/gpu=0')).toEqual([
      {
        env: {},
        lastEnv: ['B=2', 'A=1'],
        devices: [{ path: '/dev/x', hostPath: '/dev/x', access: 'r', fileMode: 0o600 }],
        mounts: [{ hostPath: '/lib/x', containerPath: '/x', isReadOnly: true }],
        additionalGids: [7],
      },
    ]);
  });

  it('count from the later folder', () => {
    put('etc/a.json', spec({ env: ['A=etc'] }));
    put(
      'run/b.yaml',
      'cdiVersion: 1.0.0\nkind: v.com/gpu\ndevices:\n- name: "0"\n  containerEdits: {env: [A=run]}\n',
    );
    expect(resolve('v.com/gpu=0')[0]?.lastEnv).toEqual(['A=run']);
  });

  it('are no use when two in a folder describe one device, and no harm to others', () => {
    put('etc/a.json', spec({ env: ['A=1'] }));
    put('etc/b.json', spec({ env: ['A=2'] }));
    put('etc/c.json', spec({ env: ['A=3'] }, { kind: 'v.com/nic' }));
    expect(() => resolve('v.com/gpu=0')).toThrow('is described twice');
    expect(resolve('v.com/nic=0')).toHaveLength(1);
  });

  it.each([
    ['hooks', { hooks: [{ hookName: 'createRuntime', path: '/bin/x' }] }, 'hooks are not run'],
    ['intelRdt', { intelRdt: {} }, 'intelRdt is not supported'],
    ['network devices', { netDevices: [{ name: 'x' }] }, 'netDevices are not supported'],
  ])('with %s are refused in words', (_what, edits, message) => {
    put('etc/a.json', spec(edits));
    expect(() => resolve('v.com/gpu=0')).toThrow(message);
    expect(problems).toEqual([]);
  });

  it.each([
    ['no document', ''],
    ['no YAML', '{'],
    ['another version', spec({}, { cdiVersion: '2.0.0' })],
    ['no vendor', spec({}, { kind: 'gpu' })],
    ['no devices', spec({}, { devices: [] })],
    ['a path that is none', spec({ deviceNodes: [{ path: 'dev/x' }] })],
    ['a variable without a name', spec({ env: ['=x'] })],
    [
      'a file system to mount',
      spec({ mounts: [{ hostPath: '/a', containerPath: '/b', type: 'nfs' }] }),
    ],
  ])('that are wrong (%s) are told of and passed over', (_what, content) => {
    put('etc/a.json', content);
    put('etc/b.json', spec({}, { kind: 'v.com/nic' }));
    expect([...read().keys()]).toEqual(['v.com/nic=0']);
    expect(problems).toHaveLength(1);
    expect(() => resolve('v.com/gpu=0')).toThrow('unresolvable CDI devices v.com/gpu=0');
  });

  it('are read from regular files only, and from folders that are some', () => {
    put('etc/b.json', spec({}));
    symlinkSync('/dev/null', join(root, 'etc/a.json'));
    writeFileSync(join(root, 'file'), '');
    const folders = [join(root, 'file'), join(root, 'etc')];
    const devices = readCdiDevices(folders, (_path, message) => problems.push(message));
    expect([...devices.keys()]).toEqual(['v.com/gpu=0']);
    expect(problems).toEqual([
      expect.stringContaining('ENOTDIR'),
      expect.stringContaining('a.json is not a regular file'),
    ]);
  });

  it('are read again once they are others', () => {
    const specs = new CdiSpecs([join(root, 'etc')], silentLog);
    const variables = () => specs.editsOf(['v.com/gpu=0'])[0]?.lastEnv;
    put('etc/a.json', spec({ env: ['A=1'] }));
    expect(variables()).toEqual(['A=1']);
    const known = specs.devices().get('v.com/gpu=0');
    expect(specs.devices().get('v.com/gpu=0')).toBe(known);
    put('etc/b.json', spec({ env: ['A=22'] }));
    renameSync(join(root, 'etc/b.json'), join(root, 'etc/a.json'));
    expect(variables()).toEqual(['A=22']);
    put('etc/a.json', '{');
    expect(variables).toThrow('unresolvable');
    rmSync(join(root, 'etc/a.json'));
    put('etc/c.json', spec({ env: ['A=3'] }));
    expect(variables()).toEqual(['A=3']);
  });

  it.each(['v.com/gpu=0', 'v/gpu-x=a.b:c', 'V/g=A'])('take the name %s', (name) => {
    expect(isCdiName(name)).toBe(true);
  });
  it.each(['v.com/gpu', 'gpu=0', 'v/=0', 'v/g=', '/g=0', 'v/g=-a', 'v/g=0 '])(
    'do not take the name %s',
    (name) => {
      expect(isCdiName(name)).toBe(false);
    },
  );

  it.each([
    [{ 'gadget.com/x': ['v/g=0'] }, 'not in devices.dhow.dev/'],
    [{ 'devices.dhow.dev/x': ['g'] }, '"g" is not VENDOR/CLASS=NAME'],
    [{ 'devices.dhow.dev/x': ['v/g=0', 'v/g=0'] }, 'counted twice'],
    [{ 'devices.dhow.dev/': ['v/g=0'] }, 'name part'],
  ])('are not counted by settings that say %j', (devices, message) => {
    expect(() => parseAgentConfig({ server: 's', launcherPath: '/l', devices })).toThrow(message);
  });
});
