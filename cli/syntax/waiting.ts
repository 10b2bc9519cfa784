import type { Command } from 'commander';
import type { WaitOptions } from '../commands/wait';
import { examples, inNamespaces, lazily, selecting, type Connected } from './command';

export const defineWait = (program: Command, connected: Connected): void => {
  connected<[string[], WaitOptions]>(
    selecting(inNamespaces(program.command('wait [kind-or-name...]')))
      .description('Wait until objects are as they are to be; also for those not there yet')
      .option('--for <what>', 'condition=NAME[=VALUE], jsonpath={PATH}[=VALUE], create or delete')
      .option(
        '--timeout <duration>',
        'give up after this: 30s unless told; 0 looks once, -1s never',
      )
      .addHelpText(
        'after',
        examples(
          'dhow wait --for=condition=Ready pod/web-1',
          'dhow wait --for=condition=Available deploy -l app=web --timeout=2m',
          "dhow wait --for=jsonpath='{.status.phase}'=Running pod/web-1",
          'dhow wait --for=delete pod/web-1',
        ),
      ),
    lazily(async () => (await import('../commands/wait.js')).wait),
  );
};
