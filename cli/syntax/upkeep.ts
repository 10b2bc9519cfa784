import type { Command } from 'commander';
import {
  list,
  restore,
  save,
  verify,
  type ListOptions,
  type RestoreCommandOptions,
  type SaveCommandOptions,
  type VerifyOptions,
} from '../commands/snapshots';
import { stopSignal } from '../program';
import type { UpgradeOptions } from '../commands/upgrade';
import { examples, lazily, ofServer, type Local } from './command';

/** `dhow etcd snapshot save | list | verify | restore`. */
export const defineEtcd = (program: Command): void => {
  const snapshot = program
    .command('etcd')
    .description("Save and restore a cluster, on its server's machine")
    .command('snapshot')
    .description('All that a cluster is made of, in one file: its objects and its keys')
    .addHelpText('after', EXAMPLES);
  ofServer(snapshot.command('save [file]'))
    .description('Save the cluster while its server runs')
    .option('--passphrase-file <file>', 'seal it with the first line of this file')
    .option('--unsealed', 'do not seal it: who reads the file has the cluster')
    .action((file: string | undefined, options: SaveCommandOptions) =>
      save(file, options, stopSignal()),
    );
  ofServer(snapshot.command('list [folder]'))
    .description('List snapshots, the newest first')
    .option('-o, --output <format>', 'json')
    .action((folder: string | undefined, options: ListOptions) => list(folder, options));
  snapshot
    .command('verify <file>')
    .description('Read a snapshot to its end, and tell whether it could be restored')
    .option('--passphrase-file <file>', 'with which it was sealed')
    .action((file: string, options: VerifyOptions) => verify(file, options));
  snapshot
    .command('restore <file>')
    .description('Make the data folder of a new server from a snapshot; it never writes over one')
    .option('--data-dir <dir>', 'of the server to be; default /var/lib/dhow/server')
    .option('--passphrase-file <file>', 'with which it was sealed')
    .action((file: string, options: RestoreCommandOptions) => restore(file, options, stopSignal()));
};

/** `dhow upgrade --check`. */
export const defineUpgrade = (program: Command, local: Local): void => {
  local<[UpgradeOptions]>(
    ofServer(program.command('upgrade'))
      .description('Look whether anything stands in the way of another version; 1 if so')
      .option('--check', 'look, and change nothing; there is nothing else that it does')
      .option('--to <version>', 'that is to follow; default the one of this program')
      .option('-o, --output <format>', 'yaml, json, name or a template')
      .addHelpText(
        'after',
        examples('sudo dhow upgrade --check', 'sudo dhow upgrade --check --to 0.2.0 -o json'),
      ),
    lazily(async () => (await import('../commands/upgrade.js')).checkUpgrade),
  );
};

const EXAMPLES = examples(
  'dhow etcd snapshot save --passphrase-file /root/passphrase',
  'dhow etcd snapshot list',
  'dhow etcd snapshot verify FILE --passphrase-file /root/passphrase',
  'dhow etcd snapshot restore FILE --passphrase-file /root/passphrase',
);
