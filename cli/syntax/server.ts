import type { Command } from 'commander';
import type { CanIOptions } from '../commands/auth';
import type { ApiResourcesOptions } from '../commands/api-resources';
import { collect } from '../program';
import { examples, inNamespaces, lazily, type Connected } from './command';

export const defineAuth = (program: Command, connected: Connected): void => {
  const auth = program
    .command('auth')
    .description('Who am I to the server, and what may I do?')
    .addHelpText('after', examples('dhow auth whoami', 'dhow auth can-i delete pods'));
  connected<[string | undefined, string | undefined, string | undefined, CanIOptions]>(
    inNamespaces(auth.command('can-i [verb] [kind] [name]'))
      .description('Tell whether one may: yes and exit code 0, or no and 1')
      .option('--subresource <name>', 'log, exec, scale, ...')
      .option('-q, --quiet', 'tell by the exit code only')
      .option('--list', 'all that one may in the namespace')
      .option('--no-headers', 'leave the header out, with --list')
      .addHelpText(
        'after',
        examples(
          'dhow auth can-i create pods',
          'dhow auth can-i get deploy/web -n team-a',
          'dhow auth can-i get /metrics',
          'dhow auth can-i --list -n team-a',
        ),
      ),
    lazily(async () => (await import('../commands/auth.js')).canI),
  );
  connected<[{ output?: string }]>(
    auth
      .command('whoami')
      .description('Show who the server takes you for')
      .option('-o, --output <format>', 'yaml, json or a template')
      .addHelpText('after', examples('dhow auth whoami', 'dhow auth whoami -o yaml')),
    lazily(async () => (await import('../commands/auth.js')).whoami),
  );
};

export const defineClusterInfo = (program: Command, connected: Connected): void => {
  connected<[]>(
    program
      .command('cluster-info')
      .description('Print where the API is, and services of the cluster itself')
      .addHelpText('after', examples('dhow cluster-info')),
    lazily(async () => (await import('../commands/cluster-info.js')).clusterInfo),
  );
};

export const defineApiVersions = (program: Command, connected: Connected): void => {
  connected<[]>(
    program
      .command('api-versions')
      .description('List the groups and versions that the server serves')
      .addHelpText('after', examples('dhow api-versions')),
    lazily(async () => (await import('../commands/api-versions.js')).apiVersions),
  );
};

export const defineApiResources = (program: Command, connected: Connected): void => {
  connected<[ApiResourcesOptions]>(
    program
      .command('api-resources')
      .description('List the kinds that the server serves')
      .option('--api-group <group>', "only of this group; '' for the core")
      .option('--namespaced [is]', 'only those that live in namespaces, or with false the others')
      .option('--verbs <verbs>', 'only those that know all of these', collect)
      .option('--categories <names>', 'only those in all of these: all', collect)
      .option('-o, --output <format>', 'wide, name, json or yaml')
      .option('--sort-by <column>', 'name or kind')
      .option('--no-headers', 'leave the header out')
      .option('--cached', 'as without: nothing is kept')
      .addHelpText(
        'after',
        examples(
          'dhow api-resources                             all kinds',
          'dhow api-resources -o wide                     with verbs and categories',
          'dhow api-resources --api-group=apps --verbs=list,watch -o name',
          'dhow api-resources --namespaced=false --sort-by=kind',
        ),
      ),
    lazily(async () => (await import('../commands/api-resources.js')).apiResources),
  );
};
