export { RESOLVER_FOLDER } from './control/record';
export { ResolverKeeper } from './keeper/resolver-keeper';
