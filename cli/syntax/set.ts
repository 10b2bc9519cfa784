import type { Command } from 'commander';
import type { ChangeOptions } from '../changing';
import type { SetEnvOptions } from '../commands/set-env';
import type { SetResourcesOptions } from '../commands/set-resources';
import type { SetSubjectOptions } from '../commands/set-subject';
import {
  changing,
  examples,
  inNamespaces,
  lazily,
  repeated,
  selecting,
  type Connected,
} from './command';

export const defineSet = (program: Command, connected: Connected): void => {
  const set = program
    .command('set')
    .description(
      'Change images, environments, resources and accounts of pods, selectors and subjects',
    )
    .addHelpText(
      'after',
      examples(
        'dhow set image deploy/web nginx=nginx:1.28',
        'dhow set env deploy/web LOG_LEVEL=debug OLD-',
        'dhow set resources deploy/web --requests=cpu=100m,memory=64Mi',
      ),
    );
  const subcommand = (name: string): Command =>
    selecting(changing(inNamespaces(set.command(`${name} [kind-or-name...]`))));
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
  defineReferences(subcommand, connected);
};

/** What names other objects. */
const defineReferences = (subcommand: (name: string) => Command, connected: Connected): void => {
  connected<[string[], ChangeOptions]>(
    subcommand('serviceaccount')
      .alias('sa')
      .usage('[options] KIND/NAME ACCOUNT')
      .description('Set the account that pods run under')
      .addHelpText('after', examples('dhow set serviceaccount deploy/web builder')),
    lazily(async () => (await import('../commands/set-service-account.js')).setServiceAccount),
  );
  connected<[string[], ChangeOptions]>(
    subcommand('selector')
      .usage('[options] svc/NAME KEY=VALUE,...')
      .description('Set which pods are behind a service')
      .addHelpText('after', examples('dhow set selector svc/web app=web,tier=front')),
    lazily(async () => (await import('../commands/set-selector.js')).setSelector),
  );
  connected<[string[], SetSubjectOptions]>(
    subcommand('subject')
      .description('Add to those whom a binding gives its role')
      .option('--user <name>', 'a user; may be repeated', repeated)
      .option('--group <name>', 'a group; may be repeated', repeated)
      .option('--serviceaccount <namespace:name>', 'an account; may be repeated', repeated)
      .addHelpText(
        'after',
        examples('dhow set subject rolebinding/admins --user=ann --serviceaccount=ci:bot'),
      ),
    lazily(async () => (await import('../commands/set-subject.js')).setSubject),
  );
};
