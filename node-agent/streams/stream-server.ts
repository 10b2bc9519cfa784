import { onAbort } from '../../lib/async/on-abort';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import type {
  AttachRequest,
  AttachResponse,
  ContainerTarget,
  OpenStream,
} from '../../proto/gen/dhow/agent/v1/agent';
import type { ContainerRuntime, ExecProcess, ExecSpec } from '../../runtime/container-runtime';
import { inspectProcess } from '../../runtime/inspection';
import { dial } from '../../runtime/network';
import { readLog } from '../logs/log-reader';
import type { PodManager } from '../pods/pod-manager';
import type { PodPaths } from '../inventory/pod-paths';
import type { MessageStream, Transport } from '../session/transport';
import { containerNamed } from '../pod-spec/environment';
import type { MetricsPages } from '../usage/metrics-pages';
import type { UsageMeter } from '../usage/usage-meter';
import { findRun, findSandbox, podOf, StreamFailure } from './container-finder';
import { isolationOf, type Inspect } from './isolation-report';
import { carryPort, type Dial } from './port-stream';
import { logOptionsOf } from './log-options';
import { pieces } from './pieces';
import { linkedController } from '../../lib/async/linked-controller';

type Attach = MessageStream<AttachRequest, AttachResponse>;
type LogsParams = Extract<NonNullable<OpenStream['kind']>, { $case: 'logs' }>['value'];
type ExecParams = Extract<NonNullable<OpenStream['kind']>, { $case: 'exec' }>['value'];

type PortParams = Extract<NonNullable<OpenStream['kind']>, { $case: 'port' }>['value'];

const MAX_STREAMS = 256;
const TERMINAL_SIZE_WAIT_MS = 500;
const DIAL_MS = 10_000;

/** Answers the server's requests for logs, exec, attach, ports, usage, metrics and isolation. */
export class StreamServer {
  private openCount = 0;

  constructor(
    private readonly deps: {
      readonly transport: Transport;
      readonly runtime: ContainerRuntime;
      readonly pods: PodManager;
      readonly paths: PodPaths;
      readonly usage: Pick<UsageMeter, 'report'>;
      readonly metrics: Pick<MetricsPages, 'page'>;
      readonly clock: Clock;
      readonly log: Log;
      /** `dial` of the runtime; tests have their own. */
      readonly dial?: Dial;
      /** `inspectProcess` of the runtime; tests have their own. */
      readonly inspect?: Inspect;
    },
  ) {}

  /** Serves one stream to its end. Never throws. */
  async serve({ streamId, kind }: OpenStream, signal: AbortSignal): Promise<void> {
    using controller = linkedController(signal);
    const stream = this.deps.transport.openAttach(controller.signal);
    this.openCount++;
    try {
      await stream.write({ message: { $case: 'streamId', value: streamId } });
      if (this.openCount > MAX_STREAMS)
        throw new StreamFailure('TooManyRequests', 'too many streams are open on this node');
      if (kind?.$case === 'logs') await this.logs(stream, kind.value, controller);
      else if (kind?.$case === 'exec') await this.exec(stream, kind.value, controller);
      else if (kind?.$case === 'port') await this.port(stream, kind.value, controller.signal);
      else if (kind?.$case === 'usage') await this.usage(stream);
      else if (kind?.$case === 'metrics') await this.metrics(stream, kind.value.path);
      else if (kind?.$case === 'isolation') await this.isolation(stream, kind.value.target);
      stream.end();
    } catch (error) {
      await this.fail(stream, error);
    } finally {
      this.openCount--;
    }
  }

  private async fail(stream: Attach, error: unknown): Promise<void> {
    const reason = error instanceof StreamFailure ? error.reason : 'InternalError';
    const message = describeError(error);
    this.deps.log.debug({ err: message }, 'stream failed');
    try {
      await stream.write({ message: { $case: 'error', value: { reason, message } } });
      stream.end();
    } catch {
      stream.cancel();
    }
  }

  private async logs(
    stream: Attach,
    params: LogsParams,
    controller: AbortController,
  ): Promise<void> {
    const { pods, paths, clock, runtime } = this.deps;
    const { pod, run } = findRun(pods, runtime, params.target, params.previous);
    const path = paths.logPath(pod, run.name, run.restartCount);
    const isEnded = () => {
      const state = runtime.container(run.id);
      return state === undefined || state.status === 'exited';
    };
    // The server ends its half when the reader has gone.
    const watch = this.untilEnd(stream).then(() => controller.abort());
    const source = { path, isEnded, clock };
    for await (const chunk of readLog(source, logOptionsOf(params, clock.now()), controller.signal))
      for (const piece of pieces(chunk))
        await stream.write({ message: { $case: 'stdout', value: piece } });
    void watch;
  }

