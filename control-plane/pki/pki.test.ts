import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, rfc3339 } from '../../lib/clock';
import { keyHashesIn } from '../../lib/certificate-bundle';
import { beginAuthorityRotation, finishAuthorityRotation } from './authorities';
import { BootstrapTokens } from './bootstrap-tokens';
import { caHashOf, createRequest } from './certificates';
import { formatKubeconfig, writeKubeconfig } from './kubeconfig';
import { openPki, rotateCertificates } from './pki';

const DAY_MS = 86_400_000;

let directory: string;
const clock = new ManualClock(Date.UTC(2026, 0, 1));

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-pki-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const open = (serverNames: string[] = []) =>
  openPki({ directory: join(directory, 'pki'), serverNames, clock });

it('makes a CA whose server and admin certificates verify', async () => {
  const pki = await open(['10.9.8.7', 'cp.example']);
  const ca = new X509Certificate(pki.caCertificate);
  const server = new X509Certificate(pki.server.certificate);
  const admin = new X509Certificate(pki.admin.certificate);
  expect(server.checkIssued(ca) && server.verify(ca.publicKey)).toBe(true);
  expect(server.checkIP('10.9.8.7')).toBe('10.9.8.7');
  expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(server.checkHost('cp.example')).toBe('cp.example');
  expect(admin.subject).toBe('O=system:masters\nCN=kubernetes-admin');
  expect(caHashOf(pki.caCertificate)).toBe(pki.caHash);
});

it('keeps everything across a restart and adds a name when asked', async () => {
  const first = await open();
  const second = await open();
  expect(second.server.certificate).toBe(first.server.certificate);
  const third = await open(['192.0.2.1']);
  expect(third.caCertificate).toBe(first.caCertificate);
  expect(third.server.certificate).not.toBe(first.server.certificate);
});

it('writes every file 0600 and the folder 0700 under umask 000', async () => {
  const umask = process.umask(0);
  try {
    const pki = await open();
    await writeKubeconfig(join(directory, 'admin.kubeconfig'), {
      server: 'https://127.0.0.1:6443',
      caCertificate: pki.caCertificate,
      client: pki.admin,
    });
  } finally {
    process.umask(umask);
  }
  const mode = async (...path: string[]) => (await stat(join(directory, ...path))).mode & 0o777;
  expect(await mode('pki')).toBe(0o700);
  expect(await mode('admin.kubeconfig')).toBe(0o600);
  for (const file of ['ca.crt', 'ca.key', 'server.pem', 'admin.pem'])
    expect([file, await mode('pki', file)]).toEqual([file, 0o600]);
});

it('refuses to replace a CA whose key is missing', async () => {
  await open();
  await rm(join(directory, 'pki', 'ca.key'));
  await expect(open()).rejects.toThrow('restore the key');
});

it('refuses a CA with the key of another, and a clock that was never set', async () => {
  await open();
  const path = join(directory, 'pki', 'ca.key');
  await rm(path);
  await rename(join(directory, 'pki', 'server.pem'), path);
  await expect(open()).rejects.toThrow('is not the key of');
  const options = { directory: join(directory, 'other'), serverNames: [] };
  await expect(openPki({ ...options, clock: new ManualClock(1000) })).rejects.toThrow(
    'the clock of this machine says 1970-01-01T00:00:01Z',
  );
});

