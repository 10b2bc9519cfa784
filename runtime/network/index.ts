export { destroyNetwork } from './destroy';
export { NetworkError } from './errors';
export { FakePodNetwork } from './fake';
export { createCniNetwork } from './cni/cni-pod-network';
export { createPodNetwork } from './native';
export { type EncryptionOptions, type PodNetworkOptions } from './options';
export { kernelSpeaksSctp } from './protocols';
export {
  createLabNetwork,
  destroyLabNetwork,
  labNetworkNames,
  MAX_LAB_NODES,
  type LabNetwork,
  type LabNetworkOptions,
  type LabNode,
} from './lab';
export { describeRefused } from './wireguard/plan';
export { requireWireguard } from './wireguard/kernel';
export { dial, DialError } from './dial';
export { foreignRules, type ForeignRules } from './foreign-rules';
