import type { Node, Taint } from '../../api/types';
import { UsageError } from '../usage-error';

/** Taints to put on, and to take off. */
export interface TaintChanges {
  readonly added: readonly Taint[];
  readonly removed: readonly { readonly key: string; readonly effect?: string }[];
}

/** Reads `key=value:Effect`, `key:Effect`, `key:Effect-` and `key-`. @throws UsageError */
export const parseTaints = (args: readonly string[]): TaintChanges => {
  const added: Taint[] = [];
  const removed: { key: string; effect?: string }[] = [];
  for (const arg of args) {
    if (arg.endsWith('-')) {
      const [key = '', effect] = arg.slice(0, -1).split(':');
      if (effect !== undefined) checkEffect(effect);
      removed.push({ key: key.split('=')[0] ?? '', ...(effect === undefined ? {} : { effect }) });
    } else added.push(parseTaint(arg));
  }
  const twice = added.find(({ key, effect }, i) =>
    added.some((other, j) => j < i && other.key === key && other.effect === effect),
  );
  if (twice !== undefined) {
    throw new UsageError(`duplicated taints with the same key and effect: ${twice.key}`);
  }
  const both = added.find(({ key, effect }) =>
    removed.some((other) => other.key === key && (other.effect ?? effect) === effect),
  );
  if (both !== undefined) {
    throw new UsageError(
      `can not both modify and remove the following taint(s) in the same command: ${both.key}`,
    );
  }
  return { added, removed };
};

export const parseTaint = (text: string): Taint => {
  const [, key, value, effect] = /^([^=:]+)(?:=([^:]*))?:([^:]+)$/.exec(text) ?? [];
  if (key === undefined || effect === undefined)
    throw new UsageError(`invalid taint spec: ${text}`);
  checkEffect(effect);
  return { key, ...(value === undefined || value === '' ? {} : { value }), effect };
};

const checkEffect = (effect: string): void => {
  if (EFFECTS.has(effect)) return;
  throw new UsageError(
    `invalid taint effect: ${effect}, unsupported taint effect\nSee 'dhow taint --help' for help and examples`,
  );
};

/** Pure: the node's taints after the changes, and the word for that. @throws UsageError */
export const applyTaints = (
  { metadata: { name }, spec }: Node,
  { added, removed }: TaintChanges,
  mayOverwrite: boolean,
): { readonly taints: readonly Taint[]; readonly told: string } => {
  const present: readonly Taint[] = spec.taints ?? [];
  const isSame = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
  const clash = added.filter((taint) => present.some((each) => isSame(each, taint)));
  if (clash.length > 0 && !mayOverwrite) {
    const keys = clash.map(({ key }) => key).join(',');
    throw new UsageError(
      `node ${name} already has ${keys} taint(s) with same effect(s) and --overwrite is false`,
    );
  }
  const matches = (taint: Taint, { key, effect }: { key: string; effect?: string }) =>
    taint.key === key && (effect === undefined || taint.effect === effect);
  for (const each of removed) {
    if (present.some((taint) => matches(taint, each))) continue;
    const text = `${each.key}${each.effect === undefined ? '' : `:${each.effect}`}`;
    throw new UsageError(`taint "${text}" not found`);
  }
  const kept = present.filter(
    (taint) =>
      !removed.some((each) => matches(taint, each)) && !added.some((each) => isSame(each, taint)),
  );
  const isOnlyRemoved = added.length === 0;
  const told = isOnlyRemoved
    ? 'untainted'
    : clash.length > 0 || removed.length > 0
      ? 'modified'
      : 'tainted';
  return { taints: [...added, ...kept], told };
};

const EFFECTS: ReadonlySet<string> = new Set(['NoSchedule', 'PreferNoSchedule', 'NoExecute']);