describe('what the server holds of its own', () => {
  const moving = () => new ManualClock(Date.UTC(2026, 0, 1));
  const openWith = (own: ManualClock, more: object = {}) =>
    openPki({ directory: join(directory, 'pki'), serverNames: [], clock: own, ...more });

  it('is renewed while it runs and is then found so after a restart', async () => {
    const own = moving();
    const pki = await openWith(own);
    const { server, admin } = pki;
    own.setBy(200 * DAY_MS);
    await pki.renewDue(1 / 3);
    expect(pki.server).toBe(server);
    own.setBy(50 * DAY_MS);
    await pki.renewDue(1 / 3);
    expect(pki.server.certificate).not.toBe(server.certificate);
    expect(pki.admin.key).not.toBe(admin.key);
    expect(pki.lives().server.untilMs).toBe(own.now() + 365 * DAY_MS);
    const again = await openWith(own);
    expect([again.server, again.admin]).toEqual([pki.server, pki.admin]);
  });

  it('is renewed at a start when it is due', async () => {
    const own = moving();
    const { server } = await openWith(own);
    own.setBy(400 * DAY_MS);
    expect((await openWith(own)).server.certificate).not.toBe(server.certificate);
  });

  it('is good on clocks that are hours behind, as long as the authority is', async () => {
    const own = moving();
    await openWith(own);
    own.setBy(300 * DAY_MS);
    const { server, ca } = (await openWith(own)).lives();
    expect(server.fromMs).toBe(ca.fromMs);
  });

  it('never outlives the authority', async () => {
    const own = moving();
    await openWith(own);
    own.setBy(3640 * DAY_MS);
    const pki = await openWith(own);
    const { ca, server } = pki.lives();
    expect(server.untilMs).toBe(ca.untilMs);
    const before = pki.server;
    await pki.renewDue(1);
    expect(pki.server).toBe(before);
  });

  it('stays in use when the new one cannot be written', async () => {
    const own = moving();
    const pki = await openWith(own);
    const { server } = pki;
    own.setBy(300 * DAY_MS);
    await rename(join(directory, 'pki'), join(directory, 'away'));
    await expect(pki.renewDue(1 / 3)).rejects.toThrow('holds no certificate authority');
    expect(pki.server).toBe(server);
    await rename(join(directory, 'away'), join(directory, 'pki'));
    await pki.renewDue(1 / 3);
    expect(pki.server).not.toBe(server);
  });

  it.each([
    ['nothing', ''],
    ['half a file', undefined],
    ['no PEM', 'hello\n'],
  ])('is made anew where the file holds %s', async (_title, text) => {
    await open();
    const path = join(directory, 'pki', 'server.pem');
    const whole = await readFile(path, 'utf8');
    await writeFile(path, text ?? whole.slice(0, whole.length / 2));
    const { server } = await open();
    const certificate = new X509Certificate(server.certificate);
    expect(certificate.checkPrivateKey(createPrivateKey(server.key))).toBe(true);
    expect((await open()).server).toEqual(server);
  });

  it('is made anew where its key is another, or its authority was replaced', async () => {
    const first = await open();
    const path = join(directory, 'pki', 'server.pem');
    await writeFile(path, first.server.certificate + first.admin.key);
    const second = await open();
    expect(second.server.certificate).not.toBe(first.server.certificate);
    for (const file of ['ca.crt', 'ca.key']) await rm(join(directory, 'pki', file));
    const third = await open();
    const ca = new X509Certificate(third.caCertificate);
    for (const pair of [third.server, third.admin])
      expect(new X509Certificate(pair.certificate).verify(ca.publicKey)).toBe(true);
  });

  it('leaves no unfinished file of a server that was killed', async () => {
    await open();
    await writeFile(join(directory, 'pki', '.server.pem.0a1b2c3d4e5f'), 'a key');
    await open();
    const names = await readdir(join(directory, 'pki'));
    expect(names.sort()).toEqual(['admin.pem', 'ca.crt', 'ca.key', 'server.pem']);
  });
});

it('signs a node request for the name given, not the name asked for', async () => {
  const pki = await open();
  const { request } = await createRequest();
  const certificate = new X509Certificate(await pki.signNodeRequest(request, 'node-1'));
  expect(certificate.subject).toBe('O=system:nodes\nCN=system:node:node-1');
  expect(certificate.verify(new X509Certificate(pki.caCertificate).publicKey)).toBe(true);
});

it('refuses hostile node requests', async () => {
  const pki = await open();
  const { request } = await createRequest();
  const tampered = Uint8Array.from(request);
  tampered[tampered.length - 1] = (tampered.at(-1) ?? 0) ^ 1;
  await expect(pki.signNodeRequest(tampered, 'a')).rejects.toThrow();
  await expect(pki.signNodeRequest(new Uint8Array([1, 2, 3]), 'a')).rejects.toThrow('malformed');
  await expect(pki.signNodeRequest(new Uint8Array(20_000), 'a')).rejects.toThrow('too large');
  expect(() => pki.signNodeRequest(request, 'x,O=system:masters')).toThrow('invalid node name');
});

