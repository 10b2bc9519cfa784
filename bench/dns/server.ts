import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { RecordTable } from '../../node-agent/dns/records/record-table';
import { DnsCounters } from '../../node-agent/dns/serving/counters';
import { NameServer } from '../../node-agent/dns/serving/name-server';
import { listenByUdp } from '../../node-agent/dns/serving/udp-listener';
import { hostsOf } from './hosts';

/** Answers for as many Services as there are hosts: `server.js ADDRESS PORT`. */
const main = async (): Promise<void> => {
  const [, , address = '', port = ''] = process.argv;
  const domain = 'cluster.local';
  const table = new RecordTable({ domain, addresses: [], ranges: [] }, silentLog);
  for (const { service, address: clusterIP } of hostsOf()) {
    const metadata = { name: service, namespace: 'default' };
    const spec = { clusterIP, ports: [{ port: 80 }] };
    table.setService(`default/${service}`, { apiVersion: 'v1', kind: 'Service', metadata, spec });
  }
  table.flush();
  const deps = { table, counters: new DnsCounters(), clock: systemClock };
  const names = new NameServer({ ...deps, forwarder: { ask: () => undefined } });
  names.changed(domain);
  await listenByUdp(address, Number(port), names);
};

void main();
