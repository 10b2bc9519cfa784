import type { Container, Pod } from '../../api/types';
import type { Clock } from '../../lib/clock';
import { describeError } from '../../lib/log';
import { podSpan, spanning, type Tracing } from '../../lib/tracing/tracing';
import {
  ImageError,
  type ImageService,
  type LocalImage,
  type RegistryCredentials,
} from '../../runtime/image-service';
import type { EventReport, EventSink } from '../outbox/event-outbox';
import type { AgentSettings } from '../settings';
import type { ObjectSource } from '../pod-spec/environment';
import { pullSecretsOf, type SecretCredentials } from './pull-credentials';
import type { PullRecords } from './pull-records';
import type { Volume } from '../volumes/volume-content';
import { stringifyJson } from '../../lib/json';

/** The image is not there yet; becomes the container's waiting reason. */
export class ImageWaitError extends Error {
  override readonly name = 'ImageWaitError';

  constructor(
    readonly reason: string,
    message: string,
    /** When (monotonic) trying again makes sense; undefined: when the pod changes. */
    readonly retryAtMs: number | undefined,
  ) {
    super(message);
  }
}

interface Failure {
  readonly step: number;
  readonly retryAtMs: number;
  readonly message: string;
}

type ImageVolumeSource = NonNullable<Volume['image']>;

interface Wanted {
  readonly reference: string;
  readonly policy: string | undefined;
  /** What of the pod its events are about; undefined: all of it. */
  readonly path: string | undefined;
}

/** What is wanted for one container, or as a volume. */
interface Request {
  readonly pod: Pod;
  readonly reference: string;
  readonly policy: string;
  readonly emit: (event: EventReport) => void;
  /** What its pod can show to a registry. */
  readonly offered: readonly SecretCredentials[];
}

const MAX_REMEMBERED_FAILURES = 1000;

/**
 * Brings images by `imagePullPolicy`, with a back-off per image and credentials that all pods share.
 * An image that is here is given only to pods that could have pulled it.
 */
export class ImagePuller {
  private readonly failures = new Map<string, Failure>();

  constructor(
    private readonly deps: {
      readonly images: ImageService;
      readonly records: PullRecords;
      readonly objects: ObjectSource;
      readonly events: EventSink;
      readonly clock: Clock;
      readonly settings: AgentSettings;
      /** Undefined: nothing is traced. */
      readonly tracing?: Tracing | undefined;
    },
  ) {}

  /** The image that a container runs. @throws ImageWaitError */
  ensure(pod: Pod, container: Container, signal: AbortSignal): Promise<LocalImage> {
    const { image = '', imagePullPolicy } = container;
    const path = fieldPathOf(pod, container);
    return this.ensureImage(pod, { reference: image, policy: imagePullPolicy, path }, signal);
  }

  /** The image that is a volume of the pod. @throws ImageWaitError */
  ensureVolume(pod: Pod, source: ImageVolumeSource, signal: AbortSignal): Promise<LocalImage> {
    const { reference = '', pullPolicy: policy } = source;
    return this.ensureImage(pod, { reference, policy, path: undefined }, signal);
  }

  private async ensureImage(pod: Pod, wanted: Wanted, signal: AbortSignal): Promise<LocalImage> {
    const { reference, path } = wanted;
    const emit = (event: EventReport) => this.deps.events.emit(pod, event, path);
    const policy = wanted.policy ?? defaultPolicy(reference);
    const present = await this.find(reference, emit);
    if (policy === 'Never' && present === undefined) throw this.neverPull(reference, emit);
    const request = { pod, reference, policy, emit, offered: this.offeredBy(pod, reference) };
    // A digest names the content itself: what is here cannot have changed.
    const isWanted = policy === 'Always' && !reference.includes('@');
    if (isWanted || present === undefined) return await this.pull(request, signal);
    await this.checkAccess(present, request, signal);
    const message = `Container image "${reference}" already present on machine and can be accessed by the pod`;
    emit({ type: 'Normal', reason: 'Pulled', message });
    return present;
  }

  private async find(
    reference: string,
    emit: (event: EventReport) => void,
  ): Promise<LocalImage | undefined> {
    try {
      return await this.deps.images.find(reference);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      // The parser of names says what was tried, too.
      const { message } = error;
      emit({ type: 'Warning', reason: 'InspectFailed', message });
      throw new ImageWaitError('InvalidImageName', message, undefined);
    }
  }

  private neverPull(reference: string, emit: Request['emit'], why = ''): ImageWaitError {
    const message = `Container image "${reference}" is not present with pull policy of Never`;
    emit({ type: 'Warning', reason: 'ErrImageNeverPull', message });
    return new ImageWaitError('ErrImageNeverPull', message + why, undefined);
  }

  /** Those of the pod's secrets that fit; tells people of secrets that are not there. */
  private offeredBy(pod: Pod, reference: string): readonly SecretCredentials[] {
    const { objects, events } = this.deps;
    const { fitting, missing } = pullSecretsOf(pod, reference, objects);
    if (missing.length > 0) {
      const message = `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`;
      events.emit(pod, { type: 'Warning', reason: 'FailedToRetrieveImagePullSecret', message });
    }
    return fitting;
  }