it('embeds the certificates in a kubeconfig', async () => {
  const pki = await open();
  const text = formatKubeconfig({
    server: 'https://127.0.0.1:1',
    caCertificate: pki.caCertificate,
    client: pki.admin,
  });
  const config = JSON.parse(text);
  const decoded = Buffer.from(config.users[0].user['client-key-data'], 'base64').toString();
  expect(decoded).toBe(pki.admin.key);
});

describe('bootstrap tokens', () => {
  const file = () => join(directory, 'tokens.json');

  it('verifies a live token only, across a restart, and stores no secret', async () => {
    const tokens = await BootstrapTokens.open(file(), clock);
    const { id, secret } = await tokens.create(1000);
    expect(`${id}.${secret}`).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
    const reopened = await BootstrapTokens.open(file(), clock);
    expect(reopened.verify(`${id}.${secret}`)).toBe(true);
    expect(reopened.verify(`${id}.${'0'.repeat(16)}`)).toBe(false);
    expect(reopened.verify(`zzzzzz.${secret}`)).toBe(false);
    expect(reopened.verify('')).toBe(false);
    expect(reopened.verify(`${id}.${secret}.more`)).toBe(false);
    expect(await readFile(file(), 'utf8')).not.toContain(secret);
    await clock.advance(1001);
    expect(reopened.verify(`${id}.${secret}`)).toBe(false);
  });

  it('starts for the thousandth time in a day, and keeps the tokens that were asked for', async () => {
    const tokens = await BootstrapTokens.open(file(), clock);
    const asked = await tokens.create();
    let last = asked;
    for (let start = 0; start < 1100; start++) last = await tokens.createForStart();
    const reopened = await BootstrapTokens.open(file(), clock);
    for (const { id, secret } of [asked, last])
      expect(reopened.verify(`${id}.${secret}`)).toBe(true);
    expect(JSON.parse(await readFile(file(), 'utf8'))).toHaveLength(17);
  });

  it('refuses a token too many with what to do, and starts all the same', async () => {
    const many = Array.from({ length: 1000 }, (_none, n) => ({
      id: `t${n}`,
      secretHash: '0'.repeat(64),
      expiresAtMs: clock.now() + 1000,
    }));
    await writeFile(file(), JSON.stringify(many));
    const tokens = await BootstrapTokens.open(file(), clock);
    await expect(tokens.create()).rejects.toThrow('revoke some');
    await tokens.createForStart();
  });

  it('forgets a revoked token', async () => {
    const tokens = await BootstrapTokens.open(file(), clock);
    const { id, secret } = await tokens.create();
    await tokens.revoke(id);
    expect(tokens.verify(`${id}.${secret}`)).toBe(false);
  });

  it('says what is wrong with a damaged file', async () => {
    await writeFile(file(), '{"a":1}');
    await expect(BootstrapTokens.open(file(), clock)).rejects.toThrow('not a list of join tokens');
  });
});

it('makes the key of tokens once, when it is asked for', async () => {
  const first = await open();
  const key = await first.serviceAccountKey();
  expect(await first.serviceAccountKey()).toBe(key);
  expect(await (await open()).serviceAccountKey()).toBe(key);
  const { mode } = await stat(join(directory, 'pki', 'sa.key'));
  expect(mode & 0o777).toBe(0o600);
});

it('takes up certificates that were made anew beside it, with the names that the former had', async () => {
  const pki = await open(['192.0.2.7']);
  const [server, admin] = [pki.server, pki.admin];
  const later = new ManualClock(clock.now() + DAY_MS);
  const rotated = await rotateCertificates(join(directory, 'pki'), later);
  expect(rotated.map(({ name }) => name)).toEqual(['server', 'admin']);
  await pki.renewDue(0);
  expect(pki.server.key).not.toBe(server.key);
  expect(pki.admin.key).not.toBe(admin.key);
  const next = new X509Certificate(pki.server.certificate);
  expect(next.checkIP('192.0.2.7')).toBe('192.0.2.7');
  expect(next.verify(new X509Certificate(pki.caCertificate).publicKey)).toBe(true);
  expect(new X509Certificate(pki.admin.certificate).subject).toContain('O=system:masters');
  expect((await open(['192.0.2.7'])).server.certificate).toBe(pki.server.certificate);
});

