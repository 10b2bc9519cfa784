import { hasReason } from '../../../api/errors';
import { jsonEqual } from '../../../api/json-value';
import { HORIZONTAL_POD_AUTOSCALERS, PODS, type Resource } from '../../../api/resources';
import { POD_METRICS } from '../../../api/resource-metrics';
import type { Scale } from '../../../api/scale';
import {
  matchesRequirements,
  parseLabelSelector,
  SelectorError,
  type LabelRequirement,
} from '../../../api/selectors';
import { keyOf, uidOf, type HorizontalPodAutoscaler, type Pod } from '../../../api/types';
import type { Informer } from '../../../client/informer';
import type { ServedResources } from '../../../client/served-resources';
import { WorkQueue } from '../../../client/work-queue';
import { rfc3339 } from '../../../lib/clock';
import { describeError } from '../../../lib/log';
import { subject, Subscriptions, type Controller, type ControllerDeps } from '../controller';
import { firstHistory, rescaled, type History } from './history';
import type { MetricsAnswer } from './metric-values';
import { needsMetrics, planAutoscaler, warning, type Plan, type Told } from './plan';
import { ScaleTargets } from './scale-target';
import { afterFailedRescale, afterRescale, withoutScale, type AutoscalerStatus } from './status';

/** Sets how many replicas each target of an autoscaler has, by what its pods use. */
export class HorizontalPodAutoscalerController implements Controller {
  readonly name = 'horizontal-pod-autoscaler';
  private readonly queue: WorkQueue;
  private readonly autoscalers: Informer<HorizontalPodAutoscaler>;
  private readonly pods: Informer<Pod>;
  private readonly targets: ScaleTargets;
  /** By uid. */
  private readonly histories = new Map<string, History>();
  /** What the target of each selects, by the autoscaler's key. */
  private readonly selectors = new Map<string, readonly LabelRequirement[]>();

