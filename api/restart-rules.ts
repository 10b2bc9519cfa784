import type { Container, PodSpec } from './types';

/**
 * Does a container that ended with this code run again? The first of its own rules that matches says so,
 * then its own policy, then that of its pod. Source: KEP-5307.
 */
export const restartsAfter = (
  spec: Pick<PodSpec, 'restartPolicy'>,
  { restartPolicy, restartPolicyRules = [] }: Container,
  exitCode: number,
): boolean => {
  const rule = restartPolicyRules.find(({ exitCodes }) => matches(exitCodes, exitCode));
  if (rule !== undefined) return rule.action === 'Restart';
  const policy = restartPolicy ?? spec.restartPolicy;
  return policy === 'Never' ? false : policy !== 'OnFailure' || exitCode !== 0;
};

type ExitCodes = NonNullable<Container['restartPolicyRules']>[number]['exitCodes'];

const matches = (wanted: ExitCodes, exitCode: number): boolean =>
  wanted !== undefined && (wanted.values ?? []).includes(exitCode) === (wanted.operator === 'In');
