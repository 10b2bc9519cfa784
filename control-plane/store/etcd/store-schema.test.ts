import { schemaRefusal } from './store-schema';

it('takes a store that says nothing, or that this release can read, though a newer one wrote it', () => {
  expect(schemaRefusal(undefined)).toBeUndefined();
  expect(schemaRefusal('{"schema":1,"minReader":1,"writtenBy":"0.1.0"}')).toBeUndefined();
  const newer = '{"schema":2,"minReader":1,"writtenBy":"0.2.0","more":true}';
  expect(schemaRefusal(newer)).toBeUndefined();
});

it('refuses one that it cannot read, and says which release can', () => {
  const refusal = schemaRefusal('{"schema":4,"minReader":3,"writtenBy":"0.9.0"}');
  expect(refusal).toContain('releases of schema 3 or newer read');
  expect(refusal).toContain('use Dhow 0.9.0, or restore a snapshot');
});

it.each(['', '{}', '4', 'null', '{"schema":"4"}', '\u0000'])(
  'refuses one that says it as nobody here does: %j',
  (text) => {
    expect(schemaRefusal(text)).toContain('a newer release of Dhow wrote it');
  },
);
