import { Command } from 'commander';
import { withPlainFlags } from './boolean-flags';

const program = (): Command => {
  const root = new Command('dhow');
  root
    .command('run <name> [words...]')
    .option('--rm')
    .option('-i, --stdin')
    .option('-t, --tty')
    .option('-n, --namespace <name>')
    .option('--no-headers')
    .option('-w, --watch [yes]');
  root.command('rollout').command('status <what>').option('--once');
  return root;
};

const plain = (line: string): string => withPlainFlags(program(), line.split(' ')).join(' ');

describe('flags as kubectl takes them', () => {
  it.each([
    ['run a --rm=true --stdin=True', 'run a --rm --stdin'],
    ['run a --rm=false', 'run a'],
    ['run a --rm --rm=false -i', 'run a -i'],
    ['run a --rm=false --rm', 'run a --rm'],
    ['run a -it=true', 'run a -i -t'],
    ['run a -it=false', 'run a -i'],
    ['run a -n=team --no-headers=true', 'run a --namespace=team --no-headers'],
    ['run a --no-headers=0', 'run a'],
    ['run a -w=false --watch=false', 'run a --watch=false --watch=false'],
    ['run a -n --rm=true', 'run a -n --rm=true'],
    ['run a -- --rm=true', 'run a -- --rm=true'],
    ['run a --unknown=true', 'run a --unknown=true'],
    ['rollout status web --once=t', 'rollout status web --once'],
  ])('%s', (given, expected) => {
    expect(plain(given)).toBe(expected);
  });

  it('says what a flag does not take, as kubectl does', () => {
    expect(() => plain('run a --rm=maybe')).toThrow(
      'invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    );
    expect(() => plain('run a --stdin=2')).toThrow('for "-i, --stdin" flag');
  });
});
