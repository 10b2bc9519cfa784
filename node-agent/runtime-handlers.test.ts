import { parseAgentConfig } from './config';
import { parseRuntimeHandler } from './runtime-handlers';

it('reads a name, a program and the flags of its calls', () => {
  expect(parseRuntimeHandler('runc=/usr/sbin/runc')).toEqual({
    ...{ name: 'runc', path: '/usr/sbin/runc', flags: [] },
  });
  expect(parseRuntimeHandler('gvisor=/usr/bin/runsc,--platform=ptrace,--debug')).toEqual({
    ...{ name: 'gvisor', path: '/usr/bin/runsc', flags: ['--platform=ptrace', '--debug'] },
  });
});

it.each([
  ...['', 'runc', 'runc=', 'runc=runc', '=/bin/x', 'Up=/bin/x', 'a_b=/bin/x', '-a=/bin/x'],
  ...['dhow=/bin/x', 'a=/bin/x,', 'a=/bin/x,debug', `${'a'.repeat(64)}=/bin/x`],
])('refuses %j, naming the field', (text) => {
  expect(parseRuntimeHandler(text)).toBeUndefined();
  const config = { server: 's', launcherPath: '/l', runtimeHandlers: [text] };
  expect(() => parseAgentConfig(config)).toThrow('runtimeHandlers.0: ');
});

it('refuses two of one name', () => {
  const runtimeHandlers = ['a=/bin/x', 'a=/bin/y'];
  expect(() => parseAgentConfig({ server: 's', launcherPath: '/l', runtimeHandlers })).toThrow(
    'runtimeHandlers: two are named "a"',
  );
});
