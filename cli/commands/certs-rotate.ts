import { join } from 'node:path';
import { rotateCertificates } from '../../control-plane/pki/pki';
import { rfc3339, systemClock } from '../../lib/clock';
import type { Terminal } from '../output/terminal';
import { dataDirOf, type ServerOptions } from './server-folder';

/** Whether the server runs or not: one that does takes them up by itself. */
export const rotate = async (terminal: Terminal, options: ServerOptions): Promise<void> => {
  const folder = dataDirOf(options);
  const rotated = await rotateCertificates(join(folder, 'pki'), systemClock);
  for (const { name, life } of rotated)
    terminal.out.write(`${name}: made anew, good until ${rfc3339(life.untilMs)}\n`);
  terminal.out.write(
    'A server that runs takes them up within a minute, and writes admin.kubeconfig anew; one that does not, as it starts.\n',
  );
};
