import {
  interfaceNameOf,
  isInterfacePrefix,
  isSandboxInterface,
  shapedBy,
  shaperNameOf,
} from './names';

describe('interface names', () => {
  it.each(['a', 'dh', 'dh12ab'])('fit the kernel with prefix %s, and are told apart', (prefix) => {
    const name = interfaceNameOf(prefix, 'sandbox', 1);
    expect(name).toHaveLength(15);
    expect(isSandboxInterface(prefix, name)).toBe(true);
    expect(interfaceNameOf(prefix, 'sandbox', 2)).not.toBe(name);
    expect(interfaceNameOf(prefix, 'other', 1)).not.toBe(name);
  });

  it.each(['v', 'dh', 'v1v'])('of what shapes a link lead to it with prefix %s', (prefix) => {
    const name = interfaceNameOf(prefix, 'sandbox', 1);
    expect(shaperNameOf(name)).toHaveLength(15);
    expect(isSandboxInterface(prefix, shaperNameOf(name))).toBe(false);
    expect(shapedBy(prefix, shaperNameOf(name))).toBe(name);
    expect(shapedBy(prefix, name)).toBeUndefined();
    expect(shapedBy('other', shaperNameOf(name))).toBeUndefined();
  });

  it.each(['', '1a', 'Dh', 'dh-1', 'dh12abc', 'dh/..'])('have no prefix %j', (prefix) =>
    expect(isInterfacePrefix(prefix)).toBe(false),
  );

  it.each(['dhv', 'dhvxlan', 'dhv00000000000', 'dhvzzzzzzzzzzzz', 'eth0', 'dh2v0123456789a'])(
    'do not include %s',
    (name) => expect(isSandboxInterface('dh', name)).toBe(false),
  );
});
