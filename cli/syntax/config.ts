import type { Command } from 'commander';
import type { FileOptions } from '../config/file';
import type {
  SetClusterOptions,
  SetContextOptions,
  SetCredentialsOptions,
  ViewOptions,
} from '../commands/config';
import type { SetPropertyOptions } from '../commands/config-property';
import { examples, lazily, type Connected, type Local } from './command';

type Config = typeof import('../commands/config');

export const defineConfig = (program: Command, _connected: Connected, local: Local): void => {
  const config = program
    .command('config')
    .description('Show and change the kubeconfig')
    .addHelpText(
      'after',
      examples(
        'dhow config get-contexts                        what one can choose from',
        'dhow config use-context lab                     choose one',
        'dhow config set-context --current -n team-a     another namespace',
        'dhow config view --minify                       what is in use',
      ),
    );
  defineShowing(config, local);
  defineSetting(config, local);
  defineProperties(config, local);
  defineRemoving(config, local);
};

const defineShowing = (config: Command, local: Local): void => {
  local<[ViewOptions]>(
    config
      .command('view')
      .description('Print the kubeconfig, without keys and tokens')
      .option('--raw', 'with keys and tokens')
      .option('--minify', 'only what the current context needs')
      .option('--context <name>', 'what this context needs, with --minify')
      .option('--flatten', 'files as their content: to copy it elsewhere')
      .option('-o, --output <format>', 'yaml, json or a template')
      .addHelpText(
        'after',
        examples('dhow config view', 'dhow config view --raw --flatten --minify > lab.kubeconfig'),
      ),
    lazily(async () => (await import('../commands/config.js')).view),
  );
  local<[string[], FileOptions]>(
    config
      .command('get-contexts [name...]')
      .description('List the contexts')
      .option('-o, --output <format>', 'name')
      .option('--no-headers', 'leave the header out')
      .addHelpText(
        'after',
        examples('dhow config get-contexts', 'dhow config get-contexts -o name'),
      ),
    lazily(async () => (await import('../commands/config.js')).getContexts),
  );
  local<[FileOptions]>(
    config
      .command('current-context')
      .description('Print the name of the current context')
      .addHelpText('after', examples('dhow config current-context')),
    lazily(async () => (await import('../commands/config.js')).currentContext),
  );
  local<[FileOptions]>(
    config.command('get-clusters').description('List the clusters'),
    lazily(async () => (await import('../commands/config.js')).getClusters),
  );
  local<[FileOptions]>(
    config.command('get-users').description('List the users'),
    lazily(async () => (await import('../commands/config.js')).getUsers),
  );
};

const defineSetting = (config: Command, local: Local): void => {
  local<[string, FileOptions]>(
    config
      .command('use-context <name>')
      .alias('use')
      .description('Make a context the current one')
      .addHelpText('after', examples('dhow config use-context lab')),
    lazily(async () => (await import('../commands/config.js')).useContext),
  );
  local<[string | undefined, SetContextOptions]>(
    config
      .command('set-context [name]')
      .description('Change or add a context')
      .option('--current', 'change the current one')
      .option('--cluster <name>', 'its cluster')
      .option('--user <name>', 'its user')
      .option('-n, --namespace <name>', 'its namespace')
      .addHelpText(
        'after',
        examples(
          'dhow config set-context --current --namespace=team-a',
          'dhow config set-context team-b --cluster=lab --user=admin --namespace=team-b',
        ),
      ),
    lazily(async () => (await import('../commands/config.js')).setContext),
  );
  defineParts(config, local);
};

const defineParts = (config: Command, local: Local): void => {
  local<[string, SetClusterOptions]>(
    config
      .command('set-cluster <name>')
      .description('Change or add a cluster')
      .option('--server <url>', 'where its server is')
      .option('--certificate-authority <file>', 'who signs for it')
      .option('--embed-certs [is]', 'keep the content of the file')
      .option('--insecure-skip-tls-verify [is]', 'believe any server')
      .option('--tls-server-name <name>', 'what its certificate must name')
      .option('--proxy-url <url>', 'the way there')
      .addHelpText(
        'after',
        examples(
          'dhow config set-cluster lab --server=https://10.0.0.1:6443 --certificate-authority=ca.crt --embed-certs',
        ),
      ),
    lazily(async () => (await import('../commands/config.js')).setCluster),
  );
  local<[string, SetCredentialsOptions]>(
    config
      .command('set-credentials <name>')
      .description('Change or add a user')
      .option('--client-certificate <file>', 'the certificate')
      .option('--client-key <file>', 'its key')
      .option('--embed-certs [is]', 'keep the content of the files')
      .option('--token <token>', 'a bearer token')
      .option('--username <name>', 'for basic authentication')
      .option('--password <password>', 'for basic authentication')
      .addHelpText(
        'after',
        examples(
          'dhow config set-credentials dev --client-certificate=dev.crt --client-key=dev.key',
          'dhow config set-credentials bot --token=...',
        ),
      ),
    lazily(async () => (await import('../commands/config.js')).setCredentials),
  );
  local<[string, string, FileOptions]>(
    config
      .command('rename-context <from> <to>')
      .description('Give a context another name')
      .addHelpText('after', examples('dhow config rename-context admin@dhow lab')),
    lazily(async () => (await import('../commands/config.js')).renameContext),
  );
};

const defineProperties = (config: Command, local: Local): void => {
  local<[string, string, SetPropertyOptions]>(
    config
      .command('set <property> <value>')
      .description('Set one field')
      .option('--set-raw-bytes [is]', 'the value of a -data field is not base64 yet')
      .addHelpText(
        'after',
        examples(
          'dhow config set clusters.lab.server https://10.0.0.1:6443',
          'dhow config set contexts.lab.namespace team-a',
          'dhow config set clusters.lab.certificate-authority-data "$(base64 -w0 ca.crt)"',
        ),
      ),
    lazily(async () => (await import('../commands/config-property.js')).setProperty),
  );
  local<[string, FileOptions]>(
    config
      .command('unset <property>')
      .description('Take out one field, or a whole entry')
      .addHelpText(
        'after',
        examples('dhow config unset users.bot.token', 'dhow config unset contexts.old'),
      ),
    lazily(async () => (await import('../commands/config-property.js')).unsetProperty),
  );
};

const defineRemoving = (config: Command, local: Local): void => {
  for (const [what, choose] of [
    ['context', (module: Config) => module.deleteContext],
    ['cluster', (module: Config) => module.deleteCluster],
    ['user', (module: Config) => module.deleteUser],
  ] as const) {
    local<[string, FileOptions]>(
      config
        .command(`delete-${what} <name>`)
        .description(`Remove a ${what}`)
        .addHelpText('after', examples(`dhow config delete-${what} old`)),
      lazily(async () => choose(await import('../commands/config.js'))),
    );
  }
};
