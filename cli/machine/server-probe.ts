import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { systemClock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import { hostPort } from '../../lib/net/ip';
import { authorityByHash } from '../../node-agent/identity/join';
import type { Finding } from '../output/findings';

/** What a look at a server from here says. */
export type ServerLook =
  | { readonly state: 'unreachable'; readonly why: string }
  /** Whoever answers there does not have the authority that the token names. */
  | { readonly state: 'another' }
  /** `aheadMs`: how far its clock is ahead of ours, to a second or so. */
  | { readonly state: 'found'; readonly aheadMs: number };

/** Asks it for nothing, without a name: whom it is, its certificate tells, and what time it has, its answer. */
export const lookAtServer = (
  host: string,
  port: number,
  caHashes: readonly string[],
): Promise<ServerLook> =>
  // Ends with the answer, an error, or the timeout of the request.
  new Promise((resolve) => {
    const sentMs = systemClock.now();
    const asked = request(
      // Who it is, is judged by the key of its authority.
      { host, port, path: '/livez', rejectUnauthorized: false, timeout: TIMEOUT_MS, agent: false },
      (response) => {
        response.resume();
        resolve(lookOf(response, caHashes, sentMs));
        asked.destroy();
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.on('error', (error) => resolve({ state: 'unreachable', why: describeError(error) }));
    asked.end();
  });

const lookOf = (
  response: IncomingMessage,
  caHashes: readonly string[],
  sentMs: number,
): ServerLook => {
  const { socket } = response;
  const certificate = socket instanceof TLSSocket ? socket.getPeerCertificate(true) : undefined;
  if (certificate === undefined || authorityByHash(certificate, caHashes) === undefined)
    return { state: 'another' };
  const theirMs = Date.parse(response.headers.date ?? '');
  const ourMs = (sentMs + systemClock.now()) / 2;
  // A header tells whole seconds, and the earlier one.
  return { state: 'found', aheadMs: Number.isNaN(theirMs) ? 0 : theirMs + 500 - ourMs };
};

/** Pure: what is wrong with it, if anything is. */
export const checkServer = (look: ServerLook, host: string, port: number): readonly Finding[] => {
  const where = hostPort(host, port);
  switch (look.state) {
    case 'unreachable':
      return [
        {
          check: 'server',
          severity: 'error',
          message: `no server answers at ${where}: ${look.why}`,
          remedy: `on the server: systemctl status dhow-server; on the way: a firewall that lets TCP ports ${port} and ${port + 1} pass`,
        },
      ];
    case 'another':
      return [
        {
          check: 'server',
          severity: 'error',
          message: `who answers at ${where} is not the server that the join token is of`,
          remedy: 'a token of that server: dhow token create',
        },
      ];
    case 'found':
      return [{ check: 'server', severity: 'ok', message: where }, checkClock(look.aheadMs)];
  }
};

const checkClock = (aheadMs: number): Finding => {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const message =
    seconds <= 1
      ? 'as that of the server'
      : `${seconds} s ${aheadMs > 0 ? 'behind' : 'ahead of'} that of the server`;
  const remedy =
    'set the clocks by one source: systemctl enable --now systemd-timesyncd, or chrony';
  if (seconds > SKEW_MAX_S)
    return {
      check: 'clock',
      severity: 'error',
      message: `${message}: certificates made now would not be taken`,
      remedy,
    };
  return seconds > SKEW_GOOD_S
    ? { check: 'clock', severity: 'warning', message, remedy }
    : { check: 'clock', severity: 'ok', message };
};

/** Certificates begin five minutes before they are made. */
const SKEW_MAX_S = 240;
const SKEW_GOOD_S = 5;
const TIMEOUT_MS = 10_000;
