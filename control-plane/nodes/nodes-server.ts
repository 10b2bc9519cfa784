import {
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';

import { ApiError, type StatusReason } from '../../api/errors';
import type { Node } from '../../api/types';
import type { NodeConnections } from '../../client/node-connections';
import { describeError } from '../../lib/log';
import {
  BootstrapServiceService,
  NodeServiceService,
  type AgentHello,
  type JoinRequest,
  type JoinResponse,
  type RejoinRequest,
  type RejoinResponse,
  type RenewRequest,
  type RenewResponse,
  type SessionRequest,
  type SessionResponse,
} from '../../proto/gen/dhow/agent/v1/agent';
import { PeerServiceService } from '../../proto/gen/dhow/peer/v1/peer';
import { AgentConnections } from './agent-connections';
import { AgentsListener } from './agents-listener';
import { DEFAULT_NODES_OPTIONS, type NodesServerDeps } from './deps';
import { EventWriter } from '../../client/event-writer';
import { SpamFilter } from '../../client/spam-filter';
import { parseNodeDraft } from './node-draft';
import { grpcError, holderByProof, holderOf, isNodeName, type NodeHolder } from './node-identity';
import { firstWithin, messagesOf } from '../../lib/async/message-stream';
import { publicKeyHashOf } from '../../lib/public-key';
import { JoinTokens } from './join-tokens';
import { NodeClaims } from './node-claims';
import { NodeQuota } from './node-quota';
import { NodeRegistrar } from './node-registrar';
import { LocalStreams, AllStreams } from './node-streams';
import { answerCall, type AskCall } from './leaders-questions';
import { RelayService, type RelayCall } from './relay-service';
import { RelayedStreams } from './relayed-streams';
import { requireServer } from './server-caller';
import { NodeSession, type SessionDeps, type SessionStream } from './node-session';
import { NetworkRows } from './network-rows';
import { CsiView } from './csi-view';
import { NodeVolumes } from './node-volumes';
import { PeerView } from './peer-view';
import { PodIndex } from './pod-index';
import { PolicyRows } from './policies/policy-rows';
import { RestoredHold } from './restored-hold';
import { SessionTable } from './session-table';
import { StatusIntake } from './status-intake';
import { StreamBroker, type AttachStream } from './stream-broker';

/** Where agents connect. */
export interface NodesServer extends AsyncDisposable {
  /** `HOST:PORT`; port 0 picks one. Returns the port. */
  listen(address: string): Promise<number>;
  /** Uses the server's newest certificate for new connections. */
  showNewCertificate(): void;
  readonly connections: NodeConnections;
  /** Asks another server, by its identity. @throws ApiError */
  ask(id: string, question: string, argument: object, signal: AbortSignal): Promise<unknown>;
  /**
   * One session of the node whose key this is, from its hello to its end. What gRPC calls; a link of
   * another kind may call it as well. @throws an error with the gRPC status that the agent is to get
   */
  serve(holder: NodeHolder, stream: SessionStream): Promise<void>;
}

const HELLO_TIMEOUT_MS = 15_000;
const SILENT_STREAMS_MAX = 128;

type SessionCall = ServerDuplexStream<SessionRequest, SessionResponse>;

export const createNodesServer = (deps: NodesServerDeps): NodesServer => new GrpcNodesServer(deps);

class GrpcNodesServer implements NodesServer {
  private readonly listener: AgentsListener;
  private readonly sessions: SessionTable;
  private readonly claims: NodeClaims;
  private readonly joinTokens: JoinTokens;
  private readonly broker: StreamBroker;
  private readonly sessionDeps: SessionDeps;
  private readonly podIndex: PodIndex;
  private readonly hold: RestoredHold;
  private readonly nodeVolumes: NodeVolumes;
  private readonly csi: CsiView;
  private readonly peers: PeerView;
  private readonly networkRows: NetworkRows;
  private readonly policyRows: PolicyRows;
  private readonly ignoreNodes: () => void;
  /** Streams whose first message has not come. */
  private readonly silent = new NodeQuota(SILENT_STREAMS_MAX);
  private readonly renewals: SpamFilter;
  private readonly relayed: RelayedStreams | undefined;
  private readonly relays: RelayService;
  readonly connections: NodeConnections;

  constructor(private readonly deps: NodesServerDeps) {
    const { client, clock, pods, log } = deps;
    const settings = { ...DEFAULT_NODES_OPTIONS, ...deps.options };
    this.listener = new AgentsListener(deps.pki, clock);
    this.sessions = new SessionTable(clock);
    this.renewals = new SpamFilter(clock);
    this.claims = new NodeClaims(client, () => deps.pki.clientCaHash);
    this.joinTokens = new JoinTokens(client, clock);
    this.broker = new StreamBroker(clock);
    this.podIndex = new PodIndex(deps);
    const { nodes, restoredFile: file } = deps;
    this.hold = new RestoredHold({ file, nodes, log });
    this.nodeVolumes = new NodeVolumes({ ...deps, podIndex: this.podIndex, hold: this.hold });
    const namesOf = () => [...nodes.list()].map(({ metadata }) => metadata.name);
    this.hold.onChange(() => this.nodeVolumes.changedFor(namesOf()));
    const { podIndex, nodeVolumes } = this;
    this.csi = new CsiView({ ...deps, podIndex, nodeVolumes });
    this.peers = new PeerView(deps.nodes);
    const { clusterCidrs, network } = settings;
    const serviceCidrs = () => this.networkRows.serviceCidrs;
    this.policyRows = new PolicyRows(deps, network.clusterDns);
    this.networkRows = new NetworkRows(deps, { podCidrs: clusterCidrs, ...network });
    this.ignoreNodes = deps.nodes.subscribe({ onDelete: (node) => this.endSession(node) });
    const isLive = (name: string) => this.sessions.get(name) !== undefined;
    this.sessionDeps = {
      ...deps,
      settings,
      podIndex: this.podIndex,
      nodeVolumes: this.nodeVolumes,
      csi: this.csi,
      peers: this.peers,
      networkRows: this.networkRows,
      policyRows: this.policyRows,
      registrar: new NodeRegistrar({ client, clock, clusterCidrs, serviceCidrs, isLive }),
      statuses: new StatusIntake({
        ...{ client, pods, log },
        ...(deps.tracing === undefined ? {} : { tracing: deps.tracing }),
      }),
      events: new EventWriter({ client, clock, log }),
    };
    const sessionOf = (name: string) => this.sessions.get(name);
    const local = new LocalStreams({ sessionOf, broker: this.broker });
    const { pki, servers } = deps;
    this.relayed = servers && new RelayedStreams({ servers, pki, clock });
    this.relays = new RelayService({ local, clock });
    const streams = new AllStreams([local, ...(this.relayed === undefined ? [] : [this.relayed])]);
    this.connections = new AgentConnections({ streams, clock });
    this.addServices();
    this.addRelays();
  }

  async listen(address: string): Promise<number> {
    const { pods, nodes, secrets, configMaps, claims, volumes } = this.deps;
    const { runtimeClasses, services, endpointSlices, namespaces, networkPolicies } = this.deps;
    const { serviceCidrs, ingresses, ingressClasses, csiDrivers, attachments } = this.deps;
    const views = [
      ...[pods, nodes, secrets, configMaps, claims, volumes],
      ...[runtimeClasses, services, endpointSlices, namespaces, networkPolicies],
      ...[serviceCidrs, ingresses, ingressClasses, csiDrivers, attachments],
    ];
    await Promise.all(views.map((view) => view.whenSynced()));
    return this.listener.listen(address);
  }

  showNewCertificate(): void {
    this.listener.renew();
  }

  async ask(id: string, question: string, argument: object, signal: AbortSignal): Promise<unknown> {
    if (this.relayed === undefined) return nothingAnswered();
    return this.relayed.ask(id, question, argument, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.sessions.closeAll(grpcError(status.UNAVAILABLE, 'the server is stopping'));
    this.relayed?.[Symbol.dispose]();
    this.listener[Symbol.dispose]();
    this.csi[Symbol.dispose]();
    this.nodeVolumes[Symbol.dispose]();
    this.hold[Symbol.dispose]();
    this.podIndex[Symbol.dispose]();
    this.peers[Symbol.dispose]();
    this.networkRows[Symbol.dispose]();
    this.policyRows[Symbol.dispose]();
    this.ignoreNodes();
    await this.sessions.drained();
  }

  /** A machine that has been taken out is told at once: its agent may have a token to join again. */
  private endSession({ metadata: { name } }: Node): void {
    this.sessions.close(name, grpcError(status.UNAUTHENTICATED, `node "${name}" was deleted`));
  }

  private addServices(): void {
    this.listener.addService(BootstrapServiceService, {
      join: (
        call: ServerUnaryCall<JoinRequest, JoinResponse>,
        callback: sendUnaryData<JoinResponse>,
      ) => {
        this.join(call.request).then(
          (response) => callback(null, response),
          (error: unknown) => callback(asServiceError(error), null),
        );
      },
      rejoin: (
        call: ServerUnaryCall<RejoinRequest, RejoinResponse>,
        callback: sendUnaryData<RejoinResponse>,
      ) => {
        this.rejoin(call.request).then(
          (response) => callback(null, response),
          (error: unknown) => callback(asServiceError(error), null),
        );
      },
    });
    this.listener.addService(NodeServiceService, {
      session: (call: SessionCall) => {
        const stream = { call, messages: messagesOf(call), peer: addressOf(call.getPeer()) };
        this.answer(call, (holder, opened) => this.session(holder, stream, opened), true);
      },
      attach: (call: AttachStream) => {
        this.answer(call, ({ nodeName }) => this.broker.accept(nodeName, call), false);
      },
      renew: (
        call: ServerUnaryCall<RenewRequest, RenewResponse>,
        callback: sendUnaryData<RenewResponse>,
      ) => {
        this.renew(call).then(
          (response) => callback(null, response),
          (error: unknown) => callback(asServiceError(error), null),
        );
      },
    });
  }

  private addRelays(): void {
    this.listener.addService(PeerServiceService, {
      relay: (call: RelayCall) => {
        this.finish(call, async () => {
          requireServer(call);
          await this.relays.serve(call);
        });
      },
      ask: (call: AskCall) => {
        this.finish(call, async () => {
          requireServer(call);
          await answerCall(call, this.deps.answer ?? nothingAnswered, this.deps.clock);
        });
      },
    });
  }

  /** Runs a handler of a stream and turns its failure into the stream's status. */
  private answer(
    call: SessionCall | AttachStream,
    handler: (holder: NodeHolder, opened: () => void) => Promise<void>,
    endsWithHandler: boolean,
  ): void {
    const run = async () => {
      const holder = holderOf(call);
      using place = this.silent.take(holder.nodeName);
      if (place === undefined)
        throw grpcError(
          status.RESOURCE_EXHAUSTED,
          `node "${holder.nodeName}" opens too many streams`,
        );
      await this.claims.check(holder, NEVER);
      await handler(holder, () => place[Symbol.dispose]());
    };
    this.finish(call, run, endsWithHandler);
  }

  /** Its failure becomes the stream's status. */
  private finish(
    call: SessionCall | AttachStream | RelayCall | AskCall,
    run: () => Promise<void>,
    endsWithHandler = true,
  ): void {
    call.on('cancelled', () => call.destroy());
    call.on('error', () => undefined);
    run().then(
      () => endsWithHandler && call.end(),
      (error: unknown) => {
        this.deps.log.debug({ err: describeError(error) }, 'stream of an agent ended');
        call.emit('error', asServiceError(error));
        call.end();
      },
    );
  }

  private async join(request: JoinRequest): Promise<JoinResponse> {
    const { pki, tokens, log } = this.deps;
    const { token, nodeName, certificateRequest, agentId } = request;
    const isOfStart = tokens.verify(token);
    if (!isOfStart) await this.joinTokens.check(token, { nodeName, agentId }, NEVER);
    if (!isNodeName(nodeName))
      throw grpcError(status.INVALID_ARGUMENT, `"${nodeName}" is not a valid node name`);
    this.sessions.refuseOther(nodeName, agentId);
    await this.claims.checkJoin(nodeName, agentId, NEVER);
    if (!isOfStart) await this.joinTokens.use(token, { nodeName, agentId }, NEVER);
    const certificate = await this.sign(certificateRequest, nodeName);
    await this.claims.join(nodeName, agentId, publicKeyHashOf(certificate), NEVER);
    log.info({ node: nodeName }, 'node certificate issued');
    return { certificate, caCertificate: pki.caCertificate };
  }

  private async renew(call: ServerUnaryCall<RenewRequest, RenewResponse>): Promise<RenewResponse> {
    return this.issueNext(holderOf(call), call.request);
  }

  private async rejoin(request: RejoinRequest): Promise<RejoinResponse> {
    return this.issueNext(holderByProof(request, this.deps.pki.caCertificate), request);
  }

  private async issueNext(
    holder: NodeHolder,
    { certificateRequest }: RenewRequest,
  ): Promise<RenewResponse> {
    const { nodeName } = holder;
    // One a year is wanted. Signing takes time, and each makes an earlier key of the node void.
    if (!this.renewals.admits(nodeName))
      throw grpcError(status.RESOURCE_EXHAUSTED, `node "${nodeName}" renews too often`);
    // Whoever has been taken out of the cluster does not stay in it by renewing for ever.
    await this.claims.check(holder, NEVER);
    const certificate = await this.sign(certificateRequest, nodeName);
    await this.claims.renew(holder, publicKeyHashOf(certificate), NEVER);
    const { pki, log } = this.deps;
    log.info({ node: nodeName }, 'node certificate renewed');
    return { certificate, caCertificate: pki.caCertificate };
  }

  private async sign(request: Uint8Array, nodeName: string): Promise<string> {
    try {
      return await this.deps.pki.signNodeRequest(request, nodeName);
    } catch (error) {
      throw grpcError(status.INVALID_ARGUMENT, describeError(error));
    }
  }

  async serve(holder: NodeHolder, stream: SessionStream): Promise<void> {
    await this.claims.check(holder, NEVER);
    await this.session(holder, stream, () => undefined);
  }

  private async session(
    holder: NodeHolder,
    stream: SessionStream,
    opened: () => void,
  ): Promise<void> {
    const { nodeName } = holder;
    const hello = await this.firstMessage(stream.messages);
    opened();
    if (hello.nodeName !== nodeName)
      throw grpcError(
        status.PERMISSION_DENIED,
        `the certificate is for node "${nodeName}", not "${hello.nodeName}"`,
      );
    const draft = parseNodeDraft(nodeName, hello.node);
    const { signal, leave } = await this.sessions.claim(nodeName, hello.agentId);
    try {
      await this.claims.adopt(holder, hello.agentId, signal);
      const { registrar } = this.sessionDeps;
      const node = await registrar.register(nodeName, draft, stream.peer, signal);
      const session = new NodeSession(
        this.sessionDeps,
        stream,
        node,
        draft.status,
        this.sessions.nextNumber(),
      );
      this.sessions.attach(nodeName, session, signal);
      using _held = this.deps.servers?.hold(nodeName, () => session.close(ELSEWHERE));
      this.hold.noteSeen(nodeName);
      this.deps.log.info({ node: nodeName, version: hello.version }, 'agent connected');
      await session.run();
      if (session.signal.reason instanceof Error && 'code' in session.signal.reason)
        throw session.signal.reason;
    } catch (error) {
      this.deps.log.warn({ node: nodeName, err: describeError(error) }, 'session of a node ended');
      throw error;
    } finally {
      leave();
    }
  }

  private async firstMessage(
    messages: AsyncIterator<SessionRequest, undefined>,
  ): Promise<AgentHello> {
    const first = await firstWithin(messages, HELLO_TIMEOUT_MS, this.deps.clock);
    const message = first?.message;
    if (message?.$case !== 'hello')
      throw grpcError(status.INVALID_ARGUMENT, 'a session begins with a hello');
    return message.value;
  }
}

/** The address of `192.0.2.1:4567` or `[2001:db8::1]:4567`. */
const addressOf = (peer: string): string =>
  peer
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^::ffff:/, '');

const ELSEWHERE = grpcError(status.ABORTED, 'the agent has connected to another server');

const nothingAnswered = (): Promise<never> =>
  Promise.reject(new ApiError('ServiceUnavailable', 'there is no other server'));

/** Short calls: the store's own deadlines end them. */
const NEVER = new AbortController().signal;

const GRPC_CODE: Partial<Record<StatusReason, status>> = {
  BadRequest: status.INVALID_ARGUMENT,
  Invalid: status.INVALID_ARGUMENT,
  NotFound: status.NOT_FOUND,
  AlreadyExists: status.ALREADY_EXISTS,
  Conflict: status.ABORTED,
  Unauthorized: status.UNAUTHENTICATED,
  Forbidden: status.PERMISSION_DENIED,
  ServiceUnavailable: status.UNAVAILABLE,
  Timeout: status.DEADLINE_EXCEEDED,
};

const asServiceError = (error: unknown): Partial<ServiceError> => {
  if (error instanceof ApiError)
    return grpcError(GRPC_CODE[error.reason] ?? status.INTERNAL, error.message);
  if (isServiceError(error)) return grpcError(error.code, error.message);
  return grpcError(status.INTERNAL, describeError(error));
};

const isServiceError = (error: unknown): error is Error & { readonly code: status } =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'number' &&
  error.code in status;
