import { join } from 'node:path';
import {
  beginAuthorityRotation,
  existingAuthorities,
  finishAuthorityRotation,
} from '../../control-plane/pki/authorities';
import { rotateCertificates } from '../../control-plane/pki/pki';
import { rfc3339, systemClock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import type { Terminal } from '../output/terminal';
import { UsageError } from '../usage-error';
import { authorityUseOf } from './authority-use';
import { dataDirOf, type ServerOptions } from './server-folder';

export interface RotateOptions extends ServerOptions {
  /** The authority, in the place of what it signed. */
  readonly ca?: boolean;
  /** The former authority is believed no more. */
  readonly finish?: boolean;
  /** Though there are nodes of the former one, or nobody knows. */
  readonly force?: boolean;
}

/** Whether the server runs or not: one that does takes them up by itself. */
export const rotate = async (terminal: Terminal, options: RotateOptions): Promise<void> => {
  const { ca = false, finish = false, force = false } = options;
  if (finish && !ca) throw new UsageError('--finish goes with --ca');
  if (force && !finish) throw new UsageError('--force goes with --ca --finish');
  const dataDir = dataDirOf(options);
  const say = (text: string) => void terminal.out.write(`${text}\n`);
  if (finish) await finishAuthority(dataDir, force, say);
  else if (ca) await beginAuthority(dataDir, say);
  else await rotateLeaves(dataDir, say);
};

type Say = (text: string) => void;

const rotateLeaves = async (dataDir: string, say: Say): Promise<void> => {
  for (const { name, life } of await rotateCertificates(join(dataDir, 'pki'), systemClock))
    say(`${name}: made anew, good until ${rfc3339(life.untilMs)}`);
  say(
    'A server that runs takes them up within a minute, and writes admin.kubeconfig anew; one that does not, as it starts.',
  );
};

const beginAuthority = async (dataDir: string, say: Say): Promise<void> => {
  const { next } = await beginAuthorityRotation(join(dataDir, 'pki'), systemClock);
  say(`ca-next: trusted beside the present authority, good until ${rfc3339(next.life.untilMs)}`);
  say(
    'A server that runs takes it up within a minute, and its nodes get certificates of it by themselves. Give people new copies of the kubeconfig;',
  );
  say('once dhow certs check names no node any more: dhow certs rotate --ca --finish');
};

const finishAuthority = async (dataDir: string, isForced: boolean, say: Say): Promise<void> => {
  const pki = join(dataDir, 'pki');
  const { next } = await existingAuthorities(pki);
  if (next !== undefined && !isForced) await refuseFormer(dataDir, next.hash);
  const current = await finishAuthorityRotation(pki);
  say(`ca: the next authority is the only one, good until ${rfc3339(current.life.untilMs)}`);
  say(
    'A server that runs takes that up within a minute. Older copies of the kubeconfig and join tokens made before are of no use then.',
  );
};

/** @throws UsageError */
const refuseFormer = async (dataDir: string, nextHash: string): Promise<void> => {
  const { former } = await authorityUseOf(dataDir, nextHash).catch((error: unknown) => {
    throw new UsageError(
      `nobody can tell which nodes have certificates of the next authority: ${describeError(error)}. Start the server; or --force, and nodes that have none join again with a token`,
    );
  });
  if (former.length > 0)
    throw new UsageError(
      `these nodes still have certificates of the former authority: ${former.join(', ')}. Start their agents, or delete the nodes; or --force, and they join again with a token`,
    );
};
