import type { Container, Pod } from '../../api/types';
import type { Clock } from '../../lib/clock';
import {
  ImageError,
  type ImageService,
  type LocalImage,
  type RegistryCredentials,
} from '../../runtime/image-service';
import type { EventReport, EventSink } from '../session/event-outbox';
import type { AgentSettings } from '../settings';
import type { ObjectSource } from '../pods/environment';
import { pullSecretsOf, type SecretCredentials } from './pull-credentials';
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
  /** What was tried with: new credentials are worth a new try at once. */
  readonly credentials: string;
}

const MAX_REMEMBERED_FAILURES = 1000;

/** Brings images by `imagePullPolicy`, with a back-off per image that all pods share. */
export class ImagePuller {
  private readonly failures = new Map<string, Failure>();

  constructor(
    private readonly deps: {
      readonly images: ImageService;
      readonly objects: ObjectSource;
      readonly events: EventSink;
      readonly clock: Clock;
      readonly settings: AgentSettings;
    },
  ) {}

  /** @throws ImageWaitError */
  async ensure(pod: Pod, container: Container, signal: AbortSignal): Promise<LocalImage> {
    const reference = container.image ?? '';
    const emit = (event: EventReport) =>
      this.deps.events.emit(pod, event, fieldPathOf(pod, container));
    const policy = container.imagePullPolicy ?? defaultPolicy(reference);
    const present = await this.find(reference, emit);
    if (policy === 'Never' && present === undefined) {
      const message = `Container image "${reference}" is not present with pull policy of Never`;
      emit({ type: 'Warning', reason: 'ErrImageNeverPull', message });
      throw new ImageWaitError('ErrImageNeverPull', message, undefined);
    }
    if (policy !== 'Always' && present !== undefined) {
      const message = `Container image "${reference}" already present on machine`;
      emit({ type: 'Normal', reason: 'Pulled', message });
      return present;
    }
    return await this.pull(pod, reference, emit, signal);
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

  private async pull(
    pod: Pod,
    reference: string,
    emit: (event: EventReport) => void,
    signal: AbortSignal,
  ): Promise<LocalImage> {
    const { images, clock } = this.deps;
    const credentials = this.credentials(pod, reference).map((each) => each.credentials);
    this.refuseDuringBackoff(reference, credentials, emit);
    emit({ type: 'Normal', reason: 'Pulling', message: `Pulling image "${reference}"` });
    const startedMs = clock.monotonicMs();
    try {
      const image = await images.pull(reference, { credentials }, signal);
      this.failures.delete(reference);
      const seconds = ((clock.monotonicMs() - startedMs) / 1000).toFixed(3);
      const message = `Successfully pulled image "${reference}" in ${seconds}s. Image size: ${image.sizeBytes} bytes.`;
      emit({ type: 'Normal', reason: 'Pulled', message });
      return image;
    } catch (error) {
      signal.throwIfAborted();
      throw this.fail(reference, credentials, error, emit);
    }
  }

  /** Those of the pod's secrets that fit; tells people of secrets that are not there. */
  private credentials(pod: Pod, reference: string): readonly SecretCredentials[] {
    const { objects, events } = this.deps;
    const { fitting, missing } = pullSecretsOf(pod, reference, objects);
    if (missing.length > 0) {
      const message = `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`;
      events.emit(pod, { type: 'Warning', reason: 'FailedToRetrieveImagePullSecret', message });
    }
    return fitting;
  }

  private refuseDuringBackoff(
    reference: string,
    credentials: readonly RegistryCredentials[],
    emit: (event: EventReport) => void,
  ): void {
    const failure = this.failures.get(reference);
    if (failure === undefined || failure.retryAtMs <= this.deps.clock.monotonicMs()) return;
    if (failure.credentials !== stringifyJson(credentials)) return;
    const message = `Back-off pulling image "${reference}"`;
    emit({ type: 'Normal', reason: 'BackOff', message });
    throw new ImageWaitError(
      'ImagePullBackOff',
      `${message}: ErrImagePull: ${failure.message}`,
      failure.retryAtMs,
    );
  }

  private fail(
    reference: string,
    credentials: readonly RegistryCredentials[],
    error: unknown,
    emit: (event: EventReport) => void,
  ): ImageWaitError {
    const { clock, settings } = this.deps;
    const message = error instanceof Error ? error.message : String(error);
    const step = (this.failures.get(reference)?.step ?? -1) + 1;
    const delayMs = Math.min(
      settings.imageBackoffMaxMs,
      settings.imageBackoffInitialMs * 2 ** Math.min(step, 30),
    );
    const retryAtMs = clock.monotonicMs() + delayMs;
    this.failures.delete(reference);
    this.failures.set(reference, {
      step,
      retryAtMs,
      message,
      credentials: stringifyJson(credentials),
    });
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

/** Always for `latest` and for no tag, which is the same. */
const defaultPolicy = (reference: string): string => {
  const name = reference.slice(reference.lastIndexOf('/') + 1);
  if (name.includes('@')) return 'IfNotPresent';
  return !name.includes(':') || name.endsWith(':latest') ? 'Always' : 'IfNotPresent';
};

export const fieldPathOf = (pod: Pod, { name }: Container): string =>
  pod.spec.containers.some((container) => container.name === name)
    ? `spec.containers{${name}}`
    : `spec.initContainers{${name}}`;
