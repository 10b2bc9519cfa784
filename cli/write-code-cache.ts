import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { codeCacheFile, loadBundle } from './bundle';
import { stringifyJson } from '../lib/json';

/**
 * A step of the build: runs `get` against nobody, and keeps what V8 compiled on the way. That is the same each
 * time, wherever the build lies, if V8 was told its seeds at the start (`--hash-seed`, `--random-seed`).
 */
const writeCodeCache = async (): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'dhow-build-'));
  try {
    const kubeconfig = join(directory, 'kubeconfig');
    writeFileSync(kubeconfig, stringifyJson(NOBODY));
    rmSync(codeCacheFile('commands'), { force: true });
    const { main, script } = loadBundle('commands', 'commands.js');
    // It fails, having connected: what it has to say of that is of no interest.
    process.stderr.write = () => true;
    await main(['get', 'pods', '--kubeconfig', kubeconfig]);
    // V8 takes a cache only if it was made under the flags of the day, which have no seeds.
    for (const flag of SEEDS) setFlagsFromString(`${flag}=0`);
    writeFileSync(codeCacheFile('commands'), script.createCachedData());
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

const NOBODY = {
  'current-context': 'nobody',
  contexts: [{ name: 'nobody', context: { cluster: 'nowhere', user: 'nobody' } }],
  clusters: [{ name: 'nowhere', cluster: { server: 'https://127.0.0.1:1' } }],
  users: [{ name: 'nobody', user: { token: 'none' } }],
};

const SEEDS = ['--hash-seed', '--random-seed'];

void writeCodeCache();
