import type { Command } from 'commander';
import type { CertsCheckOptions } from '../commands/certs';
import type { RotateOptions } from '../commands/certs-rotate';
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
  local<[RotateOptions]>(
    ofServer(certs.command('rotate'))
      .description(
        "Replace the server's and the administrator's certificates and keys, also ended ones",
      )
      .option('--ca', 'begin to replace the authority: another one is trusted beside it')
      .option('--finish', 'with --ca: the former authority is trusted no more')
      .option('--force', 'with --finish: though nodes need a new join token then')
      .addHelpText(
        'after',
        examples(
          'dhow certs rotate',
          'dhow certs rotate --cluster dev',
          'dhow certs rotate --ca             two authorities; nodes move over to the new one by themselves',
          'dhow certs rotate --ca --finish    once dhow certs check names no node any more',
        ),
      ),
    lazily(async () => (await import('../commands/certs-rotate.js')).rotate),
  );
};
