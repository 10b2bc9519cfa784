import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { openPki } from '../../control-plane/pki/pki';
import { systemClock } from '../../lib/clock';
import { checkCertificates, reportOf } from './certs';
import { rotate } from './certs-rotate';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-certs-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const check = async (output?: string) => {
  let text = '';
  const out = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  const terminal = { out, err: out, isInteractive: false, columns: 80 };
  const options = { dataDir: directory, stateDir: join(directory, 'agent') };
  const code = await checkCertificates(terminal, {
    ...options,
    ...(output === undefined ? {} : { output }),
  });
  return { code, text };
};

it('shows what a server has, and who renews it', async () => {
  await openPki({ directory: join(directory, 'pki'), serverNames: [], clock: systemClock });
  const { code, text } = await check();
  expect(code).toBe(0);
  expect(text).toMatch(/^ca +\S+ +36(49|50) +Good +by nobody/m);
  expect(text).toMatch(/^server +\S+ +36[45] +Good +by the server/m);
  expect((await check('name')).text).toBe(
    'certificate/ca\ncertificate/server\ncertificate/admin\n',
  );
});

it('says of a folder without any where it looked, and of a spoilt one which file it is', async () => {
  await expect(check()).rejects.toThrow(`neither ${directory}/pki nor`);
  await openPki({ directory: join(directory, 'pki'), serverNames: [], clock: systemClock });
  writeFileSync(join(directory, 'pki', 'ca.crt'), 'x');
  await expect(check()).rejects.toThrow(`${directory}/pki/ca.crt: not a certificate`);
});

it('tells what is due, has ended, or is of the future', async () => {
  const pki = await openPki({ directory, serverNames: [], clock: systemClock });
  const { fromMs, untilMs } = pki.lives().ca;
  const certificate = { name: 'ca', file: 'f', pem: pki.caCertificate, renewed: '' };
  const at = (nowMs: number) => reportOf(certificate, nowMs);
  const yearMs = 365 * 24 * 3_600_000;
  expect(at(untilMs - yearMs)).toMatchObject({ state: 'Due', daysLeft: 365 });
  expect(at(untilMs)).toMatchObject({ state: 'Expired', daysLeft: 0 });
  expect(at(fromMs - 1)).toMatchObject({ state: 'NotYet' });
});

describe('an authority that is replaced', () => {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = { out: silent, err: silent, isInteractive: false, columns: 80 };
  const turn = (more: object) => rotate(terminal, { dataDir: directory, ca: true, ...more });

  it('is shown beside the next one, and stays until somebody knows about the nodes', async () => {
    await openPki({ directory: join(directory, 'pki'), serverNames: [], clock: systemClock });
    await expect(turn({ finish: true })).rejects.toThrow('no authority is being replaced');
    await turn({});
    const { text } = await check();
    expect(text).toMatch(/^ca-next +\S+ +36(49|50) +Good /m);
    expect(text).toContain('the server does not tell');
    await expect(turn({ finish: true })).rejects.toThrow('nobody can tell which nodes');
    await turn({ finish: true, force: true });
    expect((await check()).text).not.toContain('ca-next');
  });

  it('is refused where the flags do not go together', async () => {
    await expect(turn({ ca: false, finish: true })).rejects.toThrow('--finish goes with --ca');
    await expect(turn({ force: true })).rejects.toThrow('--force goes with');
  });
});
