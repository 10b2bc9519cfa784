import fc from 'fast-check';
import { formatTraceparent, parseTraceparent } from './traceparent';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

it('reads what it writes', () => {
  for (const isSampled of [true, false]) {
    const context = { traceId: TRACE, spanId: SPAN, isSampled };
    expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
  }
});

it('reads the sampled flag beside others, and the first fields of later versions', () => {
  expect(parseTraceparent(`00-${TRACE}-${SPAN}-03`)?.isSampled).toBe(true);
  expect(parseTraceparent(`00-${TRACE}-${SPAN}-02`)?.isSampled).toBe(false);
  expect(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-else`)?.spanId).toBe(SPAN);
});

it.each([
  undefined,
  '',
  'no context',
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-1`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  ` 00-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  `cc-${TRACE}-${SPAN}-01-${'x'.repeat(100_000)}`,
])('takes %j for no context', (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

it('never throws, and gives only what can be written again', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const context = parseTraceparent(text);
      expect(context && parseTraceparent(formatTraceparent(context))).toEqual(context);
    }),
  );
});
