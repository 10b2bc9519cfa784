import { parseIpv4 } from './ipv4';
import { aliasOf, parseAlias } from './sandbox-link';

describe('the label of an interface', () => {
  it.each(['web-1', 'with space ip=1.2.3.4', 'ünï/../%'])('carries sandbox %j', (sandboxId) => {
    const address = parseIpv4('10.1.2.3')!;
    const alias = aliasOf({ sandboxId, address });
    expect(parseAlias({ name: 'dhv1', alias })).toEqual({
      sandboxId,
      address,
      hostInterface: 'dhv1',
    });
  });

  it.each([
    '',
    'uplink',
    'dhow sandbox=a',
    'dhow sandbox=a ip=1.2.3',
    'dhow sandbox=%zz ip=1.2.3.4',
  ])('is not %j', (alias) => expect(parseAlias({ name: 'dhv1', alias })).toBeUndefined());
});
