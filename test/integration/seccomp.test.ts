import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from '../../runtime/seccomp/compile';
import { DEFAULT_PROFILE } from '../../runtime/seccomp/default-profile';
import { seccompFilter } from '../../runtime/seccomp';
import { parseProfile } from '../../runtime/seccomp/profile';
import { resolveRules, type ArgumentTest, type RuleSet } from '../../runtime/seccomp/rules';
import { X32_SYSCALLS, X86_64_SYSCALLS, X86_SYSCALLS } from '../../runtime/seccomp/syscalls';
import { AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, runBpf, X32_BIT } from '../support/bpf';

let dir: string;
const build = (name: string, ...flags: string[]): string => {
  const program = join(dir, name);
  const source = join(__dirname, 'seccomp', `${name}.c`);
  const gcc = spawnSync('gcc', ['-O1', '-Wall', '-o', program, source, ...flags]);
  if (gcc.status !== 0) throw new Error(`gcc: ${gcc.stderr.toString()}`);
  return program;
};

let oracle: string;
let probe: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'seccomp-test-'));
  oracle = build('oracle', '-lseccomp');
  probe = build('probe');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('the compiler against libseccomp', () => {
  const docker =
    'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE';
  const everything =
    'SYS_ADMIN DAC_READ_SEARCH SYS_BOOT SYS_CHROOT SYS_MODULE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_TIME SYS_TTY_CONFIG SYS_NICE SYSLOG BPF PERFMON';

  it.each([
    ['no capabilities', []],
    ['the usual capabilities', docker.split(' ')],
    ['all capabilities', everything.split(' ')],
  ])('decides every call alike with %s', (_title, capabilities) => {
    expectSame(resolveRules(DEFAULT_PROFILE, { kernelRelease: release(), capabilities }));
  });

  it('decides every call alike under a deny list with every operator', () => {
    const operators = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'];
    const syscalls = operators.map((op, index) => ({
      names: [['read', 'write', 'lseek', 'mmap', 'fcntl', 'ioctl', 'kill'][index]],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: index + 1,
      args: [
        { index: index % 3, op: `SCMP_CMP_${op}`, value: 0x100000010, valueTwo: 0x10 },
        { index: 3, op: 'SCMP_CMP_EQ', value: 0 },
      ],
    }));
    const profile = parseProfile({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
      syscalls: [...syscalls, { names: ['connect', 'shmget'], action: 'SCMP_ACT_KILL_PROCESS' }],
    });
    expectSame(resolveRules(profile, { kernelRelease: release(), capabilities: [] }));
  });
});

it('loads into the kernel, which then answers as the profile says', () => {
  const filterPath = join(dir, 'filter');
  writeFileSync(filterPath, seccompFilter({ type: 'default' }, ['CHOWN'])!);
  const nr = (name: string) => X86_64_SYSCALLS.get(name)!;
  const calls: [number, number, number][] = [
    [nr('getpid'), 0, 0],
    [nr('socket'), 38, 1],
    [nr('mount'), 0, 1],
    [nr('keyctl'), 0, 1],
    [nr('unshare'), 0, 1],
    [nr('clone3'), 0, 38],
    [5000, 0, 38],
    // Invalid, but the kernel says so rather than the filter.
    [nr('close'), -1, 9],
  ];
  const args = calls.map(([number, arg]) => `${number}:${arg}`);
  const { stdout, status } = spawnSync(probe, [filterPath, ...args], { encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout.trim().split('\n').map(Number)).toEqual(calls.map(([, , errno]) => errno));
});

/** libseccomp's filter for the rules, and the rules without the names it is too old to know. */
const askOracle = (ruleSet: RuleSet) => {
  const lines = [
    `default ${ruleSet.defaultAction}`,
    ...(ruleSet.hasX86 ? ['arch x86'] : []),
    ...(ruleSet.hasX32 ? ['arch x32'] : []),
    ...[...ruleSet.rules].flatMap(([name, rules]) =>
      rules.map(({ action, tests }) => ['rule', action, name, ...tests.map(oracleTest)].join(' ')),
    ),
  ];
  const { stdout, stderr, status } = spawnSync(oracle, { input: lines.join('\n') });
  const messages = stderr.toString().trim().split('\n');
  if (status !== 0) throw new Error(messages.join('\n'));
  const unknown = new Set(messages.map((line) => line.replace(/^unknown /, '')));
  const rules = new Map([...ruleSet.rules].filter(([name]) => !unknown.has(name)));
  return { filter: new Uint8Array(stdout), ruleSet: { ...ruleSet, rules } };
};

/** NE 1, LT 2, LE 3, EQ 4, GE 5, GT 6, MASKED_EQ 7 */
const oracleTest = ({ index, op, isInverted, mask, value }: ArgumentTest): string => {
  if (mask !== 0xffffffffffffffffn) return `${index} 7 ${mask} ${value}`;
  const number = { eq: isInverted ? 1 : 4, ge: isInverted ? 2 : 5, gt: isInverted ? 3 : 6 }[op];
  return `${index} ${number} ${value} 0`;
};

const expectSame = (asked: RuleSet): void => {
  const { filter: theirs, ruleSet } = askOracle(asked);
  const ours = compile(ruleSet);
  const differences: string[] = [];
  let compared = 0;
  for (const { arch, nr, isNewer } of inputs(ruleSet)) {
    for (const args of ARGUMENTS) {
      const data = { arch, nr, args };
      const [actual, oracleValue] = [runBpf(ours, data).value, runBpf(theirs, data).value];
      const expected = isNewer ? ENOSYS : oracleValue;
      compared++;
      if (actual !== expected) {
        differences.push(`${arch.toString(16)} ${nr} ${args.join()}: ${actual}, not ${expected}`);
      }
    }
  }
  expect(differences.slice(0, 10)).toEqual([]);
  expect(compared).toBeGreaterThan(10_000);
};

const inputs = (ruleSet: RuleSet) => {
  const isRefusing = ruleSet.defaultAction !== 0x7fff0000;
  const newest = (table: ReadonlyMap<string, number>) =>
    Math.max(...[...ruleSet.rules.keys()].map((name) => table.get(name) ?? 0));
  const mode = (arch: number, table: ReadonlyMap<string, number>, bit: number, isOn: boolean) =>
    Array.from({ length: 600 }, (_, number) => ({
      arch,
      nr: number + bit,
      isNewer: isOn && isRefusing && number > newest(table),
    }));
  return [
    ...mode(AUDIT_ARCH_X86_64, X86_64_SYSCALLS, 0, true),
    ...mode(AUDIT_ARCH_X86_64, X32_SYSCALLS, X32_BIT, ruleSet.hasX32),
    ...mode(AUDIT_ARCH_I386, X86_SYSCALLS, 0, ruleSet.hasX86),
    ...mode(0xc00000b7, X86_64_SYSCALLS, 0, false),
  ];
};

const ENOSYS = 0x00050000 + 38;
const ARGUMENTS: readonly (readonly bigint[])[] = [
  ...[0n, 1n, 3n, 8n, 16n, 22n, 38n, 39n, 40n, 41n, 0x20000n, 0x20008n, 0x7e020000n, 0x10000000n],
  ...[0xffffffffn, 0x100000010n, 0x100000011n, 0x10000000fn, 0x100000026n, 0xffffffffffffffffn],
].map((value) => [value, value, value, 0n, 1n, value]);
