import { admissionEnvironment, CelBudget, compileCel } from '../../../../api/cel';
import type { Attributes } from '../../auth/access-attributes';
import type { AdmissionAttributes } from '../attributes';
import { POD } from '../../kinds/pod';
import { ADMIN } from '../../testing';
import { requestValues } from './request-values';

const asked: AdmissionAttributes = {
  operation: 'CREATE',
  ...{ kind: POD, subresource: '', name: 'x', namespace: 'a', user: ADMIN },
  ...{ isDryRun: false, isAgain: false, warnings: [] },
};

/** What the authorizer is asked when an expression asks. */
const askedBy = (expression: string): readonly Attributes[] => {
  const questions: Attributes[] = [];
  const judge = {
    isAllowed: (_user: unknown, attributes: Attributes) => questions.push(attributes) > 0,
  };
  const values = requestValues(asked, POD, { namespace: undefined, judge });
  const program = compileCel(expression, admissionEnvironment({ hasAuthorizer: true }), 'bool');
  program.evaluate(values, new CelBudget());
  return questions;
};

const PODS = 'authorizer.group("").resource("pods")';

it('asks the authorizer about the fields that an expression narrows it to', () => {
  const [question] = askedBy(
    `${PODS}.fieldSelector("spec.nodeName=n1,status.phase!=Failed").check("list").allowed()`,
  );
  expect(question).toMatchObject({ verb: 'list', resource: 'pods' });
  expect([...(question?.fields ?? [])]).toEqual([['spec.nodeName', 'n1']]);
});

it.each(['fieldSelector("?!")', 'labelSelector("a=b")'])(
  'asks about all objects where no authorizer knows what is meant: %s',
  (selector) => {
    const [question] = askedBy(`${PODS}.${selector}.check("list").allowed()`);
    expect(question).toMatchObject({ verb: 'list', resource: 'pods' });
    expect(question?.fields).toBeUndefined();
  },
);