  private async pull(request: Request, signal: AbortSignal): Promise<LocalImage> {
    const { images, records, clock, tracing } = this.deps;
    const { pod, reference, emit, offered } = request;
    this.refuseDuringBackoff(request);
    emit({ type: 'Normal', reason: 'Pulling', message: `Pulling image "${reference}"` });
    const startedMs = clock.monotonicMs();
    try {
      const credentials = credentialsOf(request);
      const pull = () => images.pull(reference, { credentials }, signal);
      const span = podSpan(tracing, pod.metadata.uid, 'Pull image', () => ({
        attributes: { 'container.image.name': reference },
      }));
      const image = await spanning(span, records.recording(reference, offered, pull));
      this.failures.delete(keyOf(request));
      const seconds = ((clock.monotonicMs() - startedMs) / 1000).toFixed(3);
      const message = `Successfully pulled image "${reference}" in ${seconds}s. Image size: ${image.sizeBytes} bytes.`;
      emit({ type: 'Normal', reason: 'Pulled', message });
      return image;
    } catch (error) {
      signal.throwIfAborted();
      throw this.fail(request, error);
    }
  }

  /**
   * An image that others brought with their credentials: unless the pod has them, too, it must show
   * that its registry gives it the image. @throws ImageWaitError
   */
  private async checkAccess(
    { id }: LocalImage,
    request: Request,
    signal: AbortSignal,
  ): Promise<void> {
    const { images, records } = this.deps;
    const { pod, reference, policy, emit, offered } = request;
    if (records.allows(id, reference, offered)) return;
    try {
      this.refuseDuringBackoff(request);
      const used = await images.authenticate(reference, credentialsOf(request), signal);
      await records.note(id, reference, offered, used);
      this.failures.delete(keyOf(request));
    } catch (error) {
      signal.throwIfAborted();
      const isBackOff = error instanceof ImageWaitError;
      const expected = records.expectedSecrets(id, reference, pod.metadata.namespace ?? '');
      const failure = isBackOff ? error : this.fail(request, notAllowed(error, expected));
      if (policy !== 'Never') throw failure;
      throw this.neverPull(reference, emit, `: ${failure.message}`);
    }
  }

  private refuseDuringBackoff(request: Request): void {
    const { reference, emit } = request;
    const failure = this.failures.get(keyOf(request));
    if (failure === undefined || failure.retryAtMs <= this.deps.clock.monotonicMs()) return;
    const message = `Back-off pulling image "${reference}"`;
    emit({ type: 'Normal', reason: 'BackOff', message });
    throw new ImageWaitError(
      'ImagePullBackOff',
      `${message}: ErrImagePull: ${failure.message}`,
      failure.retryAtMs,
    );
  }

  private fail(request: Request, error: unknown): ImageWaitError {
    const { clock, settings } = this.deps;
    const { reference, emit } = request;
    const key = keyOf(request);
    const message = error instanceof Error ? error.message : String(error);
    const step = (this.failures.get(key)?.step ?? -1) + 1;
    const delayMs = Math.min(
      settings.imageBackoffMaxMs,
      settings.imageBackoffInitialMs * 2 ** Math.min(step, 30),
    );
    const retryAtMs = clock.monotonicMs() + delayMs;
    this.failures.delete(key);
    this.failures.set(key, { step, retryAtMs, message });
    const [oldest] = this.failures.keys();
    if (this.failures.size > MAX_REMEMBERED_FAILURES && oldest !== undefined)
      this.failures.delete(oldest);
    const full = `Failed to pull image "${reference}": ${message}`;
    emit({ type: 'Warning', reason: 'Failed', message: full });
    emit({ type: 'Warning', reason: 'Failed', message: 'Error: ErrImagePull' });
    const code = error instanceof ImageError ? error.code : 'ErrImagePull';
    // Soon asked again, the back-off is what shows until the next real try.
    return new ImageWaitError(
      code,
      message,
      clock.monotonicMs() + Math.min(delayMs, settings.retryMs),
    );
  }
}

const credentialsOf = ({ offered }: Request): readonly RegistryCredentials[] =>
  offered.map(({ credentials }) => credentials);

/** New credentials are worth a new try at once, and those of others say nothing of ours. */
const keyOf = (request: Request): string =>
  `${request.reference} ${stringifyJson(credentialsOf(request))}`;

const notAllowed = (error: unknown, expected: readonly string[]): Error => {
  const secrets = expected.length === 0 ? '' : ` with secret ${expected.slice(0, 5).join(' or ')}`;
  const message = `it is on this node, pulled${secrets || ' with credentials of others'}, and this pod has to show that it may use it: ${describeError(error)}`;
  return error instanceof ImageError ? new ImageError(error.code, message) : new Error(message);
};

/** Always for `latest` and for no tag, which is the same. */
const defaultPolicy = (reference: string): string => {
  const name = reference.slice(reference.lastIndexOf('/') + 1);
  if (name.includes('@')) return 'IfNotPresent';
  return !name.includes(':') || name.endsWith(':latest') ? 'Always' : 'IfNotPresent';
};

export const fieldPathOf = (pod: Pod, { name }: Container): string =>
  `spec.${
    (['containers', 'ephemeralContainers'] as const).find((list) =>
      pod.spec[list]?.some((container) => container.name === name),
    ) ?? 'initContainers'
  }{${name}}`;
