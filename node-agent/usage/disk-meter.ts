import { timedController } from '../../lib/async/timed-controller';
import type { Clock } from '../../lib/clock';
import type { JobThread } from '../../lib/async/job-thread';
import type { MeterJob, MeterReading } from '../storage/meter';
import type { VolumeFigures } from '../volumes/volume-figures';

/** What lies in a tree. */
export interface DiskUse {
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

/** What a container has on disk: in its writable layer, and in its log files. */
export interface ContainerDisk {
  readonly rootfs: DiskUse;
  readonly logs: DiskUse;
  readonly atMs: number;
}

/** What has been counted on disk. */
export interface MeasuredDisks {
  /** By container. */
  readonly byId: ReadonlyMap<string, ContainerDisk>;
  /** All of the file system that they are on. */
  readonly fileSystem?: VolumeFigures;
}

/** A container to be measured, and where its files are. */
export interface DiskSubject {
  readonly id: string;
  readonly layer: string;
  readonly logs: string;
}

export interface DiskMeterDeps {
  readonly meter: Pick<JobThread<MeterJob, MeterReading>, 'run'>;
  readonly clock: Clock;
}

/**
 * Counts what containers have on disk when somebody asks, each once a minute at most, and what takes long
 * the more seldom: files are counted one by one, and some make millions. Who asks waits for a moment; what
 * takes longer is told to the next.
 */
export class DiskMeter {
  private known = new Map<string, Known>();
  private readonly measuring = new Map<string, Promise<void>>();

  constructor(private readonly deps: DiskMeterDeps) {}

  /** By id; what has not been counted yet is missing. */
  async measure(subjects: readonly DiskSubject[]): Promise<ReadonlyMap<string, ContainerDisk>> {
    const asked = new Set(subjects.map(({ id }) => id));
    this.known = new Map([...this.known].filter(([id]) => asked.has(id)));
    for (const subject of subjects) this.begin(subject);
    await this.aMomentFor(subjects.flatMap(({ id }) => this.measuring.get(id) ?? []));
    return new Map(
      [...this.known].flatMap(([id, { disk }]) => (disk === undefined ? [] : [[id, disk]])),
    );
  }

  private async aMomentFor(work: readonly Promise<void>[]): Promise<void> {
    let callOff = (): void => undefined;
    const moment = new Promise<void>((resolve) => {
      callOff = this.deps.clock.after(WAIT_MS, resolve);
    });
    await Promise.race([Promise.all(work), moment]);
    callOff();
  }

  private begin(subject: DiskSubject): void {
    const { id } = subject;
    const isDue = this.deps.clock.monotonicMs() >= (this.known.get(id)?.dueMs ?? 0);
    if (!isDue || this.measuring.has(id) || this.measuring.size >= AT_ONCE_MAX) return;
    const counted = this.count(subject).finally(() => this.measuring.delete(id));
    this.measuring.set(id, counted);
  }

  /** Never throws: what cannot be counted, or not in time, stays as it was known. */
  private async count(subject: DiskSubject): Promise<void> {
    const { clock } = this.deps;
    const { id } = subject;
    const sinceMs = clock.monotonicMs();
    const disk = await this.read(subject).catch(() => this.known.get(id)?.disk);
    const nowMs = clock.monotonicMs();
    const dueMs = nowMs + Math.max(FRESH_MS, REST_SHARE * (nowMs - sinceMs));
    this.known.set(id, { dueMs, ...(disk === undefined ? {} : { disk }) });
  }

  private async read({ layer, logs }: DiskSubject): Promise<ContainerDisk> {
    const { meter, clock } = this.deps;
    using limit = timedController(clock, LIMIT_MS);
    const parts = [{ paths: [layer] }, { paths: [logs] }];
    const { bytes, inodes } = await meter.run({ parts }, limit.signal);
    const useOf = (part: number): DiskUse => ({
      usedBytes: bytes[part] ?? 0,
      inodesUsed: inodes[part] ?? 0,
    });
    return { rootfs: useOf(0), logs: useOf(1), atMs: clock.now() };
  }
}

interface Known {
  readonly disk?: ContainerDisk;
  /** By the monotonic clock: when it may be counted again. */
  readonly dueMs: number;
}

const FRESH_MS = 60_000;
/** So much longer than it took it is left alone. */
const REST_SHARE = 10;
const WAIT_MS = 2_000;
const LIMIT_MS = 60_000;
/** The rest waits for the next who asks. */
const AT_ONCE_MAX = 64;
