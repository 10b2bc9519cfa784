import { INGRESS_KIND } from '../../../api/kinds/ingress';
import { INGRESS_CLASS_KIND } from '../../../api/kinds/ingress-class';
import type { ApiObject } from '../../../api/types';
import { AGE, NAME, orNone, printer, text } from '../printing/columns';
import { fieldsAt, listAt, textAt } from './mutable';
import { PLAIN, serveKind, WITH_SPEC, type Strategy } from './served-kind';

const STRATEGY: Strategy = {
  ...WITH_SPEC,
  prepareCreate: (ingress) => {
    ingress.status = { loadBalancer: {} };
  },
};

const HOSTS_SHOWN = 3;

const hosts = (ingress: ApiObject): string => {
  const rules = listAt(ingress, 'spec', 'rules');
  const named = rules.map((rule) => textAt(rule, 'host')).filter((host) => host !== '');
  if (named.length === 0) return '*';
  const shown = named.slice(0, HOSTS_SHOWN).join(',');
  return named.length > HOSTS_SHOWN ? `${shown} + ${rules.length - HOSTS_SHOWN} more...` : shown;
};

const addresses = (ingress: ApiObject): string => {
  const balanced = listAt(ingress, 'status', 'loadBalancer', 'ingress').map(
    (each) => textAt(each, 'ip') || textAt(each, 'hostname'),
  );
  return [...new Set(balanced.filter((each) => each !== ''))].sort().join(',');
};

const PRINTER = printer(
  NAME,
  text('Class', (ingress) => orNone(textAt(ingress, 'spec', 'ingressClassName'))),
  text('Hosts', hosts),
  text('Address', addresses),
  text('Ports', (ingress) => (listAt(ingress, 'spec', 'tls').length > 0 ? '80, 443' : '80')),
  AGE,
);

const parametersOf = (ingressClass: ApiObject): string => {
  const parameters = fieldsAt(ingressClass, 'spec', 'parameters');
  const [kind, group] = [textAt(parameters, 'kind'), textAt(parameters, 'apiGroup')];
  const qualified = group === '' ? kind : `${kind}.${group}`;
  return kind === '' ? '<none>' : `${qualified}/${textAt(parameters, 'name')}`;
};

const CLASS_PRINTER = printer(
  NAME,
  text('Controller', (ingressClass) => textAt(ingressClass, 'spec', 'controller')),
  text('Parameters', parametersOf),
  AGE,
);

export const INGRESS = serveKind(INGRESS_KIND, { strategy: STRATEGY, printer: PRINTER });
export const INGRESS_CLASS = serveKind(INGRESS_CLASS_KIND, {
  strategy: { ...PLAIN, hasGeneration: true },
  printer: CLASS_PRINTER,
});
