import type { Command } from 'commander';
import type { InspectIsolationOptions } from '../commands/inspect-isolation';
import type { PlanOptions } from '../commands/plan';
import type { RebalanceOptions } from '../commands/rebalance';
import type { ReplayOptions } from '../commands/replay';
import type { CaptureOptions } from '../commands/scheduler-capture';
import type { TimelineOptions } from '../commands/timeline';
import type { WhyBlockedOptions } from '../commands/why-blocked';
import type { DecisionsOptions, WhyOptions } from '../commands/why';
import { wholeNumber } from '../program';
import { examples, inNamespace, inNamespaces, lazily, repeated, type Connected } from './command';

export const defineWhy = (program: Command, connected: Connected): void => {
  connected<[string, string | undefined, WhyOptions]>(
    inNamespace(
      program
        .command('why <pod> [name]')
        .usage('[options] POD | KIND/NAME | KIND NAME')
        .description('Why a pod runs where it does, or what keeps it or its workload from running')
        .option('--node <name>', 'about one node: why there, or why not')
        .option('-o, --output <format>', 'wide, yaml, json or name')
        .addHelpText(
          'after',
          examples(
            'dhow why pod/web-1             why here, who was second, which plugin decided',
            'dhow why web-1 --node node-2   why (not) on this node',
            'dhow why deploy/web            where its pods are and why, and which do not run',
            'dhow why podgroup/train        who of it is placed, who is missing and why, until when',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/why.js')).why),
  );
};

export const defineWhyBlocked = (program: Command, connected: Connected): void => {
  connected<[string, string, WhyBlockedOptions]>(
    inNamespace(
      program
        .command('why-blocked <from> <to>')
        .usage('[options] POD|ADDRESS svc/SERVICE:PORT|pod/POD:PORT|ADDRESS:PORT')
        .description('Whether a connection would get through, and which policy or lack says so')
        .option('--to-namespace <name>', 'where the pod or service is, if elsewhere')
        .option('--protocol <name>', 'tcp, udp or sctp; default: that of the port')
        .option('-o, --output <format>', 'wide, yaml, json or name')
        .addHelpText(
          'after',
          examples(
            'dhow why-blocked pod/client svc/web:80          each pod behind a service, and what says so',
            'dhow why-blocked client svc/web.shop:http       a service of another namespace, by name of its port',
            'dhow why-blocked client pod/web-1 --to-namespace shop',
            '                                                all ports that the pod declares',
            'dhow why-blocked 203.0.113.7 pod/web-1:8080     from outside; exit code 1 when it is blocked',
            'dhow why-blocked client 10.96.0.10:53 --protocol udp -o yaml',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/why-blocked.js')).whyBlocked),
  );
};

export const defineInspectIsolation = (program: Command, connected: Connected): void => {
  connected<[string, string | undefined, InspectIsolationOptions]>(
    inNamespace(
      program
        .command('inspect-isolation <pod> [name]')
        .usage('[options] POD | KIND/NAME')
        .description('How the kernel shuts in the containers of a pod, beside what was asked for')
        .option('-c, --container <name>', 'this one only')
        .option('-o, --output <format>', 'wide, yaml, json or name')
        .addHelpText(
          'after',
          examples(
            'dhow inspect-isolation pod/web-1           namespaces, user, capabilities, filter, mounts, limits',
            'dhow inspect-isolation deploy/web -c app   of a pod of it; exit code 1 when something differs',
            'dhow inspect-isolation web-1 -o yaml       all mounts and control files, as they are',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/inspect-isolation.js')).inspectIsolation),
  );
};

export const definePlan = (program: Command, connected: Connected): void => {
  connected<[string[], PlanOptions]>(
    inNamespace(
      program
        .command('plan [kind-or-name...]')
        .usage('[options] [-f FILE] [KIND/NAME...]')
        .description(
          'Where pods would go, who would be evicted, what would wait; nothing is written',
        )
        .option('-f, --filename <path...>', 'the pods and workloads of these files')
        .option('-R, --recursive', 'also the folders in the folders')
        .option('--drain <node>', 'as if this node was drained', repeated)
        .option('--without <node>', 'as if this node was gone', repeated)
        .option('--add-node <node>', 'as if there was one more: cpu=4,memory=8Gi,...', repeated)
        .option('--more', 'how many more replicas of the last there would be room for')
        .option('-o, --output <format>', 'wide (all pods), yaml, json or name')
        .addHelpText(
          'after',
          examples(
            'dhow plan -f web.yaml             where its pods would go, in which order, and why',
            'dhow plan --drain node-2          where the pods of a node would go',
            'dhow plan --without node-2        what would be lost with it',
            'dhow plan --add-node cpu=4,memory=8Gi,labels=disk=ssd,taints=a=b:NoSchedule,count=2',
            '                                  which pods that wait would run',
            'dhow plan --more deploy/web       how many more replicas fit',
            'dhow plan -f web.yaml --without node-1 -o json',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/plan.js')).plan),
  );
};

export const defineRebalance = (program: Command, connected: Connected): void => {
  connected<[RebalanceOptions]>(
    program
      .command('rebalance')
      .description('Which pods would be better off on other nodes; moves them only when told to')
      .option('--dry-run', 'show the moves and what they gain, and evict nothing')
      .option('--yes', 'evict without asking')
      .option('--max-moves <n>', 'at most so many: 20 unless told', wholeNumber('--max-moves'))
      .option(
        '--min-gain <percent>',
        'by how much fuller a node must be than the other: 10 unless told',
        wholeNumber('--min-gain'),
      )
      .option(
        '--threshold <percent>',
        'requested from which a node is to be relieved: 80 unless told',
        wholeNumber('--threshold'),
      )
      .option('--delete-emptydir-data', 'also pods whose emptyDir volumes would be lost')
      .option('--timeout <duration>', 'for each pod until the next is ready: 5m unless told')
      .option('-o, --output <format>', 'yaml, json or name')
      .addHelpText(
        'after',
        examples(
          'dhow rebalance --dry-run                what would move, why, and what is gained',
          'dhow rebalance --dry-run -o json        the same for programs',
          'dhow rebalance                          show it, ask, and evict batch after batch',
          'dhow rebalance --yes --max-moves 5      the five first moves, without asking',
          'dhow rebalance --dry-run --threshold 70 also take load off nodes that are 70% full',
        ),
      ),
    lazily(async () => (await import('../commands/rebalance.js')).rebalance),
  );
};

export const defineReplay = (program: Command, connected: Connected): void => {
  connected<[ReplayOptions]>(
    replayCommand(program),
    lazily(async () => (await import('../commands/replay.js')).replay),
  );
};

/** With `--bundle` it is of another program: that of a machine needs no cluster. */
export const replayCommand = (program: Command): Command =>
  program
    .command('replay')
    .description('Take the last decisions again, as they were or by another configuration')
    .option('--last <n>', 'how many: 100 unless told', wholeNumber('--last'))
    .option('--bundle <file>', 'those of this file, which `scheduler capture` wrote; no cluster')
    .option('--config <file>', 'by this KubeSchedulerConfiguration')
    .option('-o, --output <format>', 'yaml, json or name')
    .addHelpText(
      'after',
      examples(
        'dhow replay --last 20                       do they come out the same?',
        'dhow replay --last 500 --config other.yaml  which pods would be elsewhere, and why',
        'dhow replay --bundle web.json.gz            on any machine; exit code 1 when one differs',
        'dhow replay --bundle web.json.gz --config other.yaml -o yaml',
      ),
    );

export const defineScheduler = (program: Command, connected: Connected): void => {
  const scheduler = program
    .command('scheduler')
    .description('Take decisions of the scheduler to another machine')
    .addHelpText(
      'after',
      examples('dhow scheduler capture web-1', 'dhow scheduler capture --help'),
    );
  connected<[string | undefined, CaptureOptions]>(
    inNamespace(
      scheduler
        .command('capture [pod]')
        .usage('[options] [POD | --last N]')
        .description(
          'Write decisions with all that they were taken by to one file, for `dhow replay --bundle`',
        )
        .option('--last <n>', 'how many decisions: 100 unless told', wholeNumber('--last'))
        .option('-o, --output-file <file>', 'where to; - is standard output', CAPTURE_FILE)
        .addHelpText('after', CAPTURE_CONTENT)
        .addHelpText(
          'after',
          examples(
            'dhow scheduler capture web-1 -n shop         what is remembered about one pod',
            'dhow scheduler capture --last 20 -o web.json.gz',
            'dhow replay --bundle web.json.gz             elsewhere: do they come out the same?',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/scheduler-capture.js')).capture),
  );
};

const CAPTURE_FILE = 'scheduler-capture.json.gz';
const CAPTURE_CONTENT = `
In the file are the configuration of the scheduler; nodes and placed pods as far as it reads them: names,
labels, taints, resources, ports, images and affinities; the claims and volumes of pods that were decided;
labels of namespaces; disruption budgets. Never in it are Secrets, ConfigMaps, environment variables, commands
and annotations of pods. The configuration is copied as it was written.`;

export const defineTimeline = (program: Command, connected: Connected): void => {
  connected<[string, string | undefined, TimelineOptions]>(
    inNamespace(
      program
        .command('timeline <pod> [name]')
        .usage('[options] POD | KIND/NAME | KIND NAME')
        .description('What happened to a pod, step by step: when, how long it took, and the cause')
        .option('-o, --output <format>', 'wide, yaml, json or name')
        .addHelpText(
          'after',
          examples(
            'dhow timeline pod/web-1        created, scheduled, pulled, started, ready; restarts and why',
            'dhow timeline deploy/web       of a pod that is not ready, if there is one',
            'dhow timeline web-1 -o wide    with the times themselves',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/timeline.js')).timeline),
  );
};

export const defineDecisions = (program: Command, connected: Connected): void => {
  connected<[DecisionsOptions]>(
    inNamespaces(
      program
        .command('decisions')
        .description("The scheduler's latest decisions")
        .option('-w, --watch', 'go on as decisions are made')
        .option('--pod <name>', 'about one pod')
        .option('--node <name>', 'that placed a pod on this node')
        .option('--outcome <name>', 'that ended so: Scheduled, Unschedulable or Error')
        .option('--reason <text>', 'that most nodes refused for this: "Insufficient cpu"')
        .option('--field-selector <fields>', 'with these field values')
        .option('--since <duration>', 'made in the last 10s, 5m, 1h')
        .option('--limit <n>', 'the latest n only')
        .option('-o, --output <format>', 'wide, yaml, json or name')
        .addHelpText(
          'after',
          examples(
            'dhow decisions -A          of all namespaces, the oldest first',
            'dhow decisions -w          as they are made',
            'dhow decisions --pod web-1 --since 10m --limit 5',
            'dhow decisions -A --node node-2                 what came to a node',
            "dhow decisions -A --reason 'Insufficient cpu'   who was refused for it",
            'dhow decisions --field-selector spec.hour=2026-11-30T02,status.outcome!=Scheduled',
            'dhow decisions -o json     with the score of every plugin',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/why.js')).decisions),
  );
};

export const defineTree = (program: Command, connected: Connected): void => {
  connected<[string[]]>(
    inNamespace(
      program
        .command('tree <kind-or-name...>')
        .usage('[options] KIND/NAME | KIND NAME')
        .description('Show an object and all that it owns, and what of it is not ready')
        .addHelpText(
          'after',
          examples(
            'dhow tree deploy/web           its sets and their pods, and why they do not run',
            'dhow tree rs web-5d9c          what one of them owns',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/tree.js')).tree),
  );
};
