import { runCompanion } from '../companion/companion-program';
import { Resolver } from './control/resolver';

/** The program of a node's resolver: `dns-resolver FOLDER VERSION PORT`. */
void runCompanion({
  name: 'dns-resolver',
  resources: ['services', 'endpointslices'],
  drainMs: 500,
  create: ([port], deps) => new Resolver({ port: Number(port), ...deps }),
});
