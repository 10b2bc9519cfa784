export { destroyNetwork } from './destroy';
export { NetworkError } from './errors';
export { FakePodNetwork } from './fake';
export { createPodNetwork, type PodNetworkOptions } from './native';
export {
  createLabNetwork,
  destroyLabNetwork,
  labNetworkNames,
  MAX_LAB_NODES,
  type LabNetwork,
  type LabNetworkOptions,
  type LabNode,
} from './lab';
export { dial, DialError } from './dial';
