import { defineKind } from '../../../api/kinds';
import { SERVERS } from '../../../api/resources';
import type { ServerView } from '../../../api/servers';
import type { ApiObject } from '../../../api/types';
import { AGE, NAME, printer, text } from '../printing/columns';
import { serveKind, type ServedKind } from './served-kind';

const statusOf = (object: ApiObject) => (object as ServerView).status;

const PRINTER = printer(
  NAME,
  text('Host', (object) => statusOf(object).hostName),
  text('API', (object) => statusOf(object).api),
  text('Leads', (object) => String(statusOf(object).leads)),
  text('Nodes', (object) => String(statusOf(object).nodes)),
  text('Version', (object) => statusOf(object).version),
  AGE,
);

const KIND = defineKind(SERVERS, {
  verbs: ['get', 'list'],
  validateCreate: () => [],
  validateUpdate: () => [],
});

export const SERVER: ServedKind = {
  ...serveKind(KIND, { printer: PRINTER }),
  whyReadOnly: 'Servers show those that run: one comes with dhow server, and goes when it stops',
};