  private async port(
    stream: Attach,
    { target, port }: PortParams,
    signal: AbortSignal,
  ): Promise<void> {
    const { pods, runtime, clock } = this.deps;
    const { netnsPath } = findSandbox(pods, runtime, target);
    const connect = this.deps.dial ?? dial;
    const socket = await connect({ netnsPath, port, limitMs: DIAL_MS, clock }, signal);
    await carryPort(stream, socket, signal);
  }

  private async usage(stream: Attach): Promise<void> {
    const { summary, ...value } = await this.deps.usage.report();
    await stream.write({ message: { $case: 'usage', value } });
    for (const piece of pieces(summary))
      await stream.write({ message: { $case: 'stdout', value: piece } });
  }

  private async metrics(stream: Attach, path: string): Promise<void> {
    const text = await this.deps.metrics.page(path);
    if (text === undefined) throw new StreamFailure('NotFound', 'the node has no such metrics');
    for (const piece of pieces(Buffer.from(text)))
      await stream.write({ message: { $case: 'stdout', value: piece } });
  }

  private async isolation(stream: Attach, target: ContainerTarget | undefined): Promise<void> {
    const { pods, runtime } = this.deps;
    const pod = podOf(pods, target);
    const report = isolationOf(pod, runtime, this.deps.inspect ?? inspectProcess);
    for (const piece of pieces(Buffer.from(stringifyJson(report))))
      await stream.write({ message: { $case: 'stdout', value: piece } });
  }

  private async untilEnd(stream: Attach): Promise<void> {
    try {
      while ((await stream.messages.next()).done !== true);
    } catch {
      // Broken is ended too.
    }
  }

  private async exec(
    stream: Attach,
    params: ExecParams,
    controller: AbortController,
  ): Promise<void> {
    const { pods, runtime } = this.deps;
    const { pod, run } = findRun(pods, runtime, params.target, false);
    if (run.state.status !== 'running')
      throw new StreamFailure('BadRequest', `container ${run.name} is not running`);
    const { command, tty, stdin } = params;
    const endsStdin = stdin && containerNamed(pod, run.name)?.stdinOnce === true;
    const { signal } = controller;
    const first = stream.messages.next();
    const spec = {
      ...{ args: command, env: tty ? ['TERM=xterm'] : [], tty, stdin },
      ...(tty ? await this.terminalSizeIn(first, signal) : {}),
    };
    await using process =
      command.length === 0
        ? await runtime.attach(run.id, { endsStdin }, signal)
        : await runtime.exec(run.id, spec, signal);
    const stop = () => void process[Symbol.asyncDispose]();
    onAbort(signal, stop);
    const tasks = new TaskGroup();
    tasks.run(async () => {
      await this.forwardInput(stream, first, process, command.length > 0 || endsStdin);
      // The server has gone before the command ended.
      controller.abort();
    });
    await this.forwardOutput(stream, params, process);
    signal.removeEventListener('abort', stop);
  }

  /** A client with a terminal says its size first: a program may ask for it before anything else. */
  private async terminalSizeIn(
    first: Promise<IteratorResult<AttachResponse, undefined>>,
    signal: AbortSignal,
  ): Promise<Pick<ExecSpec, 'terminalSize'>> {
    const stop = linkedController(signal);
    const late = this.deps.clock.sleep(TERMINAL_SIZE_WAIT_MS, stop.signal);
    try {
      const message = (await Promise.race([first, late]))?.value?.message;
      return message?.$case === 'resize' ? { terminalSize: message.value } : {};
    } finally {
      stop.abort();
    }
  }

  private async forwardOutput(
    stream: Attach,
    { command, stdout, stderr, tty }: ExecParams,
    process: ExecProcess,
  ): Promise<void> {
    for await (const chunk of process.output) {
      if (chunk.stream === 'exit') {
        // Who is attached has seen the process through: how that ended is the container's status.
        const value = command.length === 0 ? 0 : chunk.exitCode;
        await stream.write({ message: { $case: 'exitCode', value } });
        return;
      }
      const isWanted = chunk.stream === 'stdout' ? stdout || tty : stderr;
      if (!isWanted) continue;
      for (const piece of pieces(chunk.data))
        await stream.write({ message: { $case: chunk.stream, value: piece } });
    }
  }

  /** Until the server ends the stream. A standard input that stays open outlives its clients. */
  private async forwardInput(
    stream: Attach,
    first: Promise<IteratorResult<AttachResponse, undefined>>,
    process: ExecProcess,
    endsStdin: boolean,
  ): Promise<void> {
    try {
      for (let next = await first; ; next = await stream.messages.next()) {
        if (next.done === true) return;
        const { message } = next.value;
        if (message?.$case === 'stdin') await process.writeStdin(message.value);
        else if (message?.$case === 'stdinEnd') {
          if (endsStdin) process.closeStdin();
        } else if (message?.$case === 'resize')
          process.resize(message.value.columns, message.value.rows);
      }
    } catch (error) {
      this.deps.log.debug({ err: describeError(error) }, 'input of a stream ended');
    }
  }
}
