import type { Command } from 'commander';
import type { TopNodesOptions, TopPodsOptions } from '../commands/top';
import type { TopSchedulerOptions } from '../commands/top-scheduler';
import { examples, inNamespaces, lazily, type Connected } from './command';

export const defineTop = (program: Command, connected: Connected): void => {
  const top = program
    .command('top')
    .description(
      'Show what pods and nodes use of processors and memory, and how the scheduler does',
    )
    .addHelpText(
      'after',
      examples(
        'dhow top pods -A --sort-by=cpu',
        'dhow top pod web-1 --containers',
        'dhow top nodes',
        'dhow top scheduler',
      ),
    );
  const measuring = (command: Command): Command =>
    command
      .option('-l, --selector <labels>', 'only those with these labels')
      .option('--sort-by <resource>', 'the largest first: cpu or memory')
      .option('--no-headers', 'leave the header out')
      .option('-o, --output <format>', 'yaml, json, name or a template');
  connected<[string | undefined, TopPodsOptions]>(
    measuring(inNamespaces(top.command('pods [name]').alias('pod').alias('po')))
      .description('Show what pods use')
      .option('--field-selector <fields>', 'only those with these field values')
      .option('--containers', 'each container of its own')
      .option('--sum', 'add a line with the sum')
      .addHelpText('after', examples('dhow top pods -l app=web --sum')),
    lazily(async () => (await import('../commands/top.js')).topPods),
  );
  connected<[string | undefined, TopNodesOptions]>(
    measuring(top.command('nodes [name]').alias('node').alias('no'))
      .description('Show what nodes use')
      .option('--show-capacity', 'shares of all that a node has, not of what pods may have')
      .addHelpText('after', examples('dhow top nodes --sort-by=memory')),
    lazily(async () => (await import('../commands/top.js')).topNodes),
  );
  connected<[TopSchedulerOptions]>(
    top
      .command('scheduler')
      .description('Show queues, rates, times, what refuses most, and where pods came to')
      .option('--since <duration>', 'rates and reasons of this while: 10m unless told')
      .option('-o, --output <format>', 'wide (all rows), yaml, json or name')
      .addHelpText(
        'after',
        examples(
          'dhow top scheduler               of the last ten minutes, and since its start',
          'dhow top scheduler --since 1m -o json',
        ),
      ),
    lazily(async () => (await import('../commands/top-scheduler.js')).topScheduler),
  );
};
