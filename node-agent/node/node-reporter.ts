import { statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

import { formatImageLayers } from '../../api/image-layers';
import { formatIngressPorts } from '../../api/ingress-ports';
import { formatWireguardEnd, type WireguardEnd } from '../../api/node-encryption';
import type { Node } from '../../api/types';
import type { ContainerRuntime } from '../../runtime/container-runtime';
import type { ImageService } from '../../runtime/image-service';
import { ingressPortsIn, type AgentConfig } from '../config';
import { parseThresholds, type NodePressure } from '../eviction/thresholds';
import type { DeviceCounts } from '../devices/device-manager';
import type { HostFacts } from './host';
import type { HugePagePools } from './huge-pages';
import { allocatableOf, defaultLabels, nodeStatusOf, type NodeStatusInput } from './node-status';
import { unallocatableOf, type Reserved } from './reserved';
import { stringifyJson } from '../../lib/json';

/** A status to send, with what the node's images are made of. */
export interface NodeReport {
  readonly status: Buffer;
  readonly imageLayers: string;
  /** 0: not known yet. */
  readonly mtu: number;
  readonly ingressPorts: string;
  readonly wireguard: string;
  /** Empty: not known yet. */
  readonly peerWays: string;
}

export const AGENT_VERSION = '0.1.0';

/** Tells the server what this node is and has. */
export class NodeReporter {
  private lastSent = '';

  constructor(
    private readonly deps: {
      readonly config: AgentConfig;
      readonly facts: HostFacts;
      readonly nodeIps: readonly string[];
      readonly images: ImageService;
      readonly notReady: () => string | undefined;
      readonly pressures: () => ReadonlySet<NodePressure>;
      /** The largest packet that the node's interface takes. */
      readonly mtu: () => number | undefined;
      readonly peerWays: () => string | undefined;
      /** Undefined: this node does not encrypt. */
      readonly wireguard: WireguardEnd | undefined;
      readonly devices: () => DeviceCounts;
      readonly hugePages: () => HugePagePools;
      readonly volumesInUse: () => readonly string[];
      readonly runtime: Pick<ContainerRuntime, 'handlers'>;
    },
  ) {}

  /** The whole Node, for the hello. */
  async node(): Promise<Buffer> {
    const { config } = this.deps;
    const { status } = await this.observe();
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
    return Buffer.from(stringifyJson(node));
  }

  /** The report when it differs from what was sent last; the first after a hello always does. */
  async changedReport(): Promise<NodeReport | undefined> {
    const { status, imageLayers } = await this.observe();
    const mtu = this.deps.mtu() ?? 0;
    const text = stringifyJson(status);
    const peerWays = this.deps.peerWays() ?? '';
    const whole = `${text}${imageLayers} ${mtu} ${peerWays}`;
    if (whole === this.lastSent) return undefined;
    this.lastSent = whole;
    const ingressPorts = formatIngressPorts(ingressPortsIn(this.deps.config));
    const wireguard = formatWireguardEnd(this.deps.wireguard);
    return { status: Buffer.from(text), imageLayers, mtu, ingressPorts, wireguard, peerWays };
  }

  allocatable(): Readonly<Record<string, string>> {
    const { config, facts } = this.deps;
    const { blocks, bsize } = statfsSync(config.stateDir);
    const diskTotalBytes = blocks * bsize;
    const unallocatable = this.unallocatable(diskTotalBytes);
    const [devices, hugePages] = [this.deps.devices(), this.deps.hugePages()];
    return allocatableOf({ ...config, facts, diskTotalBytes, unallocatable, devices, hugePages });
  }

  private async observe(): Promise<{
    readonly status: Node['status'];
    readonly imageLayers: string;
  }> {
    const { config } = this.deps;
    const images = await this.deps.images.list();
    const { blocks, bsize } = await statfs(config.stateDir);
    return {
      status: nodeStatusOf(this.input(images, blocks * bsize)),
      imageLayers: formatImageLayers(images),
    };
  }

  private input(images: NodeStatusInput['images'], diskTotalBytes: number): NodeStatusInput {
    const { config, facts, nodeIps, notReady, pressures } = this.deps;
    return {
      facts,
      nodeName: config.nodeName,
      nodeIps,
      version: AGENT_VERSION,
      unallocatable: this.unallocatable(diskTotalBytes),
      maxPods: config.maxPods,
      diskTotalBytes,
      pressures: pressures(),
      images,
      devices: this.deps.devices(),
      hugePages: this.deps.hugePages(),
      handlers: this.deps.runtime.handlers(),
      volumesInUse: this.deps.volumesInUse(),
      notReady: notReady(),
    };
  }

  private unallocatable(diskBytes: number): Reserved {
    const { config, facts } = this.deps;
    const { memoryBytes } = facts;
    return unallocatableOf(config, parseThresholds(config), { memoryBytes, diskBytes });
  }
}
