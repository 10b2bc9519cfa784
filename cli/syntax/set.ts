import type { Command } from 'commander';
import type { ChangeOptions } from '../changing';
import type { SetEnvOptions } from '../commands/set-env';
import type { SetResourcesOptions } from '../commands/set-resources';
import { changing, examples, inNamespaces, lazily, selecting, type Connected } from './command';

export const defineSet = (program: Command, connected: Connected): void => {
  const set = program
    .command('set')
    .description('Change images, environments and resources of pods and of what makes them')
    .addHelpText(
      'after',
      examples(
        'dhow set image deploy/web nginx=nginx:1.28',
        'dhow set env deploy/web LOG_LEVEL=debug OLD-',
        'dhow set resources deploy/web --requests=cpu=100m,memory=64Mi',
      ),
    );
  const subcommand = (name: string): Command =>
    selecting(changing(inNamespaces(set.command(`${name} <kind-or-name...>`))));
  connected<[string[], ChangeOptions]>(
    subcommand('image')
      .usage('[options] KIND/NAME CONTAINER=IMAGE...')
      .description('Give containers other images')
      .addHelpText(
        'after',
        examples(
          'dhow set image deploy/web nginx=nginx:1.28',
          "dhow set image deploy/web '*=app:2'",
        ),
      ),
    lazily(async () => (await import('../commands/set-image.js')).setImage),
  );
  connected<[string[], SetEnvOptions]>(
    subcommand('env')
      .usage('[options] KIND/NAME NAME=VALUE... NAME-...')
      .description('Set and remove environment variables')
      .option('-c, --containers <pattern>', 'of these containers only')
      .option('--list', 'show the variables')
      .option('--from <kind/name>', 'one for each key of a config map or a secret')
      .option('--prefix <text>', 'before the names of those')
      .option('--no-overwrite', 'not those that have another value')
      .addHelpText(
        'after',
        examples(
          'dhow set env deploy/web LOG_LEVEL=debug',
          'dhow set env deploy/web LOG_LEVEL-          remove it',
          'dhow set env deploy/web --from=configmap/app --prefix=APP_',
          'dhow set env deploy/web --list',
        ),
      ),
    lazily(async () => (await import('../commands/set-env.js')).setEnv),
  );
  connected<[string[], SetResourcesOptions]>(
    subcommand('resources')
      .description('Set what containers ask for, and what they may use')
      .option('-c, --containers <pattern>', 'of these containers only')
      .option('--limits <amounts>', 'cpu=200m,memory=512Mi; 0 removes one')
      .option('--requests <amounts>', 'cpu=100m,memory=256Mi; 0 removes one')
      .addHelpText(
        'after',
        examples('dhow set resources deploy/web -c nginx --limits=cpu=200m,memory=512Mi'),
      ),
    lazily(async () => (await import('../commands/set-resources.js')).setResources),
  );
};
