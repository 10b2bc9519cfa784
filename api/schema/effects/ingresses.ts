import { all, kept, shown, tests, type Effects } from './effect';
import { OBJECT, STATUS } from './metadata';

const ROUTES = tests('node-agent/ingress/routing/route-table.test.ts');
const PROXY = tests('test/integration/ingress-proxy.test.ts');
const ROWS = tests('control-plane/nodes/network-rows.test.ts');

const ROUTED = shown(
  ROUTES('routes as a slow reading of the API does'),
  PROXY('routes by host and path, tells backends who asked, and follows what changes'),
);
const CERTIFICATES = shown(
  PROXY('shows the certificate of a host, a newer one at once, and its own where there is none'),
);
const REFUSED = shown(
  ROUTES(
    'says of a backend of another kind that it cannot be served, and of none that there is none',
  ),
);
const CLASSES = shown(
  ROWS('tells of those of its own classes, and of the secrets that those name'),
);

export const INGRESS_EFFECTS: Effects = {
  Ingress: { ...OBJECT, spec: ROUTED, status: STATUS },
  IngressSpec: {
    ...all(['defaultBackend', 'rules'], ROUTED),
    tls: CERTIFICATES,
    ingressClassName: CLASSES,
  },
  IngressRule: all(['host', 'http'], ROUTED),
  HTTPIngressRuleValue: { paths: ROUTED },
  HTTPIngressPath: all(['backend', 'path', 'pathType'], ROUTED),
  IngressBackend: {
    service: ROUTED,
    resource: REFUSED,
  },
  IngressServiceBackend: all(['name', 'port'], ROUTED),
  ServiceBackendPort: all(['name', 'number'], ROUTED),
  TypedLocalObjectReference: all(['apiGroup', 'kind', 'name'], REFUSED),
  IngressTLS: all(['hosts', 'secretName'], CERTIFICATES),
  IngressClass: { ...OBJECT, spec: CLASSES },
  IngressClassSpec: {
    controller: CLASSES,
    parameters: kept('for the controllers of other classes: those of the nodes take none'),
  },
};
