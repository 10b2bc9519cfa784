import { RESOURCE_QUOTA_KIND } from '../../../api/kinds/resource-quota';
import { PENDING_USAGE } from '../../../api/quota/pending';
import type { ApiObject } from '../../../api/types';
import { AGE, NAME, printer, text } from '../printing/columns';
import { fieldsAt, textAt, type MutableObject } from './mutable';
import { serveKind, WITH_SPEC, type Strategy } from './served-kind';

/** What is being written is noted by the server alone, whoever writes the quota meanwhile. */
const keepPending = (quota: MutableObject, pending: string | undefined): void => {
  const { [PENDING_USAGE]: _theirs, ...others } = quota.metadata.annotations ?? {};
  const annotations = pending === undefined ? others : { ...others, [PENDING_USAGE]: pending };
  if (Object.keys(annotations).length > 0) quota.metadata.annotations = annotations;
  else Reflect.deleteProperty(quota.metadata, 'annotations');
};

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  hasGeneration: false,
  prepareCreate: (quota) => {
    quota.status = {};
    keepPending(quota, undefined);
  },
  prepareUpdate: (quota, old) => keepPending(quota, old.metadata.annotations?.[PENDING_USAGE]),
};

/** `cpu: 1/2, pods: 0/4` of what is, or is not, a limit. */
const shares = (quota: ApiObject, ofLimits: boolean): string =>
  Object.keys(fieldsAt(quota, 'status', 'hard'))
    .filter((name) => name.startsWith('limits.') === ofLimits)
    .sort()
    .map((name) => {
      const used = textAt(quota, 'status', 'used', name) || '0';
      return `${name}: ${used}/${textAt(quota, 'status', 'hard', name)}`;
    })
    .join(', ');

const PRINTER = printer(
  NAME,
  text('Request', (quota) => shares(quota, false)),
  text('Limit', (quota) => shares(quota, true)),
  AGE,
);

export const RESOURCE_QUOTA = serveKind(RESOURCE_QUOTA_KIND, {
  strategy: STRATEGY,
  printer: PRINTER,
});
