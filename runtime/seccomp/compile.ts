import { Assembler, type Label } from './assembler';
import { type ArgumentTest, type RuleSet, type SyscallRule } from './rules';
import { multiplexed } from './multiplexed';
import { X32_SYSCALLS, X86_64_SYSCALLS, X86_SYSCALLS, type SyscallTable } from './syscalls';

/**
 * Compiles rules to a filter program: for each architecture a balanced tree over ranges of system
 * call numbers, so that a call costs about ten instructions whatever its number.
 *
 *   load arch ─ x86-64? ─ load nr ─ tree [0 … 0x40000000 = x32 …]
 *             └ i386?   ─ load nr ─ tree
 *             └ other: kill
 */
export const compile = (ruleSet: RuleSet): Uint8Array => {
  const assembler = new Assembler();
  const native = [
    ...segmentsOf(ruleSet, X86_64_SYSCALLS, 0, 64),
    ...(ruleSet.hasX32
      ? segmentsOf(ruleSet, X32_SYSCALLS, X32_BIT, 32)
      : [{ start: X32_BIT, leaf: leaf(KILL) }]),
  ];
  const isWrongArch = assembler.returnValue(KILL);
  const x86 = ruleSet.hasX86
    ? tree(assembler, segmentsOf(withMultiplexed(ruleSet), X86_SYSCALLS, 0, 32))
    : isWrongArch;
  const otherArch = assembler.jump('eq', AUDIT_ARCH_I386, x86, isWrongArch);
  const x86_64 = tree(assembler, native);
  assembler.jump('eq', AUDIT_ARCH_X86_64, x86_64, otherArch);
  assembler.loadWord(ARCH_OFFSET);
  return assembler.toBytes();
};

/** What a run of numbers from `start` to the next segment leads to. */
interface Segment {
  readonly start: number;
  readonly leaf: Leaf;
}

interface Leaf {
  /** When no rule holds. */
  readonly action: number;
  readonly rules: readonly SyscallRule[];
  readonly argumentBits: 32 | 64;
}

const leaf = (action: number, rules: readonly SyscallRule[] = [], argumentBits: 32 | 64 = 64) => ({
  action,
  rules,
  argumentBits,
});

const segmentsOf = (
  { rules, defaultAction }: RuleSet,
  table: SyscallTable,
  firstNumber: number,
  argumentBits: 32 | 64,
): Segment[] => {
  const segments: Segment[] = [];
  const add = (start: number, next: Leaf) => {
    if (segments.at(-1)?.start === start) segments.pop();
    const previous = segments.at(-1)?.leaf;
    if (previous !== undefined && isSameReturn(previous, next)) return;
    segments.push({ start, leaf: next });
  };
  add(firstNumber, leaf(defaultAction));
  const known = [...rules]
    .map(([name, ofName]) => ({ number: table.get(name), ofName }))
    .filter((entry): entry is Known => entry.number !== undefined)
    .sort((a, b) => a.number - b.number);
  for (const { number, ofName } of known) {
    add(firstNumber + number, leafOf(ofName, defaultAction, argumentBits));
    add(firstNumber + number + 1, leaf(defaultAction));
  }
  const newest = known.at(-1)?.number;
  if (newest !== undefined && isRefusal(defaultAction)) {
    add(firstNumber + newest + 1, leaf(ERRNO_ENOSYS));
  }
  return segments;
};

interface Known {
  readonly number: number;
  readonly ofName: readonly SyscallRule[];
}

/** A rule without tests beats those with; the first of several wins. */
const leafOf = (rules: readonly SyscallRule[], defaultAction: number, bits: 32 | 64): Leaf => {
  const unconditional = rules.find(({ tests }) => tests.length === 0);
  return unconditional === undefined
    ? leaf(defaultAction, rules, bits)
    : leaf(unconditional.action);
};

const isSameReturn = (a: Leaf, b: Leaf): boolean =>
  a.rules.length === 0 && b.rules.length === 0 && a.action === b.action;

/** libc falls back from ENOSYS but not from EPERM, so calls younger than the profile get the former. */
const isRefusal = (action: number): boolean => action !== ALLOW && action !== LOG;

/** i386 reaches sockets and System V IPC through two calls that carry a sub-call number first. */
const withMultiplexed = (ruleSet: RuleSet): RuleSet => {
  const rules = new Map(ruleSet.rules);
  for (const { name, via, subcall } of multiplexed) {
    const unconditional = ruleSet.rules.get(name)?.find(({ tests }) => tests.length === 0);
    if (unconditional === undefined) continue;
    const test = {
      index: 0,
      op: 'eq',
      isInverted: false,
      value: BigInt(subcall),
      mask: ~0n,
    } as const;
    rules.set(via, [...(rules.get(via) ?? []), { action: unconditional.action, tests: [test] }]);
  }
  return { ...ruleSet, rules };
};

const tree = (assembler: Assembler, segments: readonly Segment[]): Label => {
  assembler.goto(branch(assembler, segments));
  return assembler.loadWord(NUMBER_OFFSET);
};

const branch = (assembler: Assembler, segments: readonly Segment[]): Label => {
  const middle = segments.length >> 1;
  const pivot = segments[middle];
  if (pivot === undefined) throw new RangeError('a tree needs at least one segment');
  if (segments.length === 1) return leafCode(assembler, pivot.leaf);
  const above = branch(assembler, segments.slice(middle));
  const below = branch(assembler, segments.slice(0, middle));
  return assembler.jump('ge', pivot.start, above, below);
};

const leafCode = (assembler: Assembler, { action, rules, argumentBits }: Leaf): Label =>
  rules.toReversed().reduce((otherwise, rule) => {
    const matched = assembler.returnValue(rule.action);
    return rule.tests
      .toReversed()
      .reduce((next, test) => testCode(assembler, test, argumentBits, next, otherwise), matched);
  }, assembler.returnValue(action));

/** A 64-bit comparison in two halves; 32-bit modes have only the lower one. */
const testCode = (
  assembler: Assembler,
  { index, op, isInverted, value, mask }: ArgumentTest,
  argumentBits: 32 | 64,
  holds: Label,
  fails: Label,
): Label => {
  const [yes, no] = isInverted ? [fails, holds] : [holds, fails];
  const offset = ARGUMENTS_OFFSET + index * 8;
  const load = (at: number, bits: number) => {
    if (bits !== 0xffffffff) assembler.and(bits);
    return assembler.loadWord(at);
  };
  assembler.jump(op, low(value), yes, no);
  const lower = load(offset, low(mask));
  if (argumentBits === 32 || high(mask) === 0) return lower;

  const whenEqual = assembler.jump('eq', high(value), lower, no);
  if (op !== 'eq') assembler.jump('gt', high(value), yes, whenEqual);
  return load(offset + 4, high(mask));
};

const low = (value: bigint): number => Number(BigInt.asUintN(32, value));
const high = (value: bigint): number => Number(BigInt.asUintN(32, value >> 32n));

const KILL = 0;
const ALLOW = 0x7fff0000;
const LOG = 0x7ffc0000;
const ERRNO_ENOSYS = 0x00050000 + 38;

/** Offsets in `struct seccomp_data`. */
const NUMBER_OFFSET = 0;
const ARCH_OFFSET = 4;
const ARGUMENTS_OFFSET = 16;

const AUDIT_ARCH_X86_64 = 0xc000003e;
const AUDIT_ARCH_I386 = 0x40000003;
const X32_BIT = 0x40000000;
