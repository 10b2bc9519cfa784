import { hasStarted } from '../../api/pods';
import { nameOf, type Pod, type PodStatus, uidOf } from '../../api/types';
import { podSpan, spanning, type Span, type Tracing } from '../../lib/tracing/tracing';
import { parseTraceparent } from '../../lib/tracing/traceparent';
import type { Row } from '../../proto/gen/dhow/agent/v1/agent';
import type { NodeInfo } from '../containers/pod-deps';

/** The start of one pod, as it is traced: from when the node lets it in until it is ready, or has ended. */
export class PodTrace {
  private uid = '';
  private run: Span | undefined;
  private readiness: Span | undefined;
  /** What has succeeded and is not told again. */
  private readonly told = new Set<string>();

  constructor(
    private readonly deps: {
      readonly tracing?: Tracing | undefined;
      readonly node: () => Pick<NodeInfo, 'name'>;
    },
  ) {}

  begin(pod: Pod): void {
    const { tracing, node } = this.deps;
    if (tracing === undefined) return;
    this.uid = uidOf(pod);
    const { namespace, name } = nameOf(pod);
    this.run = podSpan(tracing, this.uid, 'Run pod', () => ({
      attributes: {
        'k8s.pod.name': name,
        'k8s.namespace.name': namespace,
        'k8s.pod.uid': this.uid,
        'k8s.node.name': node().name,
      },
    }));
    // What is done for the pod from now on is part of that.
    if (this.run !== undefined) tracing.pods.note(this.uid, this.run.context);
  }

  during<T>(name: string, work: () => Promise<T>): Promise<T> {
    return spanning(this.run?.child(name), work());
  }

  /** Of what is done again and again, the first time that it works. */
  async once<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.run === undefined || this.told.has(name)) return work();
    const result = await this.during(name, work);
    this.told.add(name);
    return result;
  }

  note(status: PodStatus): void {
    if (this.run === undefined) return;
    const { phase } = status;
    if (phase === 'Running') this.readiness ??= this.run.child('Wait until ready');
    if (phase === 'Failed') this.run.fail('the pod has failed');
    if (hasStarted({ status })) this.end();
  }

  /** Later starts of its containers are no part of it. */
  end(): void {
    this.readiness?.[Symbol.dispose]();
    if (this.run === undefined) return;
    this.run[Symbol.dispose]();
    this.run = undefined;
    this.deps.tracing?.pods.forget(this.uid);
  }
}

/** Keeps what the server says that the starts of these pods are part of. */
export const noteTraces = (tracing: Tracing | undefined, rows: readonly Row[]): void => {
  if (tracing === undefined) return;
  for (const { key, traceparent } of rows) {
    const context = parseTraceparent(traceparent);
    // What the agent has begun itself goes on.
    if (context !== undefined && tracing.pods.of(key) === undefined)
      tracing.pods.note(key, context);
  }
};
