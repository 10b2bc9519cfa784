import fc from 'fast-check';
import { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, runBpf, X32_BIT } from '../../test/support/bpf';
import { compile } from './compile';
import { seccompFilter } from './index';
import { parseProfile } from './profile';
import { resolveRules } from './rules';
import { X32_SYSCALLS, X86_64_SYSCALLS, X86_SYSCALLS } from './syscalls';

const ALLOW = 0x7fff0000;
const KILL = 0;
const errno = (number: number) => 0x00050000 + number;
const [EPERM, ENOSYS] = [errno(1), errno(38)];

type Mode = 'x86_64' | 'x86' | 'x32';
const modes = {
  x86_64: { arch: AUDIT_ARCH_X86_64, table: X86_64_SYSCALLS, bit: 0 },
  x86: { arch: AUDIT_ARCH_I386, table: X86_SYSCALLS, bit: 0 },
  x32: { arch: AUDIT_ARCH_X86_64, table: X32_SYSCALLS, bit: X32_BIT },
};

const call = (
  filter: Uint8Array,
  mode: Mode,
  name: string | number,
  args: readonly bigint[] = [],
) => {
  const { arch, table, bit } = modes[mode];
  const nr = typeof name === 'number' ? name : table.get(name);
  if (nr === undefined) throw new Error(`no ${name} in ${mode}`);
  return runBpf(filter, { arch, nr: nr + bit, args }).value;
};

const defaultFilter = (...capabilities: string[]) =>
  seccompFilter({ type: 'default' }, capabilities)!;

const custom = (profile: object, capabilities: readonly string[] = [], kernelRelease = '6.1.0') =>
  compile(resolveRules(parseProfile(profile), { kernelRelease, capabilities }));

describe('the default seccomp profile', () => {
  it.each<[Mode, string | number, bigint[], number]>([
    ['x86_64', 'read', [], ALLOW],
    ['x86_64', 'mount', [], EPERM],
    ['x86_64', 'keyctl', [], EPERM],
    ['x86_64', 'io_uring_setup', [], EPERM],
    ['x86_64', 'clone3', [], ENOSYS],
    ['x86_64', 'clone', [0x11n], ALLOW],
    ['x86_64', 'clone', [0x10000000n], EPERM],
    ['x86_64', 'socket', [2n], ALLOW],
    ['x86_64', 'socket', [38n], EPERM],
    ['x86_64', 'socket', [39n], ALLOW],
    ['x86_64', 'socket', [40n], EPERM],
    ['x86_64', 'socket', [0x100000026n], ALLOW],
    ['x32', 'socket', [0x100000026n], EPERM],
    ['x86', 'socket', [0x100000026n], EPERM],
    ['x86_64', 'personality', [0xffffffffn], ALLOW],
    ['x86_64', 'personality', [4n], EPERM],
    ['x86_64', 'mseal', [], ALLOW],
    ['x86_64', 'getxattrat', [], ALLOW],
    ['x86_64', 'statmount', [], ALLOW],
    ['x86_64', 5000, [], ENOSYS],
    ['x86', 'socketcall', [1n], ALLOW],
    ['x86', 'waitpid', [], ALLOW],
    ['x86', 'umount', [], EPERM],
    ['x86', 5000, [], ENOSYS],
    ['x32', 'rt_sigaction', [], ALLOW],
    ['x32', 'kexec_load', [], EPERM],
    ['x32', 5000, [], ENOSYS],
  ])('answers %s %s %j with %i', (mode, name, args, value) => {
    expect(call(defaultFilter('CHOWN', 'SYS_CHROOT'), mode, name, args)).toBe(value);
  });

  it.each<[string, string, number, number]>([
    ['mount', 'SYS_ADMIN', EPERM, ALLOW],
    ['clone3', 'SYS_ADMIN', ENOSYS, ALLOW],
    ['chroot', 'SYS_CHROOT', EPERM, ALLOW],
    ['syslog', 'SYSLOG', EPERM, ALLOW],
    ['bpf', 'BPF', EPERM, ALLOW],
    ['mbind', 'SYS_NICE', EPERM, ALLOW],
  ])('lets %s pass with %s only', (name, capability, without, withIt) => {
    expect(call(defaultFilter(), 'x86_64', name)).toBe(without);
    expect(call(defaultFilter(capability), 'x86_64', name)).toBe(withIt);
  });

  it('kills a caller of an architecture it does not know', () => {
    expect(runBpf(defaultFilter(), { arch: 0xc00000b7, nr: 0 }).value).toBe(KILL);
  });

  it('decides every call in few steps', () => {
    const steps = Array.from(
      { length: 470 },
      (_, nr) => runBpf(defaultFilter(), { arch: AUDIT_ARCH_X86_64, nr }).steps,
    );
    expect(Math.max(...steps)).toBeLessThanOrEqual(20);
  });

  it('is built once for a set of capabilities, whatever their order', () => {
    expect(defaultFilter('CHOWN', 'KILL')).toBe(defaultFilter('KILL', 'CHOWN'));
    expect(seccompFilter({ type: 'unconfined' }, [])).toBeUndefined();
  });
});

