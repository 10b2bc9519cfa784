import type { PodNetwork } from '../pod-network';
import { NetworkError } from './errors';

/** The network, which has started; what cannot start is let go of. @throws NetworkError */
export const started = async (
  network: PodNetwork & { start(): Promise<void> },
): Promise<PodNetwork> => {
  try {
    await network.start();
    return network;
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw new NetworkError('start', 'cannot start the pod network', { cause: error });
  }
};
