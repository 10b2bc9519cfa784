import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { hasErrorCode, writeFileDurable } from '../files';
import { parseJson, stringifyJson } from '../../lib/json';

/** Who this node is to the server, once it has joined. */
export interface NodeIdentity {
  readonly nodeName: string;
  readonly certificate: string;
  readonly key: string;
  readonly caCertificate: string;
  readonly caHash: string;
  readonly agentsPort: number;
}

const schema = z.object({
  nodeName: z.string(),
  certificate: z.string(),
  key: z.string(),
  caCertificate: z.string(),
  caHash: z.string(),
  agentsPort: z.number(),
});

/** The identity in the state folder, readable by root only. */
export class IdentityStore {
  private readonly path: string;
  private readonly idPath: string;

  constructor(stateDir: string) {
    this.path = join(stateDir, 'identity.json');
    this.idPath = join(stateDir, 'agent-id');
  }

  /** The same for the life of the state folder. */
  agentId(): string {
    const stored = read(this.idPath)?.trim();
    if (stored !== undefined && stored !== '') return stored;
    const id = randomUUID();
    writeFileDurable(this.idPath, `${id}\n`);
    return id;
  }

  /** Undefined before the first join. @throws Error when the file is damaged. */
  load(): NodeIdentity | undefined {
    const text = read(this.path);
    if (text === undefined) return undefined;
    try {
      return schema.parse(parseJson(text));
    } catch (error) {
      throw new Error(`${this.path} is damaged: remove it to join again`, { cause: error });
    }
  }

  save(identity: NodeIdentity): void {
    writeFileDurable(this.path, stringifyJson(identity));
  }

  forget(): void {
    rmSync(this.path, { force: true });
  }
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
};
