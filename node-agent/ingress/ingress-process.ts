import { runCompanion } from '../companion/companion-program';
import { IngressService } from './serving/ingress-service';

/** The program of a node's ingress: `ingress-proxy FOLDER VERSION`. */
void runCompanion({
  name: 'ingress-proxy',
  resources: ['services', 'endpointslices', 'ingresses', 'ingresssecrets'],
  drainMs: 10_000,
  create: (_args, deps) => IngressService.create(deps),
});
