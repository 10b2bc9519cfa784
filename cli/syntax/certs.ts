import type { Command } from 'commander';
import type { CertsCheckOptions } from '../commands/certs';
import type { ServerOptions } from '../commands/server-folder';
import { examples, lazily, ofServer, type Local } from './command';

export const defineCerts = (program: Command, local: Local): void => {
  const certs = program
    .command('certs')
    .description('Show the certificates of this machine, and replace those of a server')
    .addHelpText('after', examples('sudo dhow certs check', 'sudo dhow certs rotate'));
  local<[CertsCheckOptions]>(
    certs
      .command('check')
      .description('Show when they end and who renews them; 1 where one is of no use')
      .option('--data-dir <dir>', "the server's", '/var/lib/dhow/server')
      .option('--state-dir <dir>', "the agent's", '/var/lib/dhow/agent')
      .option('-o, --output <format>', 'yaml, json, name or a template')
      .addHelpText('after', examples('sudo dhow certs check', 'sudo dhow certs check -o json')),
    lazily(async () => (await import('../commands/certs.js')).checkCertificates),
  );
  local<[ServerOptions]>(
    ofServer(certs.command('rotate'))
      .description(
        "Replace the server's and the administrator's certificates and keys, also ended ones",
      )
      .addHelpText('after', examples('dhow certs rotate', 'dhow certs rotate --cluster dev')),
    lazily(async () => (await import('../commands/certs-rotate.js')).rotate),
  );
};
