import { CLUSTER_ROLE_KIND } from '../../../api/kinds/cluster-role';
import { CLUSTER_ROLE_BINDING_KIND } from '../../../api/kinds/cluster-role-binding';
import { ROLE_KIND } from '../../../api/kinds/role';
import { ROLE_BINDING_KIND } from '../../../api/kinds/role-binding';
import type { ApiObject } from '../../../api/types';
import { AGE, CREATED_AT, NAME, printer, text, wide } from '../printing/columns';
import { listAt, textAt } from './mutable';
import { serveKind } from './served-kind';

const ROLE_PRINTER = printer(NAME, CREATED_AT);

const subjectsOf = (object: ApiObject, kind: string): string =>
  listAt(object, 'subjects')
    .filter((subject) => textAt(subject, 'kind') === kind)
    .map((subject) => {
      const namespace = textAt(subject, 'namespace');
      return `${namespace === '' ? '' : `${namespace}/`}${textAt(subject, 'name')}`;
    })
    .join(', ');

const BINDING_PRINTER = printer(
  NAME,
  text(
    'Role',
    (object) => `${textAt(object, 'roleRef', 'kind')}/${textAt(object, 'roleRef', 'name')}`,
  ),
  AGE,
  wide('Users', (object) => subjectsOf(object, 'User')),
  wide('Groups', (object) => subjectsOf(object, 'Group')),
  wide('ServiceAccounts', (object) => subjectsOf(object, 'ServiceAccount')),
);

export const ROLE = serveKind(ROLE_KIND, { printer: ROLE_PRINTER });
export const CLUSTER_ROLE = serveKind(CLUSTER_ROLE_KIND, { printer: ROLE_PRINTER });
export const ROLE_BINDING = serveKind(ROLE_BINDING_KIND, { printer: BINDING_PRINTER });
export const CLUSTER_ROLE_BINDING = serveKind(CLUSTER_ROLE_BINDING_KIND, {
  printer: BINDING_PRINTER,
});
