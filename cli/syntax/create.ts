import type { Command } from 'commander';
import type { CreateOptions } from '../commands/create';
import { collect, wholeNumber } from '../program';
import { defineMore, type Kind } from './create-more';
import { changing, examples, inNamespace, lazily, repeated, type Connected } from './command';

type Create = typeof import('../commands/create');

export const defineCreate = (program: Command, connected: Connected): void => {
  const create = changing(inNamespace(program.command('create')))
    // An option after the kind is the kind's: the two have some names in common.
    .enablePositionalOptions()
    .description('Create objects, from files or of a kind')
    .option('-f, --filename <path...>', 'files, folders, or - for stdin')
    .option('-R, --recursive', 'also the folders in the folders')
    .addHelpText(
      'after',
      examples(
        'dhow create -f app.yaml',
        'dhow create deployment web --image=nginx:1.28 --replicas=2',
        'dhow create configmap app --from-literal=a=b --from-file=app.conf',
        'dhow create secret generic app --from-env-file=.env --dry-run=client -o yaml',
      ),
    );
  connected<[CreateOptions]>(
    create,
    lazily(async () => (await import('../commands/create.js')).createFromFiles),
  );
  const define = (command: Command, load: (module: Create) => unknown): Command =>
    connected<[string, CreateOptions]>(
      command,
      lazily(async () => load(await import('../commands/create.js')) as never),
    );
  define(
    kind(create, 'namespace', 'a namespace', 'namespace team-a').alias('ns'),
    (m) => m.createNamespace,
  );
  define(
    kind(create, 'serviceaccount', 'a service account', 'serviceaccount bot').alias('sa'),
    (m) => m.createServiceAccount,
  );
  define(
    withSources(
      kind(
        create,
        'configmap',
        'a config map',
        'configmap app --from-literal=a=b --from-file=app.conf',
      ).alias('cm'),
    ),
    (m) => m.createConfigMap,
  );
  defineSecrets(create, define);
  define(
    kind(
      create,
      'deployment <name> [command...]',
      'a deployment',
      'deployment web --image=nginx:1.28 --replicas=2 --port=80',
    )
      .alias('deploy')
      .option('--image <image>', 'the image; several for several containers', collect)
      .option('-r, --replicas <count>', 'how many pods', wholeNumber('--replicas'))
      .option('--port <port>', 'a port that it serves', wholeNumber('--port')),
    (m) => m.createDeployment,
  );
  defineJobs(create, define);
  defineAccess(create, define);
  definePriorityClass(create, define);
  defineMore(create, connected, kind);
};

type DefineOne = (command: Command, load: (module: Create) => unknown) => Command;

const kind: Kind = (parent, name, what, example) =>
  changing(inNamespace(parent.command(name.includes(' ') ? name : `${name} <name>`)))
    .description(`Create ${what}`)
    .addHelpText('after', examples(`dhow create ${example}`));

const withSources = (command: Command): Command =>
  command
    .option('--from-literal <key=value>', 'an entry', repeated)
    .option('--from-file <path>', 'a file, KEY=FILE, or all files of a folder', repeated)
    .option('--from-env-file <file>', 'lines of KEY=VALUE', repeated);

const defineJobs = (create: Command, define: DefineOne): void => {
  define(
    kind(
      create,
      'job <name> [command...]',
      'a job, whose pod runs until it is done',
      'job report --from=cronjob/report',
    )
      .option('--image <image>', 'the image')
      .option('--from <cronjob/name>', 'a cron job, to start what it starts'),
    (m) => m.createJob,
  );
  define(
    kind(
      create,
      'cronjob <name> [command...]',
      'a cron job, which starts jobs when their time comes',
      "cronjob report --image=busybox:1.36 --schedule='0 6 * * 1-5' -- date",
    )
      .alias('cj')
      .option('--image <image>', 'the image')
      .option('--schedule <schedule>', 'when, in the format of cron')
      .option('--restart <policy>', 'of its pods: OnFailure, Never'),
    (m) => m.createCronJob,
  );
};

const definePriorityClass = (create: Command, define: DefineOne): void => {
  define(
    kind(
      create,
      'priorityclass',
      'a priority class',
      'priorityclass high --value=1000 --description="before others"',
    )
      .alias('pc')
      .option('--value <number>', 'the priority')
      .option('--global-default', 'for pods that name none')
      .option('--description <text>', 'what it is for')
      .option('--preemption-policy <policy>', 'PreemptLowerPriority or Never'),
    (m) => m.createPriorityClass,
  );
};

const defineSecrets = (create: Command, define: DefineOne): void => {
  const secret = create
    .command('secret')
    .description('Create a secret')
    .addHelpText('after', examples('dhow create secret generic app --from-literal=password=...'));
  define(
    withSources(
      kind(secret, 'generic', 'a secret of any entries', 'secret generic app --from-file=key.pem'),
    ).option('--type <type>', 'the type of the secret'),
    (m) => m.createGenericSecret,
  );
  define(
    kind(
      secret,
      'docker-registry',
      'credentials for a registry',
      'secret docker-registry reg --docker-server=r.example --docker-username=u --docker-password=p',
    )
      .option('--docker-server <host>', 'the registry')
      .option('--docker-username <name>', 'the user')
      .option('--docker-password <password>', 'the password')
      .option('--docker-email <address>', 'for old registries'),
    (m) => m.createRegistrySecret,
  );
  define(
    kind(secret, 'tls', 'a certificate and its key', 'secret tls web --cert=tls.crt --key=tls.key')
      .option('--cert <file>', 'the certificate, PEM')
      .option('--key <file>', 'its private key, PEM'),
    (m) => m.createTlsSecret,
  );
};

const defineAccess = (create: Command, define: DefineOne): void => {
  const rules = (command: Command): Command =>
    command
      .option('--verb <verbs>', 'get,list,...', collect)
      .option('--resource <kinds>', 'pods,deployments.apps,pods/log', collect)
      .option('--resource-name <names>', 'only objects of these names', collect);
  const subjects = (command: Command): Command =>
    command
      .option('--clusterrole <name>', 'the cluster role that is given')
      .option('--user <name>', 'to a user', collect)
      .option('--group <name>', 'to a group', collect)
      .option('--serviceaccount <namespace:name>', 'to a service account', collect);
  define(
    rules(kind(create, 'role', 'a role', 'role reader --verb=get,list --resource=pods')),
    (m) => m.createRole,
  );
  define(
    rules(
      kind(
        create,
        'clusterrole',
        'a cluster role',
        'clusterrole reader --verb=get,list --resource=nodes',
      ),
    )
      .option('--non-resource-url <paths>', 'paths that are no objects: /metrics', collect)
      .option('--aggregation-rule <labels>', 'the rules of all roles with these labels', collect),
    (m) => m.createClusterRole,
  );
  define(
    subjects(
      kind(
        create,
        'rolebinding',
        'a role binding',
        'rolebinding rb --role=reader --serviceaccount=default:bot',
      ),
    ).option('--role <name>', 'the role that is given'),
    (m) => m.createRoleBinding,
  );
  define(
    subjects(
      kind(
        create,
        'clusterrolebinding',
        'a cluster role binding',
        'clusterrolebinding crb --clusterrole=reader --user=dev',
      ),
    ),
    (m) => m.createClusterRoleBinding,
  );
};
