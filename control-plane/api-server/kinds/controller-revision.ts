import { CONTROLLER_REVISION_KIND } from '../../../api/kinds/controller-revision';
import { controllerOf, groupOf } from '../../../api/owners';
import type { ApiObject } from '../../../api/types';
import { AGE, NAME, orNone, printer, text } from '../printing/columns';
import { numberAt } from './mutable';
import { serveKind } from './served-kind';

/** `statefulset.apps/db` */
const controllerName = (revision: ApiObject): string => {
  const owner = controllerOf(revision);
  if (owner === undefined) return '';
  const group = groupOf(owner.apiVersion);
  const kind = group === '' ? owner.kind : `${owner.kind}.${group}`;
  return `${kind.toLowerCase()}/${owner.name}`;
};

const PRINTER = printer(
  NAME,
  text('Controller', (revision) => orNone(controllerName(revision))),
  text('Revision', (revision) => numberAt(revision, 'revision')),
  AGE,
);

export const CONTROLLER_REVISION = serveKind(CONTROLLER_REVISION_KIND, { printer: PRINTER });
