import type { Command } from 'commander';
import type { CertsCheckOptions } from '../commands/certs';
import { examples, lazily, type Connected, type Local } from './command';

export const defineCerts = (program: Command, _connected: Connected, local: Local): void => {
  const certs = program
    .command('certs')
    .description('Show the certificates of this machine')
    .addHelpText('after', examples('sudo dhow certs check'));
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
};
