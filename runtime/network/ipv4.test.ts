import fc from 'fast-check';
import { cidrsOverlap, formatCidr, formatIpv4, parseCidr, parseIpv4 } from './ipv4';

describe('IPv4', () => {
  it('formats and parses back', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), (address) => {
        expect(parseIpv4(formatIpv4(address))).toBe(address);
      }),
    );
  });

  it.each(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '0x1.2.3.4', '1.2.3.4 ', '::1'])(
    'refuses address %j',
    (text) => expect(parseIpv4(text)).toBeUndefined(),
  );

  it.each(['10.0.0.1/24', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0.0/'])(
    'refuses range %j',
    (text) => expect(parseCidr(text)).toBeUndefined(),
  );

  it.each([
    ['10.0.0.0/8', '10.9.0.0/16', true],
    ['10.1.0.0/16', '10.2.0.0/16', false],
    ['0.0.0.0/0', '192.0.2.0/24', true],
  ])('tells whether %s and %s overlap', (a, b, overlap) => {
    expect(cidrsOverlap(parseCidr(a)!, parseCidr(b)!)).toBe(overlap);
    expect(formatCidr(parseCidr(a)!)).toBe(a);
  });
});
