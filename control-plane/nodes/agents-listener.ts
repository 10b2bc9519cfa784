import { Server, ServerCredentials, type ConnectionInjector } from '@grpc/grpc-js';
import type { AddressInfo } from 'node:net';
import { Socket } from 'node:net';
import {
  createServer,
  type PeerCertificate,
  type Server as TlsServer,
  type TLSSocket,
} from 'node:tls';
import type { Clock } from '../../lib/clock';
import { ConnectionGate } from '../../lib/net/connection-gate';
import { NO_RESUMPTION, peerCertificateOf } from '../../lib/net/peer-certificate';
import { withFewParts } from './message-parts';
import { NodeQuota } from './node-quota';
import type { Pki } from '../pki/pki';

/**
 * The agents' port. Joining needs no certificate, so anybody may speak to it: whoever brings none gets
 * a server of its own with room for a join request and nothing else, and so little time that what they
 * leave unfinished is soon gone. What a certified agent may send is bounded by what it needs.
 */
export class AgentsListener implements Disposable {
  private readonly known = new Server(KNOWN_OPTIONS);
  private readonly strangers = new Server(STRANGER_OPTIONS);
  private readonly gate: ConnectionGate;
  private readonly connections = new NodeQuota(CONNECTIONS_PER_NODE);
  private tls: TlsServer | undefined;

  constructor(
    private readonly pki: Pick<Pki, 'caCertificate' | 'server'>,
    clock: Clock,
  ) {
    this.gate = new ConnectionGate(clock, STRANGERS);
  }

  /** Both servers offer the same: each handler says itself whom it serves. */
  addService: Server['addService'] = (service, implementation) => {
    const bounded = withFewParts(service);
    this.known.addService(bounded, implementation);
    this.strangers.addService(bounded, implementation);
  };

  /** `HOST:PORT`; port 0 picks one. Returns the port. @throws Error when the address cannot be had */
  async listen(address: string): Promise<number> {
    // TLS is done here: what the two servers get is the plain stream inside.
    const insecure = ServerCredentials.createInsecure();
    const known = this.known.createConnectionInjector(insecure);
    const strangers = this.strangers.createConnectionInjector(insecure);
    const tls = createServer({
      ...tlsOptions(this.pki),
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: MIN_VERSION,
      ALPNProtocols: ['h2'],
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.tls = tls;
    tls.maxConnections = CONNECTIONS_MAX;
    tls.on('connection', (socket) => {
      if (socket instanceof Socket) this.gate.admit(socket);
    });
    tls.on('tlsClientError', (_error, socket) => socket.destroy());
    tls.on('secureConnection', (socket) => this.pass(socket, known, strangers));
    await new Promise<void>((resolve, reject) => {
      tls.once('error', reject);
      tls.listen(hostAndPort(address), () => {
        tls.off('error', reject);
        resolve();
      });
    });
    return (tls.address() as AddressInfo).port;
  }

  /** Shows the server's newest certificate to whoever connects from now on; sessions live on. */
  renew(): void {
    this.tls?.setSecureContext({ ...tlsOptions(this.pki), minVersion: MIN_VERSION });
  }

  [Symbol.dispose](): void {
    this.tls?.close();
    this.known.forceShutdown();
    this.strangers.forceShutdown();
  }

  private pass(socket: TLSSocket, known: ConnectionInjector, strangers: ConnectionInjector): void {
    // What becomes of a link is seen by the streams on it.
    socket.on('error', () => undefined);
    const certificate = peerCertificateOf(socket);
    if (certificate === undefined) {
      strangers.injectConnection(socket);
      return;
    }
    // A link that has died is noticed a little later: a node that comes back has some of those.
    const place = this.connections.take(commonNameOf(certificate));
    if (place === undefined) {
      socket.destroy();
      return;
    }
    socket.once('close', () => place[Symbol.dispose]());
    this.gate.prove(socket);
    known.injectConnection(socket);
  }
}

const commonNameOf = ({ subject }: PeerCertificate): string => [subject.CN].flat().join();

/** `[V6]:PORT` too. */
const hostAndPort = (address: string) => {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(address.slice(colon + 1)) };
};

/** The CA goes into the chain so that a joining agent finds the key that it was told to trust. */
const tlsOptions = ({ server, caCertificate }: Pick<Pki, 'caCertificate' | 'server'>) => ({
  cert: server.certificate.includes(caCertificate.trim())
    ? server.certificate
    : `${server.certificate.trimEnd()}\n${caCertificate}`,
  key: server.key,
  ca: caCertificate,
  ...NO_RESUMPTION,
});

/** Of assignments in parts; an agent sends far less. */
const MAX_SENT_BYTES = 32 * 1024 * 1024;
const MAX_RECEIVED_BYTES = 16 * 1024 * 1024;

const KNOWN_OPTIONS = {
  'grpc.max_receive_message_length': MAX_RECEIVED_BYTES,
  'grpc.max_send_message_length': MAX_SENT_BYTES,
  // The session, and a stream for each log and exec under way.
  'grpc.max_concurrent_streams': 1024,
  // Agents say themselves that they live. These pings only end links that have died, and a stall of
  // this process, in which no answer is read, must not look like one.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 60_000,
};

/** A join request is a token, two names and a certificate request of at most 4 KB. */
const STRANGER_OPTIONS = {
  'grpc.max_receive_message_length': 16 * 1024,
  'grpc.max_concurrent_streams': 2,
  // In MB: what one connection's frames and headers may take up.
  'grpc-node.max_session_memory': 1,
  'grpc.max_connection_idle_ms': 10_000,
};

const MIN_VERSION = 'TLSv1.2';
const HANDSHAKE_MS = 10_000;
const CONNECTIONS_MAX = 10_000;
const CONNECTIONS_PER_NODE = 32;
const STRANGERS = { perAddressMax: 128, totalMax: 512, provenWithinMs: 20_000 };
