import { ipOf } from '../../lib/net/ip';
import { aliasOf, parseAlias } from './sandbox-link';

describe('the label of an interface', () => {
  it.each(['web-1', 'with space ip=1.2.3.4', 'ünï/../%'])('carries sandbox %j', (sandboxId) => {
    const addresses = [ipOf('10.1.2.3')!, ipOf('fd00::5')!];
    const alias = aliasOf({ sandboxId, addresses });
    expect(parseAlias({ name: 'dhv1', alias })).toEqual({
      sandboxId,
      addresses,
      hostInterface: 'dhv1',
    });
  });

  it('says one address where pods have one', () => {
    const addresses = [ipOf('10.1.2.3')!];
    expect(aliasOf({ sandboxId: 'a', addresses })).toBe('dhow sandbox=a ip=10.1.2.3');
  });

  it.each([
    '',
    'dhow sandbox=a ip=10.1.2.3,fd0g::1',
    'uplink',
    'dhow sandbox=a',
    'dhow sandbox=a ip=1.2.3',
    'dhow sandbox=%zz ip=1.2.3.4',
  ])('is not %j', (alias) => expect(parseAlias({ name: 'dhv1', alias })).toBeUndefined());
});
