export { ResolverKeeper } from './keeper/resolver-keeper';
