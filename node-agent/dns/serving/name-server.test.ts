import { decode } from 'dns-packet';

import { queryFor, readAnswer, service, slice, testNames } from '../testing';

const WEB = 'web.default.svc.cluster.local';
const web = service('web', {
  clusterIP: '10.96.0.7',
  clusterIPs: ['10.96.0.7', 'fd00::7'],
  ports: [
    { name: 'http', port: 80 },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ],
});
const db = service('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] });
const dbSlice = slice('db-1', 'db', {
  endpoints: [
    { addresses: ['10.42.0.4'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.42.0.5'], hostname: 'db-1', conditions: { ready: false } },
    { addresses: ['10.42.0.6'], conditions: {} },
  ],
  ports: [{ name: 'sql', port: 15_432, protocol: 'TCP' }],
});

it('answers for a Service with an address', () => {
  const { ask } = testNames({ services: [web] });
  expect(ask(WEB)).toMatchObject({
    ...{ rcode: 'NOERROR', isAuthoritative: true, answers: ['A 10.96.0.7'], ttls: [5] },
    authorities: [],
  });
  expect(ask(WEB, 'AAAA').answers).toEqual(['AAAA fd00::7']);
  expect(ask(`_http._tcp.${WEB}`, 'SRV')).toMatchObject({
    answers: [`SRV 0 100 80 ${WEB}`],
    additionals: [`${WEB} A 10.96.0.7`, `${WEB} AAAA fd00::7`],
  });
  expect(ask(`_dns._udp.${WEB}`, 'SRV').answers).toEqual([`SRV 0 100 53 ${WEB}`]);
  expect(ask('7.0.96.10.in-addr.arpa', 'PTR').answers).toEqual([`PTR ${WEB}`]);
  const nibbles = `7.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`.replace(/^7\.(.*)$/, '7.$1');
  expect(ask(nibbles, 'PTR').answers).toEqual([`PTR ${WEB}`]);
});

it('answers for a headless Service with what is ready behind it', () => {
  const { ask } = testNames({ services: [db], slices: [dbSlice] });
  const name = 'db.default.svc.cluster.local';
  expect([...ask(name).answers].sort()).toEqual(['A 10.42.0.4', 'A 10.42.0.6']);
  expect(ask(`db-0.${name}`).answers).toEqual(['A 10.42.0.4']);
  expect(ask(`10-42-0-6.${name}`).answers).toEqual(['A 10.42.0.6']);
  expect(ask(`db-1.${name}`).rcode).toBe('NXDOMAIN');
  expect([...ask(`_sql._tcp.${name}`, 'SRV').answers].sort()).toEqual([
    `SRV 0 50 15432 10-42-0-6.${name}`,
    `SRV 0 50 15432 db-0.${name}`,
  ]);
  expect(ask('4.0.42.10.in-addr.arpa', 'PTR').answers).toEqual([`PTR db-0.${name}`]);
});

it('has no name for a headless Service with nothing ready, unless it tells of all', () => {
  const waiting = slice('s', 'db', {
    endpoints: [{ addresses: ['10.42.0.5'], hostname: 'db-1', conditions: { ready: false } }],
  });
  const name = 'db.default.svc.cluster.local';
  expect(testNames({ services: [db], slices: [waiting] }).ask(name).rcode).toBe('NXDOMAIN');
  const [key, { spec }] = db;
  const open = service('db', { ...spec, publishNotReadyAddresses: true });
  const { ask } = testNames({ services: [[key, open[1]]], slices: [waiting] });
  expect(ask(name).answers).toEqual(['A 10.42.0.5']);
  expect(ask(`db-1.${name}`).answers).toEqual(['A 10.42.0.5']);
});

it('tells a name without such records from one that is not', () => {
  const { ask } = testNames({ services: [web, db], slices: [dbSlice] });
  const rcodeOf = (name: string, type?: string) => {
    const { rcode, answers, authorities } = ask(name, type);
    expect(answers).toEqual([]);
    expect(authorities).toHaveLength(1);
    return rcode;
  };
  const below = ['cluster.local', 'svc.cluster.local', 'default.svc.cluster.local'];
  for (const name of [...below, `_tcp.${WEB}`, 'dns.cluster.local', 'pod.cluster.local'])
    expect([name, rcodeOf(name)]).toEqual([name, 'NOERROR']);
  expect(rcodeOf(WEB, 'MX')).toBe('NOERROR');
  expect(rcodeOf('db.default.svc.cluster.local', 'AAAA')).toBe('NOERROR');
  const absent = ['none.default.svc', 'web.none.svc', 'none.svc', 'none', `x.web.default.svc`];
  for (const name of [...absent, '_ftp._tcp.web.default.svc', 'x.y.z.web.default.svc'])
    expect([name, rcodeOf(`${name}.cluster.local`)]).toEqual([name, 'NXDOMAIN']);
  expect(rcodeOf('9.9.42.10.in-addr.arpa', 'PTR')).toBe('NXDOMAIN');
});

it('says how long it holds that there is no such name: not long', () => {
  const { names } = testNames();
  const packet = decode(names.answer(queryFor('x.cluster.local', 'A')) as Buffer);
  expect(packet.authorities).toMatchObject([
    { name: 'cluster.local', type: 'SOA', ttl: 5, data: { minimum: 5 } },
  ]);
});

it('answers with the fixed names of the zone', () => {
  const { ask } = testNames();
  expect(ask('dns-version.cluster.local', 'TXT').answers).toEqual(['TXT 1.1.0']);
  expect(ask('ns.dns.cluster.local').answers).toEqual(['A 10.96.0.10']);
  expect(ask('cluster.local', 'SOA').answers).toEqual(['SOA ns.dns.cluster.local']);
  expect(ask('10-42-0-9.any.pod.cluster.local').answers).toEqual(['A 10.42.0.9']);
  expect(ask('fd00--9.any.pod.cluster.local', 'AAAA').answers).toEqual(['AAAA fd00::9']);
  for (const name of ['10-42-0.any', '10-42-0-999.any', 'a.10-42-0-9.any', 'web.any'])
    expect(ask(`${name}.pod.cluster.local`).rcode).toBe('NXDOMAIN');
});

it('keeps the case of the question, and minds none', () => {
  const { ask } = testNames({ services: [web] });
  const name = 'WeB.Default.SVC.cluster.LOCAL';
  expect(ask(name)).toMatchObject({ question: name, answers: ['A 10.96.0.7'] });
});

it('follows the name that a Service stands for, as far as it knows', () => {
  const services = [
    web,
    service('inside', { type: 'ExternalName', externalName: `web.default.svc.cluster.local` }),
    service('twice', { type: 'ExternalName', externalName: 'inside.default.svc.cluster.local' }),
    service('round', { type: 'ExternalName', externalName: 'round.default.svc.cluster.local' }),
    service('outside', { type: 'ExternalName', externalName: 'www.example.com' }),
    service('address', { type: 'ExternalName', externalName: '192.0.2.1' }),
  ];
  const { ask } = testNames({ services });
  const of = (name: string, type?: string) => ask(`${name}.default.svc.cluster.local`, type);
  expect(of('inside').answers).toEqual([`CNAME ${WEB}`, `${WEB} A 10.96.0.7`]);
  expect(of('twice').answers).toHaveLength(3);
  expect(of('outside')).toMatchObject({ rcode: 'NOERROR', answers: ['CNAME www.example.com'] });
  expect(of('outside', 'CNAME').answers).toEqual(['CNAME www.example.com']);
  expect(of('round').answers.length).toBeLessThan(10);
  expect(of('address').rcode).toBe('NXDOMAIN');
});

it('refuses what it does not do', () => {
  const { ask, names } = testNames({ services: [web] });
  expect(ask(WEB, 'ANY').answers).toEqual(['HINFO ']);
  expect(ask(WEB, 'AXFR').rcode).toBe('REFUSED');
  expect(ask(WEB, 'IXFR').rcode).toBe('REFUSED');
  expect(ask('version.bind', 'TXT', { class: 'CH' }).rcode).toBe('REFUSED');
  expect(ask('example.com').rcode).toBe('SERVFAIL');
  const status = queryFor(WEB, 'A');
  status.writeUInt16BE(2 << 11, 2);
  expect(readAnswer(names.answer(status) as Buffer).rcode).toBe('NOTIMP');
  const version = names.answer(queryFor(WEB, 'A', { udpBytes: 1232, ednsVersion: 1 })) as Buffer;
  expect(decode(version)).toMatchObject({ additionals: [{ extendedRcode: 1 }], answers: [] });
  const answered = queryFor(WEB, 'A');
  answered.writeUInt16BE(0x8000, 2);
  expect(names.answer(answered)).toBeUndefined();
});

it('cuts off what has no room, says so, and has room for all by TCP', () => {
  const endpoints = Array.from({ length: 200 }, (_none, i) => ({ addresses: [`10.42.1.${i}`] }));
  const { ask, names } = testNames({ services: [db], slices: [slice('s', 'db', { endpoints })] });
  const name = 'db.default.svc.cluster.local';
  const plain = ask(name);
  expect([plain.isTruncated, plain.answers.length]).toEqual([true, 29]);
  const wide = ask(name, 'A', { udpBytes: 60_000 });
  expect([wide.isTruncated, wide.answers.length]).toEqual([true, 73]);
  expect(wide.additionals).toHaveLength(1);
  const whole = readAnswer(names.answer(queryFor(name, 'A'), 65_535) as Buffer);
  expect([whole.isTruncated, new Set(whole.answers).size]).toEqual([false, 200]);
});

it('begins with another answer each time', () => {
  const { ask } = testNames({ services: [db], slices: [dbSlice] });
  const firsts = [1, 2].map(() => ask('db.default.svc.cluster.local').answers[0]);
  expect(new Set(firsts).size).toBe(2);
});

it('follows what changes, by itself', () => {
  const { ask, table } = testNames({ services: [db], slices: [dbSlice] });
  const name = 'db.default.svc.cluster.local';
  table.setSlice(
    'default/db-2',
    slice('db-2', 'db', { endpoints: [{ addresses: ['10.42.0.8'] }] })[1],
  );
  table.flush();
  expect(ask(name).answers).toHaveLength(3);
  table.setSlice('default/db-1', undefined);
  table.flush();
  expect(ask(name).answers).toEqual(['A 10.42.0.8']);
  expect(ask('4.0.42.10.in-addr.arpa', 'PTR').rcode).toBe('NXDOMAIN');
  table.setService('default/db', undefined);
  table.flush();
  expect(ask(name).rcode).toBe('NXDOMAIN');
  expect(ask('8.0.42.10.in-addr.arpa', 'PTR').rcode).toBe('NXDOMAIN');
});

it('answers for the others when one Service cannot be read', () => {
  const broken = service('broken', { clusterIP: '10.96.0.8', ports: 7 as never });
  const { ask } = testNames({ services: [broken, web] });
  expect(ask('broken.default.svc.cluster.local').rcode).toBe('NXDOMAIN');
  expect(ask(WEB).answers).toEqual(['A 10.96.0.7']);
});

it('counts by type and by answer, and lets no client make up new ones', () => {
  const { ask, counters } = testNames({ services: [web] });
  ask(WEB);
  ask('x.cluster.local', 'UNKNOWN_9');
  ask('x.cluster.local', 'NAPTR');
  expect(counters.counts).toEqual({
    queries: { A: 1, other: 2 },
    responses: { NOERROR: 1, NXDOMAIN: 2 },
    outside: {},
  });
});
