import type { Command } from 'commander';
import type { AnnotateOptions } from '../commands/annotate';
import type { AutoscaleOptions } from '../commands/autoscale';
import type { ExposeOptions } from '../commands/expose';
import type { LabelOptions } from '../commands/label';
import type { PatchOptions } from '../commands/patch';
import type { ScaleOptions } from '../commands/scale';
import {
  changing,
  examples,
  inNamespace,
  inNamespaces,
  lazily,
  repeated,
  selecting,
  type Connected,
} from './command';

export const defineLabel = (program: Command, connected: Connected): void => {
  connected<[string[], LabelOptions]>(
    selecting(changing(inNamespaces(program.command('label [kind-or-name...]'))))
      .usage('[options] KIND NAME KEY=VALUE... KEY-...')
      .description('Set and remove labels')
      .option('--overwrite', 'also labels that have another value')
      .option('--list', 'show the labels')
      .addHelpText(
        'after',
        examples(
          'dhow label node node-1 disk=ssd           set one',
          'dhow label node node-1 disk=hdd --overwrite',
          'dhow label node node-1 disk-              remove it',
          'dhow label pods -l app=web env=test       on all of an application',
        ),
      ),
    lazily(async () => (await import('../commands/label.js')).label),
  );
};

export const defineAnnotate = (program: Command, connected: Connected): void => {
  connected<[string[], AnnotateOptions]>(
    selecting(changing(inNamespaces(program.command('annotate [kind-or-name...]'))))
      .usage('[options] KIND NAME KEY=VALUE... KEY-...')
      .description('Set and remove annotations')
      .option('--overwrite', 'also annotations that have another value')
      .option('--list', 'show the annotations')
      .addHelpText(
        'after',
        examples(
          'dhow annotate pod web-1 note="hello world"   set one',
          'dhow annotate pod web-1 note-                remove it',
          'dhow annotate deploy/web kubernetes.io/change-cause="a new image"',
        ),
      ),
    lazily(async () => (await import('../commands/annotate.js')).annotate),
  );
};

export const defineScale = (program: Command, connected: Connected): void => {
  connected<[string[], ScaleOptions]>(
    selecting(changing(inNamespaces(program.command('scale [kind-or-name...]'))))
      .description('Set how many pods a workload has')
      .option('--replicas <count>', 'how many; required')
      .option('--current-replicas <count>', 'only if it has so many now')
      .option('--resource-version <version>', 'only if it is at this version')
      .option('--timeout <duration>', 'wait until it has them: 30s, 1m30s')
      .addHelpText(
        'after',
        examples(
          'dhow scale deploy/web --replicas=3',
          'dhow scale deploy/web --current-replicas=2 --replicas=3',
          'dhow scale deploy --all --replicas=0 -n test',
        ),
      ),
    lazily(async () => (await import('../commands/scale.js')).scale),
  );
};

export const defineAutoscale = (program: Command, connected: Connected): void => {
  connected<[string[], AutoscaleOptions]>(
    selecting(changing(inNamespaces(program.command('autoscale [kind-or-name...]'))))
      .description('Have a workload scaled by what its pods use')
      .option('--max <count>', 'how many pods at most; required')
      .option('--min <count>', 'how many at least; 1 unless told')
      .option('--cpu <target>', 'on average: 70% of what is requested, or 500m')
      .option('--memory <target>', 'on average: 60% of what is requested, or 200Mi')
      .option('--cpu-percent <percent>', 'deprecated: --cpu')
      .option('--name <name>', 'of the autoscaler; that of the workload unless told')
      .addHelpText(
        'after',
        examples(
          'dhow autoscale deploy/web --min=2 --max=10 --cpu=80%',
          'dhow autoscale deploy web --max=5 --cpu=500m --memory=200Mi',
        ),
      ),
    lazily(async () => (await import('../commands/autoscale.js')).autoscale),
  );
};

export const definePatch = (program: Command, connected: Connected): void => {
  connected<[string[], PatchOptions]>(
    selecting(changing(inNamespaces(program.command('patch [kind-or-name...]'))))
      .description('Change fields of objects')
      .option('-p, --patch <patch>', 'the patch, as JSON or YAML')
      .option('--patch-file <file>', 'a file with the patch')
      .option('--type <type>', 'strategic (lists are merged by their keys), merge or json')
      .option('--subresource <name>', 'status or scale')
      .addHelpText(
        'after',
        examples(
          `dhow patch deploy web -p '{"spec":{"replicas":3}}'`,
          `dhow patch node node-1 --type=merge -p '{"spec":{"unschedulable":true}}'`,
          `dhow patch pod web-1 --type=json -p '[{"op":"remove","path":"/metadata/labels/a"}]'`,
        ),
      ),
    lazily(async () => (await import('../commands/patch.js')).patch),
  );
};

export const defineExpose = (program: Command, connected: Connected): void => {
  connected<[string[], ExposeOptions]>(
    changing(inNamespace(program.command('expose [kind-or-name...]')))
      .description('Make a service for the pods of a workload, a pod or another service')
      .option('--port <ports>', 'where the service listens; default: the ports that are declared')
      .option('--target-port <port>', 'where the pods listen, by number or name; default: the same')
      .option('--name <name>', 'of the service; default: that of the object')
      .option('--type <type>', 'ClusterIP, NodePort or LoadBalancer')
      .option('--protocol <protocol>', 'TCP, UDP or SCTP')
      .option('--selector <labels>', 'of the pods; default: as the object selects them')
      .option('-l, --labels <labels>', 'of the service; default: those of the object')
      .option('--cluster-ip <address>', 'None for a service without an address')
      .option('--external-ip <address>', 'a further address that leads to it')
      .option('--load-balancer-ip <address>', 'the address to ask of a load balancer')
      .option('--session-affinity <affinity>', 'None or ClientIP')
      .option('-f, --filename <path>', 'the objects of this file; may be repeated', repeated)
      .option('-R, --recursive', 'also the folders in the folders')
      .addHelpText(
        'after',
        examples(
          'dhow expose deploy/web --port=80 --target-port=8080',
          'dhow expose pod/web-1 --name=web',
          'dhow expose deploy web --port=80 --dry-run=client -o yaml',
        ),
      ),
    lazily(async () => (await import('../commands/expose.js')).expose),
  );
};
