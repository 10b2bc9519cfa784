import type { Container } from '../types';
import { validateRestartRules } from './restart-rules';

const problems = (container: object) =>
  validateRestartRules(container as Container, 'c').map(
    ({ field, message }) => `${field}: ${message}`,
  );
const rule = { action: 'Restart', exitCodes: { operator: 'In', values: [42] } };

it('takes a policy, and rules beside one', () => {
  expect(problems({})).toEqual([]);
  expect(problems({ restartPolicy: 'OnFailure' })).toEqual([]);
  expect(problems({ restartPolicy: 'Never', restartPolicyRules: [rule] })).toEqual([]);
});

it.each([
  [
    { restartPolicy: 'Sometimes' },
    'c.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
  ],
  [
    { restartPolicyRules: [rule] },
    'c.restartPolicy: Required value: must specify restartPolicy when restart rules are used',
  ],
  [
    { restartPolicy: 'Never', restartPolicyRules: [{ ...rule, action: 'Stop' }] },
    'c.restartPolicyRules[0].action: Unsupported value: "Stop": supported values: "Restart"',
  ],
  [
    { restartPolicy: 'Never', restartPolicyRules: [{ ...rule, exitCodes: { values: [1] } }] },
    'c.restartPolicyRules[0].exitCodes.operator: Unsupported value: "": supported values: "In", "NotIn"',
  ],
  [
    { restartPolicy: 'Never', restartPolicyRules: [{ action: 'Restart' }] },
    'c.restartPolicyRules[0].exitCodes: Required value: must be specified',
  ],
  [
    { restartPolicy: 'Never', restartPolicyRules: Array.from({ length: 21 }, () => rule) },
    'c.restartPolicyRules: Too many: 21: must have at most 20 items',
  ],
])('refuses %j', (container, problem) => {
  expect(problems(container)).toEqual([problem]);
});
