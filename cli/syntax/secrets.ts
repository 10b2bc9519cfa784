import type { Command } from 'commander';
import type {
  ReencryptOptions,
  RotateKeysOptions,
  SecretsStatusOptions,
} from '../commands/secrets';
import { examples, lazily, type Connected } from './command';

export const defineSecrets = (program: Command, connected: Connected): void => {
  const secrets = program
    .command('secrets')
    .description('Show and renew the keys that encrypt Secrets in the store')
    .addHelpText(
      'after',
      examples('dhow secrets status', 'dhow secrets rotate-keys', 'dhow secrets reencrypt'),
    );
  connected<[SecretsStatusOptions]>(
    secrets
      .command('status')
      .description('Show the keys, and how many Secrets are encrypted with each')
      .option('-o, --output <format>', 'yaml, json, name or a template')
      .addHelpText('after', examples('dhow secrets status -o json')),
    lazily(async () => (await import('../commands/secrets.js')).secretsStatus),
  );
  connected<[RotateKeysOptions]>(
    secrets
      .command('rotate-keys')
      .description(
        'Make a new key, on the machine of the server, and wait until all Secrets are encrypted with it',
      )
      .option(
        '--data-dir <dir>',
        "the server's; default: that of the cluster, or /var/lib/dhow/server",
      )
      .option('--timeout <duration>', 'how long to wait: 5m unless told')
      .addHelpText(
        'after',
        examples(
          'dhow secrets rotate-keys --cluster dev     of a cluster that dhow up made',
          'dhow secrets rotate-keys --data-dir /srv/dhow',
        ),
      ),
    lazily(async () => (await import('../commands/secrets.js')).rotateKeys),
  );
  connected<[ReencryptOptions]>(
    secrets
      .command('reencrypt')
      .description('Wait until all Secrets are encrypted with the newest key')
      .option('--timeout <duration>', 'how long to wait: 5m unless told')
      .addHelpText('after', examples('dhow secrets reencrypt --timeout 1m')),
    lazily(async () => (await import('../commands/secrets.js')).reencrypt),
  );
};
