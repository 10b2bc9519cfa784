import type { Command } from 'commander';
import type { CanIOptions } from '../commands/auth';
import { examples, inNamespaces, lazily, type Connected } from './command';

export const defineAuth = (program: Command, connected: Connected): void => {
  const auth = program
    .command('auth')
    .description('Who am I to the server, and what may I do?')
    .addHelpText('after', examples('dhow auth whoami', 'dhow auth can-i delete pods'));
  connected<[string, string, string | undefined, CanIOptions]>(
    inNamespaces(auth.command('can-i <verb> <kind> [name]'))
      .description('Tell whether one may: yes and exit code 0, or no and 1')
      .option('--subresource <name>', 'log, exec, scale, ...')
      .option('-q, --quiet', 'tell by the exit code only')
      .addHelpText(
        'after',
        examples(
          'dhow auth can-i create pods',
          'dhow auth can-i get deploy/web -n team-a',
          'dhow auth can-i get /metrics',
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

export const defineApiVersions = (program: Command, connected: Connected): void => {
  connected<[]>(
    program
      .command('api-versions')
      .description('List the groups and versions that the server serves')
      .addHelpText('after', examples('dhow api-versions')),
    lazily(async () => (await import('../commands/api-versions.js')).apiVersions),
  );
};
