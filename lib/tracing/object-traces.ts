import { RecentlyUsed } from '../recently-used';
import type { TraceContext } from './traceparent';

/**
 * Where the traces of objects go on: in memory alone, since nothing about tracing is written to what
 * users own. What a restart forgets is traced no further.
 */
export class ObjectTraces {
  private readonly contexts = new RecentlyUsed<string, TraceContext>(OBJECTS_MAX);

  /** What the object's life hangs on from now on; contexts that are not sampled are not kept. */
  note(uid: string, context: TraceContext): void {
    if (context.isSampled) this.contexts.set(uid, context);
  }

  of(uid: string): TraceContext | undefined {
    return this.contexts.get(uid);
  }

  forget(uid: string): void {
    this.contexts.delete(uid);
  }
}

const OBJECTS_MAX = 10_000;
