import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseJson, stringifyJson } from '../../lib/json';
import { writeFileDurable } from '../files';
import type { EndpointMemory } from './server-list';

/** The servers that an agent has learned of, beside its identity. A file that is no good counts as none. */
export const serverMemoryIn = (stateDir: string): EndpointMemory => {
  const path = join(stateDir, 'servers.json');
  return {
    load: () => {
      try {
        return SCHEMA.parse(parseJson(readFileSync(path, 'utf8')));
      } catch {
        return { learned: [], last: undefined };
      }
    },
    save: (known) => writeFileDurable(path, stringifyJson(known)),
  };
};

const endpoint = z.object({
  host: z.string().min(1).max(253),
  port: z.number().int().min(1).max(65_535),
});
const SCHEMA = z.object({
  learned: z.array(endpoint).max(64),
  last: endpoint.optional().transform((each) => each),
});
