import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface Load {
  /** What was answered with 200; less than was due when more than `MAX_OPEN` were open at a time. */
  readonly answered: number;
  /** Whose answers these were, by the first word of each. */
  readonly servers: readonly string[];
  /** One for each request that went wrong, twenty at most, with the moment it was sent. */
  readonly failures: readonly string[];
}

/**
 * Asks a server by HTTP as often a second as `rate` says, whatever it answers, half the requests by connections
 * that are kept, half by one each; from a process of its own, until `end`.
 */
export const startLoad = (host: string, port: number, rate: number) => {
  const args = ['-e', ASK, host, String(port), String(rate), String(MAX_OPEN)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = text(child.stdout);
  return {
    end: async (): Promise<Load> => {
      child.stdin.end();
      return JSON.parse(await said) as Load;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
};

const MAX_OPEN = 400;

const ASK = `
const http = require('node:http');
const [host, port, rate, maxOpen] = process.argv.slice(1);
const kept = new http.Agent({ keepAlive: true, maxSockets: 40 });
const beganMs = performance.now();
const servers = new Set();
const failures = [];
let [answered, open, sent, isOver] = [0, 0, 0, false];
const failed = (atMs, why) => failures.length < 20 && failures.push(Math.round(atMs) + ' ms: ' + why);
const ask = () => {
  const atMs = performance.now() - beganMs;
  const agent = sent++ % 2 === 0 ? kept : false;
  open++;
  let isCounted = false;
  const done = (why) => {
    if (isCounted) return;
    isCounted = true;
    open--;
    if (why === undefined) answered++;
    else failed(atMs, (agent ? 'kept: ' : 'new: ') + why);
    if (isOver && open === 0) end();
  };
  const request = http.get({ host, port, agent }, (response) => {
    let body = '';
    response.on('data', (data) => (body += data));
    response.on('error', (error) => done(error.code));
    response.on('end', () => {
      servers.add(body.split(' ')[0]);
      done(response.statusCode === 200 ? undefined : 'status ' + response.statusCode);
    });
  });
  request.setTimeout(20000, () => request.destroy(new Error('silence')));
  request.on('error', (error) => done(error.code ?? error.message));
};
const timer = setInterval(() => {
  const due = Math.floor(((performance.now() - beganMs) * rate) / 1000);
  // What cannot be sent in time is not made up for later: the rate is a bound.
  while (sent < due) if (open < maxOpen) ask(); else sent++;
}, 5);
const end = () => {
  console.log(JSON.stringify({ answered, servers: [...servers], failures }));
  process.exit(0);
};
process.stdin.on('end', () => {
  clearInterval(timer);
  isOver = true;
  if (open === 0) end();
}).resume();`;
