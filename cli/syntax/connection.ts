import { Option, type Command } from 'commander';
import { examples, repeated } from './command';

/** Adds the options of every command that asks a server: which, as whom. The rarer are told by `dhow options`. */
export const withConnection = (command: Command): Command => {
  command.addHelpText('after', '\nMore options that all commands have: dhow options');
  withWhich(command);
  for (const option of moreOptions()) {
    // `--user` of `create rolebinding` is another.
    const isTaken = command.options.some(({ long }) => long === option.long);
    if (!isTaken) command.addOption(option.hideHelp());
  }
  return command;
};

const withWhich = (command: Command): Command =>
  command
    .option('--kubeconfig <file>', 'the cluster and user, as kubectl has them')
    .option('--context <name>', 'a context of that file')
    .option('--cluster <name>', 'a cluster made by `dhow up` on this machine');

const moreOptions = (): readonly Option[] => [
  new Option('-s, --server <url>', 'this server, and not the one of the file'),
  new Option('--token <token>', 'be the owner of this token, and not the user of the file'),
  new Option('--user <name>', 'a user of the file'),
  new Option('--client-certificate <file>', 'be the owner of this certificate'),
  new Option('--client-key <file>', 'its key'),
  new Option('--certificate-authority <file>', 'who signs for the server'),
  new Option('--tls-server-name <name>', "what the server's certificate must name"),
  new Option(
    '--insecure-skip-tls-verify [is]',
    'believe any server: whoever is between can read all',
  ),
  new Option(
    '--request-timeout <duration>',
    'how long a request may take: 30s, 2m; 0 for no limit',
  ),
  new Option('--as <user>', 'ask as this user, if you may'),
  new Option('--as-group <group>', 'and as one of this group; may be repeated').argParser(repeated),
  new Option('--as-uid <uid>', 'and with this UID'),
];

/** `dhow options`: what all commands have. */
export const defineOptions = (program: Command): void => {
  const command = program
    .command('options')
    .description('Show the options that all commands have')
    .action(() => command.outputHelp());
  withWhich(command);
  for (const option of moreOptions()) command.addOption(option);
  command.addHelpText(
    'after',
    examples(
      'dhow get pods --as ann                               as somebody else',
      'dhow -s https://10.0.0.1:6443 --token "$T" get nodes   without a file',
      'dhow get pods --request-timeout 5s',
    ),
  );
};
