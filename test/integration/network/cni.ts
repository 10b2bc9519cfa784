import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { NodeOptions } from './node';
import { type NetnsLab } from './netns';

/** Debian's plugins. */
const PLUGINS = '/usr/lib/cni';

/** The folders of one node with CNI, and plugins of the test's own. */
export class CniFolders implements Disposable {
  private readonly dir = mkdtempSync(join(tmpdir(), 'cni-test-'));
  readonly leases = join(this.dir, 'leases');

  constructor(private readonly name = 'net') {
    for (const folder of ['net.d', 'bin']) mkdirSync(join(this.dir, folder));
  }

  get options(): NonNullable<NodeOptions['cni']> {
    return {
      configDir: join(this.dir, 'net.d'),
      pluginPath: [join(this.dir, 'bin'), PLUGINS],
      recordDir: join(this.dir, 'records'),
    };
  }

  node(lab: NetnsLab, netns: string, more: Partial<NodeOptions> = {}) {
    const cni = { ...this.options, ...more.cni };
    return lab.node(netns, { podCidrs: ['10.77.1.0/24'], interfacePrefix: 'nwt', ...more, cni });
  }

  configure(plugins: readonly object[], more: object = {}, file = '10-net.conflist'): void {
    const list = { cniVersion: '1.0.0', name: this.name, plugins, ...more };
    writeFileSync(join(this.dir, 'net.d', file), JSON.stringify(list));
  }

  /** With the node's ranges, or those that are told. */
  bridge(more: object = {}, ranges?: readonly (readonly object[])[]): object {
    const routes = [{ dst: '0.0.0.0/0' }];
    const ipam = { type: 'host-local', dataDir: this.leases, routes, ranges };
    const capabilities = ranges === undefined ? { ipRanges: true } : {};
    return { type: 'bridge', bridge: 'cni0', isGateway: true, ipam, capabilities, ...more };
  }

  /** A plugin that notes how it is called, then does what the script says. `IN`: its input's file. */
  plugin(type: string, script: string): void {
    const file = join(this.dir, 'bin', type);
    const log = join(this.dir, `${type}.log`);
    const input = `${log}.$$`;
    writeFileSync(
      file,
      `#!/bin/sh\nIN=${input}; cat > $IN\n` +
        `[ "$CNI_COMMAND" = VERSION ] && exec echo '${VERSIONS}'\n` +
        `echo "$CNI_COMMAND|$CNI_CONTAINERID|$CNI_NETNS|$CNI_ARGS|$(cat $IN)" >> ${log}\n` +
        `${script}\n`,
    );
    chmodSync(file, 0o755);
  }

  /** How a plugin of `plugin` has been called. */
  calls(type: string) {
    let text: string;
    try {
      text = readFileSync(join(this.dir, `${type}.log`), 'utf8');
    } catch {
      return [];
    }
    // What stands behind the last end of a line is being written.
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [command = '', sandboxId = '', netns = '', args = '', ...input] = line.split('|');
        return { command, sandboxId, netns, args, input: JSON.parse(input.join('|')) };
      });
  }

  leased(): readonly string[] {
    return filesIn(join(this.leases, this.name)).filter((name) => /^[0-9a-f.:]+$/.test(name));
  }

  records(): readonly string[] {
    return filesIn(this.options.recordDir);
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const filesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
};

const VERSIONS = JSON.stringify({
  cniVersion: '1.1.0',
  supportedVersions: ['0.3.1', '0.4.0', '1.0.0', '1.1.0'],
});

/** What a plugin that has nothing to add says. */
export const PASS_ON = `[ "$CNI_COMMAND" = ADD ] && ${process.execPath} -e 'console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(process.argv[1])).prevResult))' $IN; exit 0`;
