import { hasReason } from '../../api/errors';
import { CERTIFICATE_REQUESTS } from '../../api/resources';
import type { CertificateSigningRequest } from '../../api/types';
import { WorkQueue } from '../../client/work-queue';
import { certificateLifeOf } from '../../lib/certificate-life';
import {
  CLIENT_SIGNER,
  KUBELET_CLIENT_SIGNER,
  KUBELET_SERVING_SIGNER,
  MalformedRequestError,
  parseCertificateRequest,
  whyNotSigned,
} from '../../lib/certificate-request';
import { Subscriptions, subject, type Controller, type ControllerDeps } from './controller';
import { sweep } from './sweep';

export interface RequestAuthority {
  /** PEM of the certificate for a request (DER). */
  signClientRequest(request: Uint8Array, lifeMs: number): Promise<string>;
  /** The same for a server that is reached by `names`, host names and addresses. */
  signServingRequest(
    request: Uint8Array,
    names: readonly string[],
    lifeMs: number,
  ): Promise<string>;
}

type Request = CertificateSigningRequest;

/** Signs what was approved for the signers of this cluster. It approves nothing by itself. */
export class CertificateSigner implements Controller {
  readonly name = 'certificate-signer';
  private readonly queue: WorkQueue;

  constructor(
    private readonly deps: ControllerDeps,
    private readonly authority: RequestAuthority,
  ) {
    const requests = deps.informers.of(CERTIFICATE_REQUESTS);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (name) => subject(CERTIFICATE_REQUESTS, requests.get(name)),
      backoff: { initialMs: 200, maxMs: 60_000 },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const requests = this.deps.informers.of(CERTIFICATE_REQUESTS);
    using subscriptions = new Subscriptions();
    const look = (request: Request) => {
      if (isDue(request)) this.queue.add(request.metadata.name);
    };
    const handlers = { name: this.name, onAdd: look, onUpdate: look, onDelete: () => undefined };
    subscriptions.add(requests.subscribe(handlers));
    await requests.whenSynced();
    await this.queue.run((name, work) => this.sign(name, work), WORKERS, signal);
  }

  private async sign(name: string, signal: AbortSignal): Promise<void> {
    const request = this.deps.informers.of(CERTIFICATE_REQUESTS).get(name);
    if (request === undefined || !isDue(request)) return;
    const status = { ...request.status, ...(await this.outcomeOf(request)) };
    try {
      const options = { subresource: 'status' as const };
      await this.deps.client.update(CERTIFICATE_REQUESTS, { ...request, status }, options, signal);
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
    }
  }

  /** The certificate, or why there will be none. */
  private async outcomeOf({ spec, status }: Request): Promise<Request['status']> {
    const failed = (message: string) => ({
      conditions: [
        ...(status?.conditions ?? []),
        { ...{ type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message } },
      ],
    });
    try {
      const parsed = await parseCertificateRequest(spec.request);
      const why = whyNotSigned(spec.signerName, parsed, spec.usages ?? []);
      if (why !== undefined) return failed(why);
      const lifeMs = (spec.expirationSeconds ?? YEAR_SECONDS) * 1000;
      const { der, dnsNames, ipAddresses } = parsed;
      const pem =
        spec.signerName === KUBELET_SERVING_SIGNER
          ? await this.authority.signServingRequest(der, [...dnsNames, ...ipAddresses], lifeMs)
          : await this.authority.signClientRequest(der, lifeMs);
      return { certificate: Buffer.from(pem).toString('base64') };
    } catch (error) {
      if (!(error instanceof MalformedRequestError)) throw error;
      return failed(error.message);
    }
  }
}

/** Deletes requests that nobody needs any more, as old as upstream lets them become. */
export class CertificateCleaner implements Controller {
  readonly name = 'certificate-cleaner';

  constructor(private readonly deps: ControllerDeps) {}

  async run(signal: AbortSignal): Promise<void> {
    const { informers, client, clock } = this.deps;
    const requests = informers.of(CERTIFICATE_REQUESTS);
    await requests.whenSynced();
    while (!signal.aborted) {
      const old = [...requests.list()].filter((request) => isOutdated(request, clock.now()));
      const remove = async ({ metadata: { name, uid = '' } }: Request) => {
        await client.delete(
          CERTIFICATE_REQUESTS,
          { namespace: '', name },
          { preconditions: { uid } },
          signal,
        );
      };
      await sweep(this.name, CERTIFICATE_REQUESTS, old, remove, this.deps, signal);
      await clock.sleep(SWEEP_PERIOD_MS, signal);
    }
  }
}

const typesOf = ({ status }: Request): readonly string[] =>
  (status?.conditions ?? []).map(({ type }) => type);

const isDue = (request: Request): boolean => {
  const types = typesOf(request);
  return (
    SIGNERS.includes(request.spec.signerName) &&
    types.includes('Approved') &&
    !types.includes('Failed') &&
    (request.status?.certificate ?? '') === ''
  );
};

/** Decided for an hour, undecided for a day, or for a certificate that has ended. */
export const isOutdated = (request: Request, nowMs: number): boolean => {
  const { conditions = [], certificate = '' } = request.status ?? {};
  if (conditions.length === 0)
    return nowMs - timeOf(request.metadata.creationTimestamp) > PENDING_LIFE_MS;
  const types = typesOf(request);
  const isDecided = certificate !== '' || types.includes('Denied') || types.includes('Failed');
  const lastMs = Math.max(...conditions.map(({ lastUpdateTime }) => timeOf(lastUpdateTime)));
  if (isDecided) return nowMs - lastMs > DECIDED_LIFE_MS || hasEnded(certificate, nowMs);
  return nowMs - lastMs > PENDING_LIFE_MS;
};

/** Other signers may have written what is no certificate. */
const hasEnded = (certificate: string, nowMs: number): boolean => {
  try {
    const pem = Buffer.from(certificate, 'base64').toString('latin1');
    return certificateLifeOf(pem).untilMs < nowMs;
  } catch {
    return false;
  }
};

const timeOf = (time: string | null | undefined): number => Date.parse(time ?? '') || 0;

const SIGNERS = [CLIENT_SIGNER, KUBELET_CLIENT_SIGNER, KUBELET_SERVING_SIGNER];
const WORKERS = 2;
const YEAR_SECONDS = 365 * 24 * 3600;
const SWEEP_PERIOD_MS = 10 * 60_000;
const DECIDED_LIFE_MS = 3_600_000;
const PENDING_LIFE_MS = 24 * 3_600_000;
