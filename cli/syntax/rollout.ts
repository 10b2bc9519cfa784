import type { Command } from 'commander';
import type { ChangeOptions } from '../changing';
import type { RolloutHistoryOptions } from '../commands/rollout-history';
import type { RolloutStatusOptions } from '../commands/rollout-status';
import type { RolloutUndoOptions } from '../commands/rollout-undo';
import { changing, examples, inNamespace, lazily, selecting, type Connected } from './command';

export const defineRollout = (program: Command, connected: Connected): void => {
  const rollout = program
    .command('rollout')
    .description('Watch, undo, pause and repeat the rollouts of workloads')
    .addHelpText(
      'after',
      examples(
        'dhow rollout status deploy/web     until it is done, or why it is not',
        'dhow rollout undo deploy/web       back to the revision before',
        'dhow rollout restart deploy/web    new pods of the same template',
      ),
    );
  const subcommand = (name: string): Command =>
    selecting(inNamespace(rollout.command(`${name} [kind-or-name...]`)));
  connected<[string[], RolloutStatusOptions]>(
    subcommand('status')
      .description('Tell how far rollouts are until they are done; of one that fails, why')
      .option('-w, --watch [yes]', 'until it is done; --watch=false tells once')
      .option('--timeout <duration>', 'give up after this; 0 is never')
      .option('--revision <n>', 'only if this revision is the latest')
      .addHelpText('after', examples('dhow rollout status deploy/web --timeout=2m')),
    lazily(async () => (await import('../commands/rollout-status.js')).rolloutStatus),
  );
  connected<[string[], RolloutHistoryOptions]>(
    subcommand('history')
      .description('List the revisions of workloads, or show one')
      .option('--revision <n>', 'one in full')
      .option('-o, --output <format>', 'yaml, json, name or a template')
      .addHelpText(
        'after',
        examples('dhow rollout history deploy/web', 'dhow rollout history deploy/web --revision=2'),
      ),
    lazily(async () => (await import('../commands/rollout-history.js')).rolloutHistory),
  );
  connected<[string[], RolloutUndoOptions]>(
    changing(subcommand('undo'))
      .description('Bring an earlier revision back')
      .option('--to-revision <n>', 'which one; the one before unless told')
      .addHelpText(
        'after',
        examples('dhow rollout undo deploy/web', 'dhow rollout undo deploy/web --to-revision=3'),
      ),
    lazily(async () => (await import('../commands/rollout-undo.js')).rolloutUndo),
  );
  definePausing(subcommand, connected);
};

const definePausing = (subcommand: (name: string) => Command, connected: Connected): void => {
  connected<[string[], ChangeOptions]>(
    changing(subcommand('restart'))
      .description('Replace all pods by new ones of the same template')
      .addHelpText(
        'after',
        examples('dhow rollout restart deploy/web', 'dhow rollout restart deploy -l app=web'),
      ),
    lazily(async () => (await import('../commands/rollout-pause.js')).rolloutRestart),
  );
  connected<[string[], ChangeOptions]>(
    changing(subcommand('pause'))
      .description('Keep changes from being rolled out')
      .addHelpText('after', examples('dhow rollout pause deploy/web')),
    lazily(async () => (await import('../commands/rollout-pause.js')).rolloutPause),
  );
  connected<[string[], ChangeOptions]>(
    changing(subcommand('resume'))
      .description('Roll out what was changed meanwhile')
      .addHelpText('after', examples('dhow rollout resume deploy/web')),
    lazily(async () => (await import('../commands/rollout-pause.js')).rolloutResume),
  );
};
