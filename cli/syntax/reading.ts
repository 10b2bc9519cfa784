import type { Command } from 'commander';
import type { DescribeOptions } from '../commands/describe';
import type { EventsOptions } from '../commands/events';
import type { ExplainOptions } from '../commands/explain';
import type { GetOptions } from '../commands/get';
import type { LogsOptions } from '../commands/logs';
import { collect, wholeNumber } from '../program';
import {
  examples,
  inNamespace,
  inNamespaces,
  lazily,
  OUTPUT_FORMATS,
  type Connected,
} from './command';

export const defineGet = (program: Command, connected: Connected): void => {
  connected<[string[], GetOptions]>(
    inNamespaces(
      program
        .command('get [kind-or-name...]')
        .description('Show objects: KIND [NAME...], KIND/NAME or KIND,KIND')
        .option('-l, --selector <labels>', 'only objects with these labels')
        .option('--field-selector <fields>', 'only objects with these field values')
        .option('-o, --output <format>', OUTPUT_FORMATS)
        .option('-w, --watch', 'go on with changes as they come')
        .option('--no-headers', 'leave the header out')
        .option('--show-labels', 'add a column of labels')
        .option('--show-reason', 'of pods, a column of what keeps each from running')
        .option('-L, --label-columns <labels>', 'add a column for each of these labels', collect)
        .option('--sort-by <field>', 'in the order of a field: .metadata.name')
        .option('--show-kind', 'the kind before each name')
        .option('--ignore-not-found', 'do not mind what is not there')
        .option('--subresource <name>', 'this part of the objects that are named: status, scale')
        .option('--raw <path>', 'what the server answers at a path: /readyz')
        .option('-f, --filename <path...>', 'the objects of these files')
        .option('-R, --recursive', 'also the folders in the folders')
        .option('--show-managed-fields', 'also who set which field')
        .option('--output-watch-events', 'what happened to each, with --watch')
        .addHelpText(
          'after',
          examples(
            'dhow get pods -A -o wide       all pods with node and address',
            'dhow get deploy,rs -l app=web  two kinds by label',
            'dhow get pod web-1 -o yaml     one object in full',
            'dhow get pods -w               changes as they come',
            'dhow get pods --show-reason    what keeps each from running, in a line',
            'dhow get pods --sort-by .status.startTime -L app',
            "dhow get pods -o jsonpath='{.items[*].spec.nodeName}'",
            'dhow get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName',
            'dhow get deploy web --subresource=scale -o yaml',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/get.js')).get),
  );
};

export const defineEvents = (program: Command, connected: Connected): void => {
  connected<[EventsOptions]>(
    inNamespaces(
      program
        .command('events')
        .description('Show what happened, the latest last')
        .option('--for <kind/name>', 'only what happened to this')
        .option('--types <types>', 'only Normal, or only Warning', collect)
        .option('-w, --watch', 'go on as more happens')
        .option('--no-headers', 'leave the header out')
        .option('-o, --output <format>', 'yaml, json, name or a template')
        .addHelpText(
          'after',
          examples(
            'dhow events                        of this namespace',
            'dhow events --for deploy/web -w    of one deployment, as it goes on',
            'dhow events -A --types=Warning     what went wrong anywhere',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/events.js')).events),
  );
};

export const defineDescribe = (program: Command, connected: Connected): void => {
  connected<[string[], DescribeOptions]>(
    inNamespaces(
      program
        .command('describe <kind-or-name...>')
        .description('Show objects in detail, with their recent events')
        .option('-l, --selector <labels>', 'only objects with these labels')
        .addHelpText(
          'after',
          examples(
            'dhow describe pod web-1        one pod: its containers, conditions, events',
            'dhow describe node/node-1      what a node has, and what runs there',
            'dhow describe pods -l app=web  all of an application',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/describe.js')).describe),
  );
};

export const defineLogs = (program: Command, connected: Connected): void => {
  connected<[string | undefined, LogsOptions]>(
    inNamespace(
      program
        .command('logs [pod]')
        .description('Print the log of POD, of a pod of KIND/NAME, or of all pods with labels')
        .option('-c, --container <name>', 'which container; default the first')
        .option('-f, --follow', 'go on as the log grows')
        .option('-p, --previous', 'of the container before the last restart')
        .option('--tail <lines>', 'only the last lines')
        .option('--since <duration>', 'only lines younger than this: 10s, 5m, 1h')
        .option('--timestamps', 'with the time of each line')
        .option('--since-time <time>', 'only lines younger than this moment, as RFC 3339 has it')
        .option('--limit-bytes <n>', 'no more than this of each', wholeNumber('--limit-bytes'))
        .option('-l, --selector <labels>', 'of all pods with these labels')
        .option('--all-containers', 'of all containers')
        .option('--all-pods', 'of all pods of KIND/NAME, each line with its pod')
        .option('--prefix', 'each line with its pod and container')
        .option(
          '--max-log-requests <n>',
          'how many to follow at once: 5 unless told',
          wholeNumber('--max-log-requests'),
        )
        .addHelpText(
          'after',
          examples(
            'dhow logs web-1                    all that is kept',
            'dhow logs -f web-1 -c proxy        one container, as it goes on',
            'dhow logs web-1 --previous         why did it restart?',
            'dhow logs deploy/web --since 10m   of one pod of a deployment',
            'dhow logs -f deploy/web --all-pods of all its pods, those to come too',
            'dhow logs -l app=web --all-containers --prefix',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/logs.js')).logs),
  );
};

export const defineExplain = (program: Command, connected: Connected): void => {
  connected<[string, ExplainOptions]>(
    program
      .command('explain <kind>')
      .usage('[options] KIND[.FIELD...]')
      .description('Say what the fields of a kind mean')
      .option('--recursive', 'the names of all fields below')
      .option('--api-version <version>', 'as this version has it: apps/v1')
      .option('-o, --output <format>', 'plaintext')
      .addHelpText(
        'after',
        examples(
          'dhow explain pods                      a kind and its fields',
          'dhow explain deploy.spec.strategy      a field',
          'dhow explain pod.spec --recursive      all below it',
        ),
      ),
    lazily(async () => (await import('../commands/explain.js')).explain),
  );
};
