import { parseQuantity } from '../../api/quantity';
import type { PlannedNode } from '../../api/placement-plans';
import { parseTaint } from './taint-changes';
import { UsageError } from '../usage-error';

/**
 * Pure: the nodes that `cpu=4,memory=8Gi,labels=a=b,taints=c=d:NoSchedule,count=2` means. Labels and
 * taints may come several times; what is none of these is another resource. @throws UsageError
 */
export const addedNodes = (texts: readonly string[]): readonly PlannedNode[] => {
  const nodes = texts.flatMap((text, index) => {
    const { count, name, ...node } = partsOf(text);
    const base = name ?? (texts.length === 1 ? 'new' : `new-${index + 1}`);
    const names =
      count === 1 ? [base] : Array.from({ length: count }, (_, i) => `${base}-${i + 1}`);
    return names.map((each) => ({ name: each, ...node }));
  });
  const twice = nodes.find(({ name }, at) => nodes.findIndex((each) => each.name === name) < at);
  if (twice !== undefined) throw new UsageError(`--add-node: "${twice.name}" is there twice`);
  return nodes;
};

interface Parts {
  readonly name: string | undefined;
  readonly count: number;
  readonly allocatable: Record<string, string>;
  readonly labels: Record<string, string>;
  readonly taints: ReturnType<typeof parseTaint>[];
}

const partsOf = (text: string): Parts => {
  let name: string | undefined;
  let count = 1;
  const allocatable: Record<string, string> = {};
  const labels: Record<string, string> = {};
  const taints: ReturnType<typeof parseTaint>[] = [];
  for (const item of text.split(',')) {
    const at = item.indexOf('=');
    const [key, value] = [item.slice(0, at), item.slice(at + 1)];
    if (at <= 0 || value === '') throw bad(text, `"${item}" is no KEY=VALUE`);
    if (key === 'name') name = value;
    else if (key === 'count') count = countOf(text, value);
    else if (key === 'labels') Object.assign(labels, labelOf(value));
    else if (key === 'taints') taints.push(parseTaint(value));
    else allocatable[key] = amountOf(text, value);
  }
  if (allocatable['cpu'] === undefined || allocatable['memory'] === undefined)
    throw bad(text, 'cpu and memory are needed');
  return { name, count, allocatable, labels, taints };
};

const labelOf = (text: string): Record<string, string> => {
  const [key = '', ...value] = text.split('=');
  return { [key]: value.join('=') };
};

const countOf = (text: string, value: string): number => {
  if (!/^[1-9]\d?$|^100$/.test(value)) throw bad(text, 'count is between 1 and 100');
  return Number(value);
};

const amountOf = (text: string, value: string): string => {
  try {
    parseQuantity(value);
    return value;
  } catch {
    throw bad(text, `"${value}" is no amount`);
  }
};

const bad = (text: string, why: string): UsageError => new UsageError(`--add-node ${text}: ${why}`);
