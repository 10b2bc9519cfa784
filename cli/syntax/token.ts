import type { Command } from 'commander';
import type { TokenCreateOptions, TokenListOptions } from '../commands/tokens';
import { wholeNumber } from '../program';
import { examples, lazily, type Connected } from './command';

export const defineToken = (program: Command, connected: Connected): void => {
  const token = program
    .command('token')
    .description('Make, show and delete the tokens by which machines join')
    .addHelpText(
      'after',
      examples(
        'dhow token create --ttl 1h --uses 3 --description "rack 7"',
        'dhow token list',
        'dhow token delete k3j9x2',
      ),
    );
  connected<[TokenCreateOptions]>(
    token
      .command('create')
      .description('Print a new token; the cluster keeps a hash of it alone')
      .option('--ttl <duration>', 'how long machines may join by it', '24h')
      .option('--uses <n>', 'how many machines may; default any number', wholeNumber('--uses'))
      .option('--description <text>', 'what it is for')
      .option(
        '--agents-port <port>',
        "where agents connect; default the API's next port",
        wholeNumber('--agents-port'),
      )
      .addHelpText(
        'after',
        examples(
          'dhow token create > token; scp token node-1:; ssh node-1 sudo dhow join SERVER --token-file token',
        ),
      ),
    lazily(async () => (await import('../commands/tokens.js')).createToken),
  );
  connected<[TokenListOptions]>(
    token
      .command('list')
      .description('Show the tokens that there are, without their secrets')
      .option('-o, --output <format>', 'yaml, json, name or a template')
      .addHelpText('after', examples('dhow token list -o json')),
    lazily(async () => (await import('../commands/tokens.js')).listTokens),
  );
  connected<[readonly string[]]>(
    token
      .command('delete <id...>')
      .description('Have nobody join by a token any more')
      .addHelpText('after', examples('dhow token delete k3j9x2')),
    lazily(async () => (await import('../commands/tokens.js')).deleteTokens),
  );
};
