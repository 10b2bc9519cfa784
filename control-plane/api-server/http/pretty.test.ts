import type { ApiRequest } from './exchange';
import { jsonResponse, rawResponse } from './exchange';
import { prettyIfAsked } from './pretty';

const asking = (query: string) => ({ query: new URLSearchParams(query) }) as unknown as ApiRequest;
const raw = rawResponse(Buffer.from('{"a":9007199254740993,"b":[1]}'), 201);

it('indents what is asked for so, digit for digit', () => {
  const { status, body } = prettyIfAsked(asking('pretty=true'), raw);
  expect(status).toBe(201);
  expect(body).toBe('{\n  "a": 9007199254740993,\n  "b": [\n    1\n  ]\n}');
});

it('leaves all else as it is', () => {
  for (const query of ['', 'pretty=false', 'pretty=', 'pretty=yes'])
    expect(prettyIfAsked(asking(query), raw)).toBe(raw);
  const asked = asking('pretty=1');
  const text = { status: 200, headers: { 'content-type': 'text/plain' }, body: '{"a":1}' };
  expect(prettyIfAsked(asked, text)).toBe(text);
  const large = jsonResponse({ a: 'x'.repeat(600_000) }, 200);
  expect(prettyIfAsked(asked, large)).toBe(large);
  const none = { status: 200 };
  expect(prettyIfAsked(asked, none)).toBe(none);
});
