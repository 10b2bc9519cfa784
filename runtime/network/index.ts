export { destroyNetwork } from './destroy';
export { NetworkError } from './errors';
export { FakePodNetwork } from './fake';
export { createPodNetwork, type PodNetworkOptions } from './native';
