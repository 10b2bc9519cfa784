import type { DirectionVerdict, PolicyLack } from '../../api/network-policies';
import type { ConnectionAnswer, ConnectionAttempt } from '../../api/network-policies/review';
import { plain, plural, toned, type TextStyle } from './text';

/** Whether a connection gets through and what says so, for a person. */
export const renderBlocked = (
  { from, to }: { readonly from: string; readonly to: string },
  { reachable, attempts, problems, notes }: ConnectionAnswer,
  style: TextStyle,
): string => {
  const open = attempts.filter((each) => each.reachable).length;
  const outcome = reachable
    ? toned('reachable', 'good', style)
    : toned(open > 0 ? `only ${open} of ${attempts.length} reachable` : 'blocked', 'bad', style);
  const lines = [
    `${from} -> ${to}: ${outcome}`,
    ...problems.map((problem) => `  ${problem}`),
    ...attempts.flatMap((attempt) => attemptLines(attempt).map((line) => `  ${line}`)),
    ...notes.map((note) => `  note: ${note}`),
  ];
  return lines.map((line) => `${style.color ? line : plain(line)}\n`).join('');
};

const attemptLines = (attempt: ConnectionAttempt): readonly string[] => {
  const { pod, address, port, protocol, reachable, egress, ingress } = attempt;
  const who = pod === undefined ? '' : ` (pod ${pod})`;
  return [
    `${address}:${port}/${protocol}${who}: ${reachable ? 'reachable' : 'blocked'}`,
    ...verdictLines('out', egress, 'source').map((line) => `  ${line}`),
    ...verdictLines('in', ingress, 'target').map((line) => `  ${line}`),
  ];
};

const verdictLines = (
  way: 'out' | 'in',
  verdict: DirectionVerdict,
  end: 'source' | 'target',
): readonly string[] => {
  switch (verdict.because) {
    case 'NotIsolated':
      return [`${way}: allowed, no policy isolates the ${end}`];
    case 'OwnNode':
      return [`${way}: allowed, a pod and its own node always reach each other`];
    case 'Itself':
      return [`${way}: allowed, a pod always reaches itself`];
    case 'Exempt':
      return [`${way}: allowed, the ${end} is no pod of the pod network`];
    case 'Rule':
      return [`${way}: allowed by rule ${verdict.rule + 1} of policy ${verdict.policy}`];
    case 'NoRule':
      return [
        `${way}: denied, no rule of ${plural(verdict.policies.length, 'policy').replace(/ys$/, 'ies')} ` +
          `that isolate${verdict.policies.length === 1 ? 's' : ''} the ${end} allows it`,
        ...verdict.policies.flatMap(lackLines).map((line) => `  ${line}`),
      ];
  }
};

const lackLines = ({ policy, rules }: PolicyLack): readonly string[] => {
  if (policy.endsWith('/(hidden)')) return [`${policy}: you may not list the policies there`];
  if (rules.length === 0) return [`${policy}: has no rule, so allows nothing`];
  return rules.map(({ peer, port }, i) => {
    const lacks = [...(peer ? [] : ['the other end']), ...(port ? [] : ['the port'])];
    return `${policy} rule ${i + 1}: does not match ${lacks.join(' nor ')}`;
  });
};
