import type { Command } from 'commander';
import { collect, wholeNumber } from '../program';
import { examples, inNamespace, lazily, repeated, type Connected } from './command';

/** Adds a command that makes one object; its name may say what else it takes. */
export type Kind = (parent: Command, name: string, what: string, example: string) => Command;

type More = typeof import('../commands/create-more');

/** The kinds of policy and of the network, and tokens. */
export const defineMore = (create: Command, connected: Connected, kind: Kind): void => {
  const define = (command: Command, load: (module: More) => unknown): Command =>
    connected<[string, object]>(
      command,
      lazily(async () => load(await import('../commands/create-more.js')) as never),
    );
  define(
    kind(
      create,
      'poddisruptionbudget',
      'a pod disruption budget',
      'poddisruptionbudget web --selector=app=web --min-available=1',
    )
      .alias('pdb')
      .option('--selector <labels>', 'the pods that it protects')
      .option('--min-available <count>', 'how many must be left, or a share: 50%')
      .option('--max-unavailable <count>', 'how many may be missing, or a share'),
    (m) => m.createBudget,
  );
  define(
    kind(create, 'quota', 'a quota', 'quota team --hard=pods=10,requests.cpu=4')
      .alias('resourcequota')
      .option('--hard <resource=quantity>', 'how much there may be of what', collect)
      .option('--scopes <scopes>', 'which pods count: BestEffort,NotTerminating', collect),
    (m) => m.createQuota,
  );
  define(
    kind(
      create,
      'ingress',
      'an ingress',
      'ingress web --class=default --rule="foo.com/bar*=web:80,tls=cert"',
    )
      .alias('ing')
      .option('--class <name>', 'its ingress class')
      .option('--rule <rule>', 'host/path=service:port[,tls[=secret]]', repeated)
      .option('--default-backend <service:port>', 'for what no rule is about')
      .option('--annotation <key=value>', 'an annotation', repeated),
    (m) => m.createIngress,
  );
  defineServices(create, define, kind);
  define(
    inNamespace(create.command('token <serviceaccount>'))
      .description('Request a token of a service account')
      .option('--audience <name>', 'whom it is for', repeated)
      .option('--duration <duration>', 'how long it is good for: 10m')
      .option('--bound-object-kind <kind>', 'it ends with an object: Node, Pod, Secret')
      .option('--bound-object-name <name>', 'the name of that object')
      .option('--bound-object-uid <uid>', 'its uid')
      .option('-o, --output <format>', 'print the request as yaml, json, name or a template')
      .addHelpText('after', examples('dhow create token bot --duration=10m')),
    (m) => m.createToken,
  );
};

const defineServices = (
  create: Command,
  define: (command: Command, load: (module: More) => unknown) => Command,
  kind: Kind,
): void => {
  const service = create
    .command('service')
    .alias('svc')
    .description('Create a service')
    .addHelpText('after', examples('dhow create service clusterip web --tcp=80:8080'));
  const withPorts = (name: string, what: string, example: string) =>
    kind(service, name, what, `service ${example}`).option(
      '--tcp <port[:target]>',
      'a port, and that of the pods',
      collect,
    );
  define(
    withPorts('clusterip', 'a service within the cluster', 'clusterip web --tcp=80:8080').option(
      '--clusterip <address>',
      'its address; None for one without',
    ),
    (m) => m.createClusterIp,
  );
  define(
    withPorts('nodeport', 'a service on a port of each node', 'nodeport web --tcp=80:8080').option(
      '--node-port <port>',
      'that port',
      wholeNumber('--node-port'),
    ),
    (m) => m.createNodePort,
  );
  define(
    withPorts('loadbalancer', 'a service behind a load balancer', 'loadbalancer web --tcp=80:8080'),
    (m) => m.createLoadBalancer,
  );
  define(
    withPorts(
      'externalname',
      'a name for one elsewhere',
      'externalname db --external-name=db.example.com',
    ).option('--external-name <name>', 'the name elsewhere'),
    (m) => m.createExternalName,
  );
};
