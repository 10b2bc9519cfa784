import { secondsToMs, type Int64 } from '../../api/int64';
import type { Container } from '../../api/types';
import type { ContainerTasks } from '../containers/container-tasks';
import type { PodDeps } from '../containers/pod-deps';
import type { ObservedContainer } from '../inventory/observe';
import type { PodPlan } from '../plan/plan';
import { containerNamed } from '../pod-spec/environment';
import { watchProbes } from './pod-probes';
import type { PodRecord } from './pod-record';
import type { PodReports } from './pod-reports';
import { nextToEnd } from './worker-plan';

interface PodKillerDeps {
  readonly deps: PodDeps;
  readonly record: PodRecord;
  readonly tasks: ContainerTasks;
  readonly reports: PodReports;
  /** A verdict of a probe has changed: look again. */
  readonly onProbe: () => void;
}

/** Ends a pod's containers: all, those whose definition is now another, and those that fail their probes. */
export class PodKiller {
  constructor(private readonly parts: PodKillerDeps) {}

  /** Ends those that are to end next; true when none is alive any more. */
  async killAll(graceMs: number): Promise<boolean> {
    const { record, tasks, reports } = this.parts;
    await tasks.untilStarted();
    const kills = nextToEnd(record.pod, reports.runs()).map(async ({ id, name }) => {
      const container = containerNamed(record.pod, name);
      await this.kill(id, container, graceMs, `Stopping container ${name}`);
      // How one ended need not wait for the others.
      if (!record.isRemoved) reports.report();
    });
    await Promise.allSettled(kills);
    return reports.hasStopped;
  }

  /** Does not wait for their ends. */
  replaceOutdated({ kills }: PodPlan): void {
    const { record, reports } = this.parts;
    for (const { containerId, container, message } of kills) {
      reports.noteReplaced(containerId, container);
      void this.kill(containerId, container, record.graceMs, message);
    }
  }

  /** Probes what runs; what fails is ended. Idempotent. */
  watchProbes([podIp = '']: readonly string[]): void {
    const { deps, record, tasks, reports, onProbe } = this.parts;
    const { pod, isEnding } = record;
    const probed = {
      ...{ pod, podIp, isEnding },
      isBusy: ({ id, name }: ObservedContainer) => tasks.isKilling(id) || tasks.isStarting(name),
      onChange: () => {
        // While containers end, the loop waits for them: what readiness says is told meanwhile.
        if (record.isEnding && !record.isRemoved && !record.isTornDown) reports.report();
        onProbe();
      },
      onUnhealthy: (
        { id }: ObservedContainer,
        container: Container,
        { message, graceSeconds }: { message: string; graceSeconds: Int64 | undefined },
      ) => {
        const graceMs = graceSeconds === undefined ? record.graceMs : secondsToMs(graceSeconds);
        void this.kill(id, container, graceMs, message);
      },
    };
    watchProbes(deps, probed, reports.runs());
  }

  private kill(
    containerId: string,
    container: Container | undefined,
    graceMs: number,
    message: string,
  ): Promise<void> {
    const { record, tasks } = this.parts;
    const podIp = record.sandbox?.podIps[0] ?? '';
    return tasks.kill({ pod: record.pod, container, containerId, graceMs, podIp, message });
  }
}