  constructor(
    private readonly deps: ControllerDeps,
    served: Pick<ServedResources, 'resources'>,
  ) {
    this.autoscalers = deps.informers.of(HORIZONTAL_POD_AUTOSCALERS);
    this.pods = deps.informers.of(PODS);
    this.targets = new ScaleTargets(deps.client, served);
    this.queue = new WorkQueue(this.name, deps, {
      subjectOf: (key) => subject(HORIZONTAL_POD_AUTOSCALERS, this.autoscalers.get(key)),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    using subscriptions = new Subscriptions();
    subscriptions.add(
      this.autoscalers.subscribe({
        name: this.name,
        // As upstream: what comes with its target finds pods by then.
        onAdd: (autoscaler) => this.queue.addAfter(keyOf(autoscaler), PERIOD_MS),
        onUpdate: (autoscaler, previous) => {
          if (!jsonEqual(autoscaler.spec, previous.spec)) this.queue.add(keyOf(autoscaler));
        },
        onDelete: (autoscaler) => {
          this.histories.delete(uidOf(autoscaler));
          this.selectors.delete(keyOf(autoscaler));
        },
      }),
    );
    await Promise.all([this.autoscalers.whenSynced(), this.pods.whenSynced()]);
    await this.queue.run((key, work) => this.reconcile(key, work), WORKERS, signal);
  }

  private async reconcile(key: string, signal: AbortSignal): Promise<void> {
    const autoscaler = this.autoscalers.get(key);
    if (autoscaler?.spec === undefined || autoscaler.metadata.deletionTimestamp !== undefined)
      return;
    this.queue.addAfter(key, PERIOD_MS);
    const { scaleTargetRef } = autoscaler.spec;
    const { namespace = '' } = autoscaler.metadata;
    let resource: Resource;
    let scale: Scale;
    try {
      resource = this.targets.resourceOf(scaleTargetRef);
      scale = await this.targets.scaleOf(resource, namespace, scaleTargetRef, signal);
    } catch (error) {
      signal.throwIfAborted();
      const why = describeError(error);
      this.tell(autoscaler, warning('FailedGetScale', why));
      return this.write(autoscaler, withoutScale(autoscaler.status, why, this.now()), signal);
    }
    const plan = await this.plan(autoscaler, scale, signal);
    for (const event of plan.events) this.tell(autoscaler, event);
    this.histories.set(uidOf(autoscaler), plan.history);
    const status = await this.carryOut({ autoscaler, resource, scale }, plan, signal);
    await this.write(autoscaler, status, signal);
  }

  private async plan(
    autoscaler: HorizontalPodAutoscaler,
    scale: Scale,
    signal: AbortSignal,
  ): Promise<Plan> {
    const { clock, log } = this.deps;
    const { namespace = '' } = autoscaler.metadata;
    const { selector = '' } = scale.status;
    this.noteSelector(keyOf(autoscaler), selector);
    const answer = needsMetrics(autoscaler, scale)
      ? await this.metrics(namespace, selector, signal)
      : { items: [] };
    const monotonicMs = clock.monotonicMs();
    const history =
      this.histories.get(uidOf(autoscaler)) ?? firstHistory(scale.spec.replicas ?? 0, monotonicMs);
    const plan = planAutoscaler({
      ...{ autoscaler, scale, answer, history, monotonicMs, nowMs: clock.now() },
      pods: [...this.pods.list()].filter(({ metadata }) => metadata.namespace === namespace),
      selecting: (pods) => this.selecting(namespace, pods),
    });
    const { problem } = plan;
    if (problem !== undefined)
      log.debug({ autoscaler: keyOf(autoscaler), problem }, 'metrics are missing');
    return plan;
  }

  private async metrics(
    namespace: string,
    labelSelector: string,
    signal: AbortSignal,
  ): Promise<MetricsAnswer> {
    try {
      const options = { namespace, labelSelector };
      return { items: (await this.deps.client.list(POD_METRICS, options, signal)).items };
    } catch (error) {
      signal.throwIfAborted();
      // A client of upstream's says what it asked for.
      const asked = hasReason(error, 'NotFound') ? ' (get pods.metrics.k8s.io)' : '';
      return { failure: `${describeError(error)}${asked}` };
    }
  }

  private async carryOut(
    {
      autoscaler,
      resource,
      scale,
    }: {
      readonly autoscaler: HorizontalPodAutoscaler;
      readonly resource: Resource;
      readonly scale: Scale;
    },
    { status, rescale, history }: Plan,
    signal: AbortSignal,
  ): Promise<AutoscalerStatus> {
    if (rescale === undefined) return status;
    const { replicas, reason } = rescale;
    const said = `New size: ${replicas}; reason: ${reason}`;
    try {
      await this.targets.resize(resource, scale, replicas, signal);
    } catch (error) {
      signal.throwIfAborted();
      const why = describeError(error);
      this.tell(autoscaler, warning('FailedRescale', `${said}; error: ${why}`));
      return afterFailedRescale(status, autoscaler.status, why, this.now());
    }
    this.tell(autoscaler, { type: 'Normal', reason: 'SuccessfulRescale', message: said });
    const nowMs = this.deps.clock.monotonicMs();
    const before = scale.spec.replicas ?? 0;
    this.histories.set(uidOf(autoscaler), rescaled(history, before, replicas, nowMs));
    return afterRescale(status, this.now());
  }

  private noteSelector(key: string, selector: string): void {
    try {
      this.selectors.set(key, parseLabelSelector(selector));
    } catch (error) {
      if (!(error instanceof SelectorError)) throw error;
      this.selectors.delete(key);
    }
  }

  /** `namespace/name` of each autoscaler there whose target selects one of these. */
  private selecting(namespace: string, pods: readonly Pod[]): readonly string[] {
    return [...this.selectors]
      .filter(
        ([key, requirements]) =>
          requirements.length > 0 &&
          key.startsWith(`${namespace}/`) &&
          pods.some(({ metadata }) => matchesRequirements(requirements, metadata.labels ?? {})),
      )
      .map(([key]) => key)
      .sort();
  }

  private tell(autoscaler: HorizontalPodAutoscaler, { type, reason, message }: Told): void {
    this.deps.events.event(HORIZONTAL_POD_AUTOSCALERS, autoscaler, type, reason, message);
  }

  private now(): string {
    return rfc3339(this.deps.clock.now());
  }

  private async write(
    autoscaler: HorizontalPodAutoscaler,
    status: AutoscalerStatus,
    signal: AbortSignal,
  ): Promise<void> {
    if (jsonEqual(status, autoscaler.status)) return;
    const options = { subresource: 'status' } as const;
    const changed = { ...autoscaler, status };
    this.autoscalers.noteWritten(
      await this.deps.client.update(HORIZONTAL_POD_AUTOSCALERS, changed, options, signal),
    );
  }
}

/** Upstream's `--horizontal-pod-autoscaler-sync-period` and `--concurrent-horizontal-pod-autoscaler-syncs`. */
const PERIOD_MS = 15_000;
const WORKERS = 5;
