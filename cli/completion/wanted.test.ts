import { Command } from 'commander';
import { lineOf } from './wanted';

const program = (): Command => {
  const root = new Command('dhow');
  root
    .command('get [kind-or-name...]')
    .description('Show')
    .option('-n, --namespace <name>', 'where')
    .option('-o, --output <format>')
    .option('-w, --watch', 'go on');
  root.command('logs [pod]').option('-c, --container <name>');
  root.command('drain [node...]');
  const config = root.command('config');
  config.command('use-context <name>');
  root.command('run <name> [words...]').option('--context <name>');
  return root;
};

const wanted = (...words: readonly string[]) => lineOf(program(), words).wanted;
const words = (...line: readonly string[]): readonly string[] => {
  const found = wanted(...line);
  return found.is === 'words' ? found.words.map(({ word }) => word) : [];
};

describe('what the last word of a line may become', () => {
  it('is a command, or one below it', () => {
    expect(words('')).toEqual(['get', 'logs', 'drain', 'config', 'run']);
    expect(words('config', 'us')).toEqual(['use-context']);
  });

  it('is a flag of the command', () => {
    expect(words('get', 'pods', '-')).toEqual(['--namespace=', '--output=', '--watch', '--help']);
  });

  it('is a value of a flag, behind it or joined to it', () => {
    const yaml = expect.arrayContaining(['yaml', 'json']) as unknown;
    expect(words('get', '-o', '')).toEqual(yaml);
    expect(words('get', '--output=y')).toEqual(yaml);
    expect(lineOf(program(), ['get', '--output=y'])).toMatchObject({
      lead: '--output=',
      typed: 'y',
    });
    expect(wanted('get', '-n', '')).toEqual({ is: 'names', kind: 'namespaces', before: '' });
    expect(wanted('run', '--context', '')).toEqual({ is: 'contexts' });
    expect(wanted('logs', 'web', '-c', '')).toEqual({ is: 'containers', pod: 'web' });
  });

  it('is a kind, then a name', () => {
    expect(wanted('get', 'po')).toEqual({ is: 'kinds', before: '' });
    expect(wanted('get', 'pods,de')).toEqual({ is: 'kinds', before: 'pods,' });
    expect(wanted('get', '-w', 'deploy', 'w')).toMatchObject({ is: 'names', kind: 'deploy' });
    expect(wanted('get', 'deploy/w')).toEqual({ is: 'names', kind: 'deploy', before: 'deploy/' });
    expect(wanted('get', 'deploy/a', 'p')).toEqual({ is: 'kinds', before: '' });
    expect(wanted('logs', 'w')).toEqual({ is: 'names', kind: 'pods', before: '' });
    expect(wanted('drain', 'node-1', '')).toEqual({ is: 'names', kind: 'nodes', before: '' });
    expect(wanted('config', 'use-context', '')).toEqual({ is: 'contexts' });
  });

  it('is nothing that we know', () => {
    expect(wanted('run', 'a', '--', '-')).toEqual({ is: 'others' });
    expect(wanted('run', '')).toEqual({ is: 'others' });
    expect(wanted('logs', 'web', '')).toEqual({ is: 'others' });
    expect(wanted('get', '--nonsense=')).toEqual({ is: 'others' });
  });

  it('asks the server that the line names', () => {
    const { options } = lineOf(program(), ['run', '--context=lab', 'x']);
    expect(options).toEqual({ context: 'lab' });
  });
});
