export { IngressKeeper } from './keeper/ingress-keeper';
