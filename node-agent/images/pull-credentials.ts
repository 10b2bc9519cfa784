import { z } from 'zod';

import type { Pod } from '../../api/types';
import type { RegistryCredentials } from '../../runtime/image-service';
import type { ObjectSource } from '../pods/environment';
import { parseJson } from '../../lib/json';

const entry = z.object({
  username: z.string().optional(),
  password: z.string().optional(),
  auth: z.string().optional(),
});
const auths = z.record(z.string(), entry);

/** The best match among the pod's imagePullSecrets; what is malformed or missing is passed over. */
export const pullCredentials = (
  pod: Pod,
  reference: string,
  objects: ObjectSource,
): RegistryCredentials | undefined => {
  const image = withRegistry(reference);
  const found: { readonly prefix: string; readonly credentials: RegistryCredentials }[] = [];
  for (const { name = '' } of pod.spec.imagePullSecrets ?? []) {
    const data = objects.secret(pod.metadata.namespace ?? '', name)?.data ?? {};
    for (const [server, value] of Object.entries(parseAuths(data))) {
      const prefix = server.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
      const known = prefix === 'index.docker.io' ? 'docker.io' : prefix;
      const credentials = credentialsOf(value);
      const matches = image === known || image.startsWith(`${known}/`);
      if (matches && credentials !== undefined) found.push({ prefix: known, credentials });
    }
  }
  return found.sort((a, b) => b.prefix.length - a.prefix.length)[0]?.credentials;
};

const parseAuths = (data: Readonly<Record<string, string>>): z.infer<typeof auths> => {
  const json = data['.dockerconfigjson'] ?? data['.dockercfg'];
  if (json === undefined) return {};
  try {
    const value = parseJson(Buffer.from(json, 'base64').toString()) as { auths?: unknown };
    return auths.parse(data['.dockerconfigjson'] === undefined ? value : value.auths);
  } catch {
    return {};
  }
};

const credentialsOf = ({
  username,
  password,
  auth,
}: z.infer<typeof entry>): RegistryCredentials | undefined => {
  if (username !== undefined && password !== undefined) return { username, password };
  if (auth === undefined) return undefined;
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0
    ? undefined
    : { username: text.slice(0, colon), password: text.slice(colon + 1) };
};

const withRegistry = (reference: string): string => {
  const first = reference.split('/', 1)[0] ?? '';
  const hasRegistry =
    reference.includes('/') &&
    (first.includes('.') || first.includes(':') || first === 'localhost');
  return hasRegistry ? reference : `docker.io/${reference}`;
};