it('goes on with what it has when what is put there is of another authority', async () => {
  const pki = await open();
  const { server } = pki;
  const others = join(directory, 'others');
  await openPki({ directory: others, serverNames: [], clock });
  await rename(join(others, 'server.pem'), join(directory, 'pki', 'server.pem'));
  await pki.renewDue(0);
  expect(pki.server).toBe(server);
});

it('makes certificates that have ended anew, and an authority that has good by its own key', async () => {
  const { caHash, caCertificate } = await open();
  const folder = join(directory, 'pki');
  const years = (count: number) => new ManualClock(clock.now() + count * 365 * DAY_MS);
  const [server] = await rotateCertificates(folder, years(2));
  expect(rfc3339(server?.life.untilMs ?? 0)).toBe(rfc3339(years(3).now()));
  const rotated = await rotateCertificates(folder, years(11));
  expect(rotated.map(({ name }) => name)).toEqual(['ca', 'server', 'admin']);
  const later = await openPki({ directory: folder, serverNames: [], clock: years(11) });
  expect(later.caHash).toBe(caHash);
  expect(later.caCertificate).not.toBe(caCertificate);
  const [next, ca] = [later.server.certificate, later.caCertificate].map(
    (pem) => new X509Certificate(pem),
  );
  expect(next!.checkIssued(ca!) && next!.verify(ca!.publicKey)).toBe(true);
  expect(rfc3339(later.lives().ca.untilMs)).toBe(rfc3339(years(21).now()));
  await expect(rotateCertificates(join(directory, 'none'), clock)).rejects.toThrow(
    'no certificate',
  );
});

describe('an authority that is replaced', () => {
  const folder = () => join(directory, 'pki');
  const issuerOf = (pem: string) => new X509Certificate(pem).issuer;

  it('is trusted beside the next, which signs clients, until that is the only one', async () => {
    const pki = await open();
    const before = { caHash: pki.caHash, server: pki.server, admin: pki.admin };
    const { next } = await beginAuthorityRotation(folder(), clock);
    expect((await beginAuthorityRotation(folder(), clock)).next.hash).toBe(next.hash);
    await pki.renewDue(0);
    expect([pki.caHash, pki.clientCaHash]).toEqual([before.caHash, next.hash]);
    expect(keyHashesIn(pki.caCertificate)).toEqual([before.caHash, next.hash]);
    expect(pki.server).toBe(before.server);
    expect(issuerOf(pki.admin.certificate)).toBe(issuerOf(next.pem.certificate));
    expect((await open()).admin).toEqual(pki.admin);
    await finishAuthorityRotation(folder());
    await pki.renewDue(0);
    expect(pki.caCertificate).toBe(next.pem.certificate);
    expect(issuerOf(pki.server.certificate)).toBe(issuerOf(next.pem.certificate));
    expect((await open()).server).toEqual(pki.server);
    expect((await readdir(folder())).sort()).toEqual([
      ...['admin.pem', 'ca.crt', 'ca.key', 'server.pem'],
    ]);
    await expect(finishAuthorityRotation(folder())).rejects.toThrow('no authority is being');
  });

  it.each(['ca.key', 'ca.crt'])('is whole after a crash once %s is written', async (last) => {
    await open();
    const { next } = await beginAuthorityRotation(folder(), clock);
    await writeFile(join(folder(), 'ca.key'), next.pem.key);
    if (last === 'ca.crt') await writeFile(join(folder(), 'ca.crt'), next.pem.certificate);
    const pki = await open();
    expect([pki.caHash, pki.clientCaHash]).toEqual([next.hash, next.hash]);
    expect(await readdir(folder())).not.toContain('ca-next.pem');
  });
});
