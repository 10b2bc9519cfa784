import type { SecureContext } from 'node:tls';
import { byAge } from '../../../api/ingresses';
import type { Ingress, Secret } from '../../../api/types';
import { certificatePairIn } from '../../../lib/certificate-pair';
import type { Log } from '../../../lib/log';
import { wildcardOf } from '../routing/host-and-path';

/**
 * Which certificate is shown to who asks for a host: that of the oldest ingress which says so, the very host
 * before a wildcard. An entry that names no hosts is for those of its ingress's rules.
 */
export class CertificateTable {
  /** By host: the key of a secret. */
  private secretKeys = new Map<string, string>();
  /** Made when first asked for, and again when the secret is another. */
  private readonly contexts = new WeakMap<Secret, { readonly context?: SecureContext }>();

  constructor(
    private readonly secret: (key: string) => Secret | undefined,
    private readonly log: Log,
  ) {}

  useIngresses(ingresses: Iterable<Ingress>): void {
    this.secretKeys = new Map();
    for (const { metadata, spec } of [...ingresses].sort(byAge)) {
      const ruleHosts = (spec?.rules ?? []).map(({ host = '' }) => host);
      for (const { hosts = [], secretName = '' } of spec?.tls ?? []) {
        const named = hosts.length > 0 ? hosts : ruleHosts.length > 0 ? ruleHosts : [''];
        for (const host of secretName === '' ? [] : named.map((each) => each.toLowerCase()))
          if (!this.secretKeys.has(host))
            this.secretKeys.set(host, `${metadata.namespace ?? ''}/${secretName}`);
      }
    }
  }

  /** Undefined: there is none, or none that can be read. */
  contextFor(serverName: string): SecureContext | undefined {
    const host = serverName.toLowerCase();
    for (const name of [host, wildcardOf(host), '']) {
      const key = name === undefined ? undefined : this.secretKeys.get(name);
      const context = key === undefined ? undefined : this.contextOf(key);
      if (context !== undefined) return context;
    }
    return undefined;
  }

  private contextOf(key: string): SecureContext | undefined {
    const secret = this.secret(key);
    if (secret === undefined) return undefined;
    const known = this.contexts.get(secret) ?? this.make(key, secret);
    this.contexts.set(secret, known);
    return known.context;
  }

  private make(key: string, { data }: Secret): { readonly context?: SecureContext } {
    const pair = certificatePairIn(data);
    if ('context' in pair) return pair;
    this.log.warn({ secret: key, err: pair.problem }, 'certificate that cannot be shown');
    return {};
  }
}
