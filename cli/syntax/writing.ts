import { Option, type Command } from 'commander';
import type { ApplyOptions } from '../commands/apply';
import type { DeleteCommandOptions } from '../commands/delete';
import type { DiffOptions } from '../commands/diff';
import type { EditOptions } from '../commands/edit';
import type { SetLastAppliedOptions, ViewLastAppliedOptions } from '../commands/last-applied';
import type { ReplaceOptions } from '../commands/replace';
import {
  changing,
  examples,
  inNamespace,
  inNamespaces,
  lazily,
  repeated,
  selecting,
  type Connected,
} from './command';

export const defineApply = (program: Command, connected: Connected): void => {
  const command = program.command('apply');
  connected<[ApplyOptions]>(
    inNamespace(
      command
        .description('Make the cluster be as the manifests say; refuses all if one is wrong')
        .option('-f, --filename <path...>', 'files, folders, or - for stdin')
        .addOption(new Option('-k, --kustomize <folder>').hideHelp())
        .option('-R, --recursive', 'also the folders in the folders')
        .option('-l, --selector <labels>', 'only objects with these labels')
        .option('--prune', 'delete what was applied before and is no more in the manifests')
        .option('--all', 'with --prune: whatever its labels')
        .option(
          '--prune-allowlist <kind>',
          'group/version/kind to prune; may be repeated',
          repeated,
        )
        .option(
          '--dry-run [mode]',
          'write nothing, show what would change: server (tried there) or client',
        )
        .option('--validate <mode>', 'unknown fields: strict (refuse), warn or ignore')
        .option('-o, --output <format>', 'print the objects as yaml, json or name')
        .option('--server-side', 'have the server merge, by who owns which field')
        .option('--force-conflicts', 'take over fields of others, with --server-side')
        .option('--field-manager <name>', 'who is recorded to have set the fields')
        .addHelpText(
          'after',
          examples(
            'dhow apply -f app.yaml             one file',
            'dhow apply -f manifests/           all files of a folder',
            'cat app.yaml | dhow apply -f -     from stdin',
            'dhow apply -f app.yaml --dry-run   what would change?',
            'dhow apply -f app/ --prune -l app=shop   and away with what left the folder',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/apply.js')).apply),
  );
  defineLastApplied(command, connected);
};

const defineLastApplied = (apply: Command, connected: Connected): void => {
  connected<[string[], ViewLastAppliedOptions]>(
    selecting(inNamespace(apply.command('view-last-applied [kind-or-name...]')))
      .description('Print the manifests that were applied last')
      .option('-o, --output <format>', 'yaml or json')
      .addHelpText('after', examples('dhow apply view-last-applied deploy/web')),
    lazily(async () => (await import('../commands/last-applied.js')).viewLastApplied),
  );
  connected<[SetLastAppliedOptions]>(
    changing(inNamespace(apply.command('set-last-applied')))
      .description('Keep manifests as the ones applied last, and change nothing else')
      .requiredOption('-f, --filename <path...>', 'files, folders, or - for stdin')
      .option('-R, --recursive', 'also the folders in the folders')
      .option('--create-annotation [is]', 'also in objects that keep none yet')
      .addHelpText(
        'after',
        examples('dhow apply set-last-applied -f web.yaml --create-annotation'),
      ),
    lazily(async () => (await import('../commands/last-applied.js')).setLastApplied),
  );
};

export const defineDelete = (program: Command, connected: Connected): void => {
  connected<[string[], DeleteCommandOptions]>(
    inNamespaces(
      program
        .command('delete [kind-or-name...]')
        .description('Delete objects and wait until they are gone')
        .option('-f, --filename <path...>', 'the objects of these files')
        .option('-R, --recursive', 'also the folders in the folders')
        .option('-l, --selector <labels>', 'all objects with these labels')
        .option('--field-selector <fields>', 'all objects with these fields')
        .option('--all', 'all objects of the kind')
        .option('--grace-period <seconds>', "how long pods may take to end; -1: the pod's own")
        .option('--now', 'within a second')
        .option('--force', 'at once, without grace')
        .option('--cascade <mode>', 'background, foreground or orphan')
        .option('--ignore-not-found', 'do not mind what is not there')
        .option('--no-wait', 'return once the deletion is accepted')
        .option('--timeout <duration>', 'give up waiting after this, as 30s; 0 is a week')
        .option('--dry-run [mode]', 'delete nothing: server (tried there) or client')
        .option('-o, --output <format>', 'name: print KIND/NAME only')
        .addHelpText(
          'after',
          examples(
            'dhow delete pod web-1          one pod',
            'dhow delete -f manifests/      what a folder describes, the last first',
            'dhow delete pods -l app=web    by label',
            'dhow delete pod web-1 --force  without waiting for its process',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/delete.js')).deleteObjects),
  );
};

export const defineDiff = (program: Command, connected: Connected): void => {
  connected<[DiffOptions]>(
    inNamespace(
      program
        .command('diff')
        .description('Show how apply would change the cluster: exit code 0 if not, 1 if it would')
        .requiredOption('-f, --filename <path...>', 'files, folders, or - for stdin')
        .option('-R, --recursive', 'also the folders in the folders')
        .option('-l, --selector <labels>', 'only objects with these labels')
        .option('--server-side', 'as apply --server-side would')
        .option('--force-conflicts', 'as apply --force-conflicts would')
        .option('--field-manager <name>', 'who would be recorded to have set the fields')
        .option('--validate <mode>', 'unknown fields: strict (refuse), warn or ignore')
        .option('--show-managed-fields', 'also who set which field')
        .addHelpText(
          'after',
          examples(
            'dhow diff -f app.yaml                  what would apply change?',
            'dhow diff -f manifests/ || echo differs',
            'DHOW_EXTERNAL_DIFF="diff -y" dhow diff -f app.yaml',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/diff.js')).diff),
  );
};

export const defineReplace = (program: Command, connected: Connected): void => {
  connected<[ReplaceOptions]>(
    changing(inNamespace(program.command('replace')))
      .description('Put what manifests say in the place of what is there')
      .option('-f, --filename <path...>', 'files, folders, or - for stdin')
      .option('-R, --recursive', 'also the folders in the folders')
      .option('--force', 'delete what is there first, and make it anew')
      .option('--grace-period <seconds>', 'how long pods may take to end, with --force')
      .option('--cascade <mode>', 'background, foreground or orphan, with --force')
      .option('--timeout <duration>', 'how long to wait for the deletion, with --force')
      .option('--save-config', 'keep the manifest in the object, for a later apply')
      .option('--subresource <name>', 'status or scale')
      .option('--validate <mode>', 'unknown fields: strict (refuse), warn or ignore')
      .addHelpText(
        'after',
        examples(
          'dhow replace -f app.yaml',
          "dhow get pod web-1 -o yaml | sed 's/1.27/1.28/' | dhow replace -f -",
          'dhow replace --force -f pod.yaml     what cannot be changed in place',
        ),
      ),
    lazily(async () => (await import('../commands/replace.js')).replace),
  );
};

export const defineEdit = (program: Command, connected: Connected): void => {
  connected<[string[], EditOptions]>(
    selecting(changing(inNamespaces(program.command('edit [kind-or-name...]'))))
      .description('Edit objects in $KUBE_EDITOR, $EDITOR or vi')
      .option('--subresource <name>', 'status or scale')
      .option('--save-config', 'keep what was edited in the object, for a later apply')
      .option('--show-managed-fields', 'also who set which field')
      .option('--validate <mode>', 'unknown fields: strict (refuse), warn or ignore')
      .addHelpText(
        'after',
        examples(
          'dhow edit deploy/web                  change and save; empty the file to give up',
          "EDITOR='code --wait' dhow edit cm app  in an editor of your choice",
          'dhow edit deploy/web -o json',
        ),
      ),
    lazily(async () => (await import('../commands/edit.js')).edit),
  );
};