describe('a custom seccomp profile', () => {
  const denyList = (rule: object, more: object = {}) => ({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['read'], action: 'SCMP_ACT_ERRNO', ...rule }],
    ...more,
  });

  it('compares arguments as the kernel would', () => {
    const holds: Record<string, (arg: bigint, value: bigint) => boolean> = {
      SCMP_CMP_EQ: (arg, value) => arg === value,
      SCMP_CMP_NE: (arg, value) => arg !== value,
      SCMP_CMP_LT: (arg, value) => arg < value,
      SCMP_CMP_LE: (arg, value) => arg <= value,
      SCMP_CMP_GT: (arg, value) => arg > value,
      SCMP_CMP_GE: (arg, value) => arg >= value,
    };
    const number = fc.oneof(
      fc.constantFrom(0, 1, 0xffffffff, 2 ** 32, 2 ** 32 + 1),
      fc.maxSafeNat(),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(holds)),
        fc.nat(5),
        number,
        fc.array(number, { minLength: 6, maxLength: 6 }),
        fc.boolean(),
        (op, index, value, args, isSame) => {
          const filter = custom(denyList({ args: [{ index, op, value }] }));
          const given = args.map((arg, at) => BigInt(isSame && at === index ? value : arg));
          const expected = holds[op]!(given[index]!, BigInt(value)) ? EPERM : ALLOW;
          expect(call(filter, 'x86_64', 'read', given)).toBe(expected);
        },
      ),
    );
  });

  it('takes a mask and what must remain under it', () => {
    const masked = { index: 1, op: 'SCMP_CMP_MASKED_EQ', value: 0xf00, valueTwo: 0x200 };
    const filter = custom(denyList({ args: [masked], errnoRet: 13 }));
    expect(call(filter, 'x86_64', 'read', [0n, 0x12ffn])).toBe(errno(13));
    expect(call(filter, 'x86_64', 'read', [0n, 0x13ffn])).toBe(ALLOW);
  });

  it('wants all tests of different arguments, any of the same argument', () => {
    const eq = (index: number, value: number) => ({ index, op: 'SCMP_CMP_EQ', value });
    const both = custom(denyList({ args: [eq(0, 1), eq(1, 2)] }));
    expect(call(both, 'x86_64', 'read', [1n, 2n])).toBe(EPERM);
    expect(call(both, 'x86_64', 'read', [1n, 3n])).toBe(ALLOW);
    const either = custom(denyList({ args: [eq(0, 1), eq(0, 2)] }));
    expect([1n, 2n, 3n].map((arg) => call(either, 'x86_64', 'read', [arg]))).toEqual([
      EPERM,
      EPERM,
      ALLOW,
    ]);
  });

  it('reaches i386 sockets behind socketcall', () => {
    const filter = custom(
      denyList({ names: ['connect'] }, { architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] }),
    );
    expect(call(filter, 'x86', 'connect')).toBe(EPERM);
    expect(call(filter, 'x86', 'socketcall', [3n])).toBe(EPERM);
    expect(call(filter, 'x86', 'socketcall', [4n])).toBe(ALLOW);
  });

  it('kills modes it was not asked to cover, and lets new calls pass a deny list', () => {
    const filter = custom(denyList({}));
    expect(call(filter, 'x86', 'read')).toBe(KILL);
    expect(call(filter, 'x32', 'write')).toBe(KILL);
    expect(call(filter, 'x86_64', 5000)).toBe(ALLOW);
  });

  it('ignores names this kernel family has not, and rules for elsewhere', () => {
    const filter = custom(
      {
        defaultAction: 'SCMP_ACT_ERRNO',
        syscalls: [
          { names: ['no_such_call', 'read'], action: 'SCMP_ACT_ALLOW' },
          { names: ['write'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['s390x'] } },
          { names: ['close'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '6.2' } },
          { names: ['open'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_KILL'] } },
        ],
      },
      ['KILL'],
    );
    expect(['read', 'write', 'close', 'open'].map((name) => call(filter, 'x86_64', name))).toEqual([
      ALLOW,
      ENOSYS,
      ENOSYS,
      ENOSYS,
    ]);
  });

  it('stays correct when jumps are longer than a byte', () => {
    const many = [...X86_64_SYSCALLS.keys()].map((name, index) => ({
      names: [name],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: index,
      args: [{ index: 0, op: 'SCMP_CMP_GE', value: 2 ** 33 + index }],
    }));
    const filter = custom({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: many });
    [...X86_64_SYSCALLS.keys()].forEach((name, index) => {
      expect(call(filter, 'x86_64', name, [BigInt(2 ** 33 + index)])).toBe(errno(index));
      expect(call(filter, 'x86_64', name, [BigInt(2 ** 33 + index - 1)])).toBe(ALLOW);
    });
  });

  it.each<[unknown, string]>([
    [undefined, 'profile: Invalid input: expected object'],
    [{}, 'defaultAction: Invalid option'],
    [{ defaultAction: 'SCMP_ACT_NOTIFY' }, 'defaultAction: Invalid option'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', sycalls: [] }, 'Unrecognized key: "sycalls"'],
    [denyList({ action: 'allow' }), 'syscalls[0].action: Invalid option'],
    [denyList({ names: [] }), 'syscalls[0].names: must name at least one system call'],
    [denyList({ errnoRet: 5000 }), 'syscalls[0].errnoRet: Too big'],
    [
      denyList({ args: [{ index: 6, op: 'SCMP_CMP_EQ', value: 1 }] }),
      'syscalls[0].args[0].index: Too big',
    ],
    [
      denyList({ args: [{ index: 0, op: 'EQ', value: -1 }] }),
      'syscalls[0].args[0].value: Too small',
    ],
    [denyList({ includes: { minKernel: 'six' } }), 'syscalls[0].includes.minKernel: must be'],
    [
      denyList({}, { archMap: [{ architecture: 'a' }], architectures: ['b'] }),
      'architectures: cannot be set together with archMap',
    ],
  ])('refuses %j', (profile, message) => {
    expect(() => seccompFilter({ type: 'profile', profile }, [])).toThrow(message);
  });
});
