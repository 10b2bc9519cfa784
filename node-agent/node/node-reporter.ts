import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

import type { Node } from '../../api/types';
import type { ImageService } from '../../runtime/image-service';
import type { AgentConfig } from '../config';
import { availableMemoryBytes, processCount, type HostFacts } from './host';
import { allocatableOf, defaultLabels, nodeStatusOf, type NodeStatusInput } from './node-status';

export const AGENT_VERSION = '0.1.0';

/** Tells the server what this node is and has. */
export class NodeReporter {
  private lastSent = '';

  constructor(
    private readonly deps: {
      readonly config: AgentConfig;
      readonly facts: HostFacts;
      readonly nodeIp: string;
      readonly images: ImageService;
      readonly notReady: () => string | undefined;
    },
  ) {}

  /** The whole Node, for the hello. */
  async node(): Promise<Buffer> {
    const { config } = this.deps;
    const status = await this.status();
    this.lastSent = JSON.stringify(status);
    const metadata = {
      name: config.nodeName,
      labels: { ...defaultLabels(config.nodeName), ...config.labels },
    };
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata,
      spec: { taints: config.taints },
      status,
    };
    return Buffer.from(JSON.stringify(node));
  }

  /** The status when it differs from what was sent last. */
  async changedStatus(): Promise<Buffer | undefined> {
    const text = JSON.stringify(await this.status());
    if (text === this.lastSent) return undefined;
    this.lastSent = text;
    return Buffer.from(text);
  }

  allocatable(): Readonly<Record<string, string>> {
    return allocatableOf(this.input([], 0, 0));
  }

  private async status(): Promise<Node['status']> {
    const { config, images } = this.deps;
    const { blocks, bavail, bsize } = await statfs(config.stateDir);
    return nodeStatusOf(this.input(await images.list(), blocks * bsize, bavail * bsize));
  }

  private input(
    images: NodeStatusInput['images'],
    diskTotalBytes: number,
    diskFreeBytes: number,
  ): NodeStatusInput {
    const { config, facts, nodeIp, notReady } = this.deps;
    return {
      facts,
      nodeName: config.nodeName,
      nodeIp,
      version: AGENT_VERSION,
      reservedCpuMillis: config.reservedCpuMillis,
      reservedMemoryBytes: config.reservedMemoryBytes,
      maxPods: config.maxPods,
      diskTotalBytes,
      diskFreeBytes,
      memoryAvailableBytes: availableMemoryBytes(),
      processCount: processCount(),
      pidMax: readPidMax(),
      images,
      notReady: notReady(),
    };
  }
}

const readPidMax = (): number => {
  try {
    return Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'));
  } catch {
    return 32_768;
  }
};
