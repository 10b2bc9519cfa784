import { status } from '@grpc/grpc-js';
import { createHash } from 'node:crypto';

import { hasReason } from '../../api/errors';
import {
  isSecretOf,
  JOIN_TOKEN_NAMESPACE,
  joinTokenName,
  joinTokenSecret,
  refusalOf,
  storedJoinTokenOf,
  withUse,
} from '../../api/join-tokens';
import { SECRETS } from '../../api/resources';
import type { Secret } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import type { Clock } from '../../lib/clock';
import { grpcError } from './node-identity';
import { withConflictRetry } from './node-registrar';

interface Joining {
  readonly nodeName: string;
  readonly agentId: string;
}

/** The join tokens that people have made, as the store has them: the same at every server. */
export class JoinTokens {
  constructor(
    private readonly client: Pick<ApiClient, 'get' | 'update'>,
    private readonly clock: Clock,
  ) {}

  /** @throws UNAUTHENTICATED that says whether `id.secret` is unknown, has expired or is used up */
  async check(token: string, joining: Joining, signal: AbortSignal): Promise<void> {
    const { id, secret } = halvesOf(token);
    this.used(await this.find(id, signal), secret, joining);
  }

  /**
   * As `check`, and counts it. To be asked after all else that may refuse an agent: a use is not given back, but for
   * one that asks again since it did not hear the answer.
   */
  async use(token: string, joining: Joining, signal: AbortSignal): Promise<void> {
    const { id, secret } = halvesOf(token);
    const read = () => this.find(id, signal);
    await withConflictRetry(await read(), read, async (current) => {
      const used = this.used(current, secret, joining);
      if (used === current) return current;
      return await this.client.update(SECRETS, used, {}, signal);
    });
  }

  /** The same Secret where the use does not count. */
  private used(current: Secret, secret: string, { nodeName, agentId }: Joining): Secret {
    const stored = storedJoinTokenOf(current);
    if (stored === undefined || !isSecretOf(stored, secret)) throw unknown();
    const use = { agent: hashOf(agentId), node: nodeName, nowMs: this.clock.now() };
    const refusal = refusalOf(stored, use);
    if (refusal !== undefined) throw grpcError(status.UNAUTHENTICATED, refusal);
    const after = withUse(stored, use);
    return after === stored ? current : { ...current, data: joinTokenSecret(after).data ?? {} };
  }

  private async find(id: string, signal: AbortSignal): Promise<Secret> {
    try {
      const name = { namespace: JOIN_TOKEN_NAMESPACE, name: joinTokenName(id) };
      return await this.client.get(SECRETS, name, signal);
    } catch (error) {
      if (hasReason(error, 'NotFound')) throw unknown();
      throw error;
    }
  }
}

/** @throws UNAUTHENTICATED */
const halvesOf = (token: string): { readonly id: string; readonly secret: string } => {
  const [, id, secret] = TOKEN.exec(token) ?? [];
  if (id === undefined || secret === undefined) throw unknown();
  return { id, secret };
};

const unknown = () => grpcError(status.UNAUTHENTICATED, 'the join token is unknown or has expired');

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
