import { loadBundle } from './bundle';
import { withOptionsBehind } from './leading-options';

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
  init: 'machine',
  join: 'machine',
  doctor: 'machine',
  uninstall: 'machine',
  lab: 'cluster',
  etcd: 'upkeep',
  certs: 'upkeep',
  upgrade: 'upkeep',
};

const SERVICES: ReadonlySet<string> = new Set(['server', 'agent']);

const run = async (given: readonly string[]): Promise<number> => {
  const argv = withOptionsBehind(given);
  const words = argv[0] === 'help' && argv.length > 1 ? [...argv.slice(1), '--help'] : argv;
  const [command = ''] = words;
  // A service works on when nobody listens.
  process.stdout.on('error', SERVICES.has(command) ? () => undefined : endUnheard);
  if (command === 'version' || command === '--version') {
    process.stdout.write(`dhow ${process.env['DHOW_VERSION'] ?? 'development'}\n`);
    return 0;
  }
  const bundle = loadBundle(bundleFor(command, words));
  return bundle.main(command === 'help' || command === '' ? ['--help'] : words);
};

/** Decisions of a file are taken again by the scheduler itself: commands that ask a server go without it. */
const bundleFor = (command: string, words: readonly string[]): string =>
  command === 'replay' && words.some((word) => /^--bundle(=|$)/.test(word))
    ? 'bundle-replay'
    : (BUNDLE_OF_COMMAND[command] ?? 'commands');

/** What cannot be printed is a failure, but for a reader who has seen enough (`dhow logs | head`). */
const endUnheard = (error: NodeJS.ErrnoException): never => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`error: stdout: ${error.message}\n`);
  process.exit(1);
};

run(process.argv.slice(2)).then(
  (code) => {
    // Once what was printed is out, connections that are kept alive must not keep the user waiting.
    process.stdout.write('', (error) => (error ? endUnheard(error) : process.exit(code)));
  },
  (error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    process.stderr.write('dhow: the build is not complete; run: npm run build\n');
    process.exit(1);
  },
);
