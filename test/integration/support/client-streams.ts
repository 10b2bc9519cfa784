import { Exec, KubeConfig, PortForward, type V1Status } from '@kubernetes/client-node';
import { PassThrough, type Writable } from 'node:stream';

/*
 * What the official client for JavaScript carries over its own WebSockets, one line for each: bytes to a
 * port and back, a port where nobody listens, and a command with its exit code.
 */
const config = new KubeConfig();
config.loadFromDefault();

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

/** Tells once what has come is `bytes` long, or at its first part. */
const heard = (title: string, bytes = 0): Writable => {
  let all = '';
  return new PassThrough().on('data', (chunk: Buffer) => {
    const before = all.length;
    all += chunk.toString();
    if (bytes === 0 ? before === 0 : before < bytes && all.length >= bytes)
      tell(`${title}: ${bytes === 0 ? all : all.length}`);
  });
};

const main = async (): Promise<void> => {
  const big = 300_000;
  const forwards = new PortForward(config);
  const input = new PassThrough();
  await forwards.portForward('default', 'web', [80], heard('echo', big), null, input);
  for (let sent = 0; sent < big; sent += 50_000) input.write('x'.repeat(50_000));
  await forwards.portForward(
    'default',
    'web',
    [81],
    heard('none'),
    heard('error'),
    new PassThrough(),
  );
  const [command, stdout] = [['exit', '7'], heard('stdout')];
  const told = ({ reason, details }: V1Status) =>
    tell(`status: ${reason} ${details?.causes?.[0]?.message}`);
  await new Exec(config).exec('default', 'web', 'web', command, stdout, null, null, false, told);
};

void main();
