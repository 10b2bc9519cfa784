import { constants } from 'node:os';

import { signalNumber, stopSignalOf } from './stop-signal';

it.each([
  [undefined, 15],
  ['', 15],
  ['SIGTERM', 15],
  ['term', 15],
  ['sigQuit', 3],
  ['3', 3],
  ['+3', 3],
  ['015', 15],
  ['64', 64],
  ['SIGCLD', 17],
  ['IOT', 6],
  ['POLL', 29],
  ['SIGRTMIN', 34],
  ['SIGRTMIN+3', 37],
  ['rtmin+15', 49],
  ['RTMAX-1', 63],
  ['SIGRTMAX-14', 50],
  ['SIGRTMAX', 64],
])('reads %j as %d', (text, number) => {
  expect(stopSignalOf('web', text)).toBe(number);
});

it.each(
  [
    ['banana', '0', '65', '-1', '-0', '9.5', '0x9', '1e1', ' 9', '9 ', 'SIG', 'SIGSIGTERM', 'SIG9'],
    ['RTMIN-1', 'RTMAX+1', 'RTMIN+31', 'RTMAX-31', 'RTMIN+', 'RTMIN+ 3', 'SIGRTMIN+-1', 'RTMIN3'],
    ['constructor', '__proto__', 'toString', 'SIGEXIT', 'TERM,KILL', '99999999999999999999', '१'],
  ].flat(),
)('refuses %j, naming it and the image', (text) => {
  expect(() => stopSignalOf('docker.io/library/web:1', text)).toThrow(
    `invalid stop signal ${JSON.stringify(text)} in image "docker.io/library/web:1"`,
  );
});

it('numbers signals as this system does', () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    if (name === 'SIGUNUSED') continue;
    expect([name, signalNumber(name)]).toEqual([name, number]);
  }
});
