import { checkReadOnly } from './host-devices';

const spec = (access: string, isVolume: boolean, privileged = false) => ({
  devices: [{ hostPath: '/dev/x', path: '/mnt/disk', access, isVolume }],
  security: {
    ...{ privileged, capabilities: [], noNewPrivileges: false },
    ...{ seccomp: { type: 'unconfined' } as const, procMount: 'Default' as const },
  },
});

it('refuses a read-only volume where nothing would hold a container to it', () => {
  const check = (given: ReturnType<typeof spec>, limitsDevices: boolean) => () =>
    checkReadOnly(given, { limitsDevices });
  expect(check(spec('r', true), false)).toThrow(
    '"/mnt/disk" cannot be read-only: the cgroups of this host do not limit devices',
  );
  expect(check(spec('r', true), true)).not.toThrow();
  expect(check(spec('rwm', true), false)).not.toThrow();
  expect(check(spec('r', false), false)).not.toThrow();
  expect(check(spec('r', true, true), false)).not.toThrow();
});
