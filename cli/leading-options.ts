/**
 * The words with the options before the command behind it: `-n web get pods`, as kubectl takes them.
 * They end before `--`, and before `last`, which is still being typed.
 */
export const withOptionsBehind = (
  argv: readonly string[],
  last: readonly string[] = [],
): readonly string[] => {
  let count = 0;
  while (count < argv.length) {
    const width = widthOf(argv[count] ?? '');
    if (width === 0) break;
    count += width;
  }
  if (count === 0 || count >= argv.length) return [...argv, ...last];
  const [options, words] = [argv.slice(0, count), argv.slice(count)];
  const end = words.indexOf('--');
  const before = end < 0 ? words : words.slice(0, end);
  return [...before, ...options, ...words.slice(before.length), ...last];
};

/** Of how many words the option is that `word` begins; 0 where it is none of a command's. */
const widthOf = (word: string): number => {
  if (VALUED.has(word)) return 2;
  const name = /^--[^=]+(?==)/.exec(word)?.[0];
  if (name !== undefined) return VALUED.has(name) ? 1 : 0;
  return /^-n./.test(word) ? 1 : 0;
};

/** Which cluster, as whom and where: what every command that asks a server takes. */
const VALUED: ReadonlySet<string> = new Set([
  ...['-n', '--namespace', '--kubeconfig', '--context', '--cluster'],
  ...['--as', '--as-group', '--as-uid', '-s', '--server', '--token', '--user', '--request-timeout'],
  ...['--client-certificate', '--client-key', '--certificate-authority', '--tls-server-name'],
]);
