import { join } from 'node:path';

import { describeError } from '../../../lib/log';
import { RuntimeError, type HandlerInfo, type MissingHandler } from '../../container-runtime';
import { dhowHandler, type DhowHandlerDeps } from './dhow';
import type { Handler } from './handler';
import { ociHandler, type OciHandlerDeps } from './oci';
import { openTool, type HandlerConfig } from './oci-tool';
import { tryTool } from './try-tool';

export { installedProgram, type HandlerConfig } from './oci-tool';

export interface HandlersDeps extends DhowHandlerDeps, Omit<OciHandlerDeps, 'tool'> {
  readonly cgroupParent: string;
  readonly launcherPath: string;
}

/** The handlers of a runtime by their names: those that were tried, and found to work. */
export class Handlers {
  private readonly byName = new Map<string, Handler>();
  private readonly reasons = new Map<string, string>();

  constructor(private readonly deps: HandlersDeps) {
    this.byName.set(DEFAULT, dhowHandler(deps));
  }

  /** Tries each: has it run a container to its end. Never throws: why one does not work is kept. */
  async open(configs: readonly HandlerConfig[]): Promise<void> {
    const tried = await Promise.all(configs.map((config) => this.tryOpen(config)));
    for (const [index, { name }] of configs.entries()) {
      const found = tried[index];
      if (typeof found === 'object') this.byName.set(name, found);
      else this.reasons.set(name, found ?? '');
    }
  }

  /** @throws RuntimeError when it is not there, with what is known of why */
  of(sandbox: { readonly handler?: string }): Handler {
    const found = this.get(sandbox);
    if (found !== undefined) return found;
    const { handler = DEFAULT } = sandbox;
    const reason = this.reasons.get(handler);
    const why = reason === undefined ? '' : `: ${reason}`;
    throw new RuntimeError('handler', `no runtime handler "${handler}"${why}`);
  }

  get({ handler = DEFAULT }: { readonly handler?: string }): Handler | undefined {
    return this.byName.get(handler);
  }

  /** Of a container of which nobody knows any more what made it. */
  async discard(id: string, cgroup: string): Promise<void> {
    for (const handler of this.byName.values()) await handler.discard(id, cgroup);
  }

  infos(): readonly HandlerInfo[] {
    return [...this.byName.values()].map(({ info }) => info);
  }

  missing(): readonly MissingHandler[] {
    return [...this.reasons].map(([name, reason]) => ({ name, reason }));
  }

  private async tryOpen(config: HandlerConfig): Promise<Handler | string> {
    const { deps } = this;
    try {
      const tool = await openTool(config, join(deps.files.runDir, 'oci'));
      await tryTool(tool, deps);
      return ociHandler({ ...deps, tool });
    } catch (error) {
      const reason = error instanceof RuntimeError ? error.message : describeError(error);
      deps.log.warn({ handler: config.name, reason }, 'a runtime handler cannot be used');
      return reason;
    }
  }
}

const DEFAULT = 'dhow';
