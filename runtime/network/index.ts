export { NetworkError } from './errors';
export { FakePodNetwork } from './fake';
