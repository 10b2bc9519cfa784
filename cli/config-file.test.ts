import { Command, Option } from 'commander';
import { agentProgram } from './agent';
import { applyConfig, optionsOfFile } from './config-file';
import { collect, wholeNumber } from './program';
import { serverProgram } from './server';

const program = (): Command =>
  new Command('dhow try')
    .option('--listen <host:port>')
    .option('--label <key=value>', '', collect)
    .option('--max-pods <n>', '', wholeNumber('--max-pods'))
    .option('--anonymous-auth')
    .addOption(new Option('--network-plugin <name>').choices(['native', 'cni']))
    .action(() => undefined);

const read = (text: string, ...argv: readonly string[]): Record<string, unknown> => {
  const command = program().parse(argv, { from: 'user' });
  applyConfig(command, 'f.yaml', text);
  return command.opts();
};

describe('a file of flags', () => {
  it('gives what the command line would', () => {
    const text = `
      listen: 127.0.0.1:6443
      label: [a=b, "c=d,e"]
      max-pods: 7
      anonymous-auth: true
      network-plugin: cni`;
    expect(read(text)).toEqual({
      listen: '127.0.0.1:6443',
      label: ['a=b', 'c=d,e'],
      maxPods: 7,
      anonymousAuth: true,
      networkPlugin: 'cni',
    });
  });

  it('is overruled by the command line', () => {
    const text = 'listen: a:1\nlabel: [a=b]\nmax-pods: 7\nanonymous-auth: false';
    const argv = ['--listen', 'b:2', '--label', 'c=d', '--anonymous-auth'];
    expect(read(text, ...argv)).toEqual({
      ...{ listen: 'b:2', label: ['c=d'], maxPods: 7, anonymousAuth: true },
    });
  });

  it('may be empty, or hold remarks alone, and takes one value for a list', () => {
    expect(read('')).toEqual({});
    expect(read('# nothing yet\n')).toEqual({});
    expect(read('label: a=b\nlisten: 7')).toEqual({ label: ['a=b'], listen: '7' });
  });

  it.each([
    ['listen: a:1\nmax-pod: 3', 'f.yaml:2: max-pod: there is no such flag of dhow try'],
    ['config: other.yaml', 'f.yaml:1: config: there is no such flag of dhow try'],
    ['listen: [a]', 'f.yaml:1: listen: expected a text, found a list'],
    ['listen:', 'f.yaml:1: listen: expected a text, found nothing'],
    ['listen: true', 'f.yaml:1: listen: expected a text, found a boolean'],
    ['\nmax-pods: {}', 'f.yaml:2: max-pods: expected a whole number, found an object'],
    ['max-pods: some', 'f.yaml:1: max-pods: --max-pods: "some" is not a whole number'],
    ['max-pods: 1.5', 'f.yaml:1: max-pods: expected a whole number, found a number'],
    ['anonymous-auth: 1', 'f.yaml:1: anonymous-auth: expected true or false, found a number'],
    ['label: [a=b, {c: d}]', 'f.yaml:1: label: expected texts, found an object among them'],
    ['label:', 'f.yaml:1: label: expected texts, found nothing among them'],
    ['network-plugin: x', 'f.yaml:1: network-plugin: Allowed choices are native, cni.'],
    ['listen: a\nmax-pods: 1\nlisten: b', 'f.yaml:3: listen: also in line 1'],
    ['- listen', 'f.yaml:1: expected flags, found a list'],
    ['listen: a\n---\nlisten: b', /^f\.yaml:[23]: a second document$/],
    ['listen: "a', /^f\.yaml: line \d+: /],
  ])('is refused with file, line and flag: %j', (text, message) => {
    expect(() => read(text)).toThrow(
      typeof message === 'string' ? new RegExp(`^${quoted(message)}$`) : message,
    );
  });

  it.each([
    ['server', serverProgram],
    ['agent', agentProgram],
  ])('may hold every flag of dhow %s', (_name, make) => {
    const lines = optionsOfFile(make()).map((option) => {
      const name = option.long?.slice(2) ?? '';
      const value = option.argChoices?.[0] ?? (option.required ? 1 : true);
      return `${name}: ${value}`;
    });
    const command = make();
    applyConfig(command, 'all.yaml', lines.join('\n'));
    expect(Object.keys(command.opts())).toHaveLength(lines.length);
  });
});

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
