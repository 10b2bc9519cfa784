import { CERTIFICATE_REQUEST_KIND } from '../../../api/kinds/certificate-signing-request';
import type { ApiObject } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import { formatAge } from '../printing/ages';
import { AGE, NAME, orNone, printer, text } from '../printing/columns';
import { fieldsAt, isFields, listAt, numberAt, textAt } from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

/** Who asks is what the server saw, whatever the body says; times are the server's where it says none. */
const STRATEGY: Strategy = {
  ...WITH_SPEC,
  hasGeneration: false,
  prepareCreate: (request, { name, uid, groups, extra }) => {
    request.spec = {
      ...request.spec,
      username: name,
      uid: uid ?? '',
      groups: [...groups],
      extra: { ...extra },
    };
    for (const field of ['uid', 'extra'])
      if (Object.keys(Object(request.spec[field]) as object).length === 0)
        Reflect.deleteProperty(request.spec, field);
    request.status = {};
  },
  preparePart: (request, old, nowMs) => {
    const now = rfc3339(nowMs);
    const before = listAt(old, 'status', 'conditions');
    const conditions = listAt(request, 'status', 'conditions').filter(isFields);
    for (const condition of conditions) {
      const known = before.find((each) => textAt(each, 'type') === condition['type']);
      const isSame = textAt(known, 'status') === condition['status'];
      condition['lastUpdateTime'] ??= now;
      condition['lastTransitionTime'] ??= isSame ? textAt(known, 'lastTransitionTime') || now : now;
    }
  },
};

/** `Approved,Issued`, in upstream's words. */
const stateOf = (request: ApiObject): string => {
  const types = listAt(request, 'status', 'conditions').map((each) => textAt(each, 'type'));
  const words = [
    types.includes('Denied') ? 'Denied' : types.includes('Approved') ? 'Approved' : 'Pending',
    ...(types.includes('Failed') ? ['Failed'] : []),
    ...(textAt(request, 'status', 'certificate') === '' ? [] : ['Issued']),
  ];
  return words.join(',');
};

const PRINTER = printer(
  NAME,
  AGE,
  text('SignerName', (request) => orNone(textAt(request, 'spec', 'signerName'))),
  text('Requestor', (request) => textAt(request, 'spec', 'username')),
  text('RequestedDuration', (request) =>
    'expirationSeconds' in fieldsAt(request, 'spec')
      ? formatAge(numberAt(request, 'spec', 'expirationSeconds') * 1000)
      : '<none>',
  ),
  text('Condition', stateOf),
);

export const CERTIFICATE_REQUEST = serveKind(CERTIFICATE_REQUEST_KIND, {
  strategy: STRATEGY,
  printer: PRINTER,
});
