import { join } from 'node:path';

/**
 * The `dhow` command's front door. It loads the one bundle that a command needs, so that small
 * commands start as fast as Node does.
 */
const BUNDLE_OF_COMMAND: Readonly<Record<string, string>> = {
  server: 'server',
  agent: 'agent',
  up: 'cluster',
  down: 'cluster',
  status: 'cluster',
  kubeconfig: 'cluster',
};

const run = async (argv: readonly string[]): Promise<number> => {
  const [command] = argv;
  if (command === 'version' || command === '--version') {
    process.stdout.write(`dhow ${process.env['DHOW_VERSION'] ?? 'development'}\n`);
    return 0;
  }
  const bundle = BUNDLE_OF_COMMAND[command ?? ''] ?? 'commands';
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- a sibling bundle, not a module of this one
  const { main } = require(join(__dirname, `${bundle}.js`)) as {
    main: (argv: readonly string[]) => Promise<number>;
  };
  return main(argv);
};

void run(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
