/**
 * One signal for each request under way: it aborts when the request ends, or when the server stops. A set
 * instead of links to one signal of the server: an `EventTarget` looks through all of its listeners
 * for each that comes and goes.
 */
export class RequestSignals {
  private readonly current = new Set<AbortController>();
  private hasStopped = false;

  get isStopped(): boolean {
    return this.hasStopped;
  }

  /** Until it is passed to `end`. */
  begin(): AbortController {
    const controller = new AbortController();
    if (this.hasStopped) controller.abort(STOPPED);
    else this.current.add(controller);
    return controller;
  }

  /** Harmless when repeated. */
  end(controller: AbortController): void {
    this.current.delete(controller);
    controller.abort(ENDED);
  }

  stop(): void {
    this.hasStopped = true;
    for (const controller of this.current) controller.abort(STOPPED);
    this.current.clear();
  }
}

/** Made once: each would be a `DOMException` with a stack of its own. */
const ENDED = new DOMException('The request has ended', 'AbortError');
const STOPPED = new DOMException('The server is stopping', 'AbortError');
