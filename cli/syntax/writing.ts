import type { Command } from 'commander';
import type { ApplyOptions } from '../commands/apply';
import type { DeleteCommandOptions } from '../commands/delete';
import type { ExecOptions } from '../commands/exec';
import { examples, inNamespace, inNamespaces, lazily, type Connected } from './command';

export const defineApply = (program: Command, connected: Connected): void => {
  connected<[ApplyOptions]>(
    inNamespace(
      program
        .command('apply')
        .description('Make the cluster be as the manifests say; refuses all if one is wrong')
        .requiredOption('-f, --filename <path...>', 'files, folders, or - for stdin')
        .option('-R, --recursive', 'also the folders in the folders')
        .option(
          '--dry-run [mode]',
          'write nothing, show what would change: server (tried there) or client',
        )
        .option('--validate <mode>', 'unknown fields: strict (refuse), warn or ignore')
        .option('-o, --output <format>', 'print the objects as yaml, json or name')
        .addHelpText(
          'after',
          examples(
            'dhow apply -f app.yaml             one file',
            'dhow apply -f manifests/           all files of a folder',
            'cat app.yaml | dhow apply -f -     from stdin',
            'dhow apply -f app.yaml --dry-run   what would change?',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/apply.js')).apply),
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
        .option('--all', 'all objects of the kind')
        .option('--grace-period <seconds>', 'how long pods may take to end')
        .option('--force', 'at once, without grace')
        .option('--cascade <mode>', 'background, foreground or orphan')
        .option('--ignore-not-found', 'do not mind what is not there')
        .option('--no-wait', 'return once the deletion is accepted')
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

export const defineExec = (program: Command, connected: Connected): void => {
  connected<[string, string[], ExecOptions]>(
    inNamespace(
      program
        .command('exec <pod> [command...]')
        .description('Run a command in a container of POD, or of a pod of KIND/NAME')
        .usage('[options] <pod> -- <command...>')
        .option('-c, --container <name>', 'which container; default the first')
        .option('-i, --stdin', 'pass stdin on')
        .option('-t, --tty', 'with a terminal')
        .addHelpText(
          'after',
          examples(
            'dhow exec web-1 -- cat /etc/hosts         run one command',
            'dhow exec -it web-1 -- sh                 look around',
            'dhow exec -i web-1 -- tar xf - < app.tar  pass a file in',
          ),
        ),
    ),
    lazily(async () => (await import('../commands/exec.js')).exec),
  );
};
