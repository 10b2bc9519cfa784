import { z } from 'zod';

import { isSince, type CniNetwork, type PluginConfig } from './network-config';
import {
  callPlugin,
  PluginError,
  type CniCommand,
  type PluginCall,
  type PluginDeps,
} from './plugin';
import {
  pluginInput,
  prevResultForDel,
  type CapabilityArgs,
  type ValidAttachment,
} from './plugin-input';

/** Of one sandbox in one network: what every command about it says. */
export interface Attaching {
  readonly network: CniNetwork;
  readonly sandboxId: string;
  /** Empty once the namespace has gone. */
  readonly netnsPath: string;
  readonly interfaceName: string;
  readonly args: Readonly<Record<string, string>>;
  readonly capabilityArgs: CapabilityArgs;
}

/**
 * The commands of CNI on a network's plugins, as a chain. What a command means is the plugins' own.
 * @throws PluginError from each, at the first plugin that fails
 */
export class CniChain {
  constructor(private readonly deps: PluginDeps) {}

  /** The result of the last; each gets that of the one before it. */
  async add(of: Attaching, signal?: AbortSignal): Promise<unknown> {
    let result: unknown;
    for (const plugin of of.network.plugins) {
      const input = { capabilityArgs: of.capabilityArgs, prevResult: result };
      result = await this.call('ADD', of, plugin, input, signal);
      if (typeof result !== 'object' || result === null)
        throw new PluginError(`plugin type="${plugin.type}" failed (add): no result`, undefined);
    }
    return result;
  }

  /** Nothing before the specification had it, or where the network does without. */
  async check(of: Attaching, result: unknown): Promise<void> {
    if (of.network.disableCheck || !isSince(of.network, '0.4.0')) return;
    const input = { capabilityArgs: of.capabilityArgs, prevResult: result };
    for (const plugin of of.network.plugins) await this.call('CHECK', of, plugin, input);
  }

  /** The last one first. To be called again until it succeeds, whatever is there. */
  async del(of: Attaching, result: unknown): Promise<void> {
    const prevResult = prevResultForDel(of.network, result);
    const input = { capabilityArgs: of.capabilityArgs, prevResult };
    for (const plugin of of.network.plugins.toReversed()) await this.call('DEL', of, plugin, input);
  }

  /** Has every plugin let go of all but these; nobody may be attached or detached meanwhile. */
  async gc(network: CniNetwork, attachments: readonly ValidAttachment[]): Promise<void> {
    if (network.disableGC || !isSince(network, '1.1.0')) return;
    for (const plugin of network.plugins)
      await this.callForAll('GC', network, pluginInput(network, plugin, { attachments }), plugin);
  }

  /** Whether the plugins could attach somebody now. */
  async status(network: CniNetwork): Promise<void> {
    if (!isSince(network, '1.1.0')) return;
    for (const plugin of network.plugins)
      await this.callForAll('STATUS', network, pluginInput(network, plugin, {}), plugin);
  }

  /** That each plugin is there and knows the network's version. */
  async checkVersions(network: CniNetwork): Promise<void> {
    const { cniVersion } = network;
    for (const plugin of network.plugins) {
      const said = await this.callForAll('VERSION', network, { cniVersion }, plugin);
      const parsed = versionSchema.safeParse(said);
      if (!parsed.success || !parsed.data.supportedVersions.includes(cniVersion))
        throw new PluginError(
          `plugin ${plugin.type} does not support config version "${cniVersion}"`,
          undefined,
        );
    }
  }

  private call(
    command: CniCommand,
    of: Attaching,
    plugin: PluginConfig,
    additions: Parameters<typeof pluginInput>[2],
    signal?: AbortSignal,
  ): Promise<unknown> {
    const { network, sandboxId, netnsPath, interfaceName, args } = of;
    return this.run(
      {
        ...{ command, type: plugin.type, networkName: network.name },
        input: pluginInput(network, plugin, additions),
        variables: {
          [CONTAINER_ID_VARIABLE]: sandboxId,
          CNI_NETNS: netnsPath,
          CNI_IFNAME: interfaceName,
          CNI_ARGS: Object.entries(args)
            .map(([name, value]) => `${name}=${value}`)
            .join(';'),
        },
      },
      signal,
    );
  }

  private callForAll(
    command: CniCommand,
    { name }: CniNetwork,
    input: PluginCall['input'],
    { type }: PluginConfig,
  ): Promise<unknown> {
    return this.run({ command, type, networkName: name, input, variables: {} });
  }

  private run(call: PluginCall, signal?: AbortSignal): Promise<unknown> {
    return callPlugin(this.deps, call, signal);
  }
}

/** By it the calls for a sandbox are found again. */
export const CONTAINER_ID_VARIABLE = 'CNI_CONTAINERID';

const versionSchema = z.looseObject({ supportedVersions: z.array(z.string()).max(64) });
