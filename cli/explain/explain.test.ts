import { Schemas } from './schema';
import { explanation, kindText } from './text';

const ref = (name: string) => ({ allOf: [{ $ref: `#/components/schemas/${name}` }] });
const GVK = { group: 'example.com', version: 'v1', kind: 'Tree' };
const schemas = new Schemas({
  components: {
    schemas: {
      'com.example.v1.Tree': {
        type: 'object',
        description: 'A tree.',
        'x-kubernetes-group-version-kind': [GVK],
        required: ['kind'],
        properties: {
          kind: { type: 'string', enum: ['a', 'b', 'c', 'd', ''] },
          branches: {
            description: 'What grows.',
            type: 'array',
            items: ref('com.example.v1.Tree'),
          },
          sizes: { type: 'object', additionalProperties: ref('com.example.v1.Quantity') },
          at: { description: 'word '.repeat(30).trim(), ...ref('com.example.v1.Time') },
          bad: { description: 'esc \u001b[31m' },
        },
      },
      'com.example.v1.Quantity': {},
      'com.example.v1.Time': { type: 'string' },
    },
  },
});
const root = schemas.ofKind(GVK) ?? {};
const asked = { name: undefined, isRecursive: false };

it('shows a kind and its fields, 80 columns wide', () => {
  const text = explanation(schemas, root, asked);
  expect(kindText(GVK)).toBe('GROUP:      example.com\nKIND:       Tree\nVERSION:    v1\n\n');
  expect(text).toContain('DESCRIPTION:\n    A tree.\n    \nFIELDS:\n  at\t<string>\n');
  expect(text).toContain(
    '  kind\t<string> -required-\n  enum: a, b, c, d, ....\n    <no description>\n\n',
  );
  expect(text).toContain('  sizes\t<map[string]Quantity>\n');
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(text).toContain('\\x1b[31m');
});

it('shows a field by its path, and names the one that is not there', () => {
  const field = schemas.at(root, ['branches', 'branches', 'kind']);
  expect(explanation(schemas, field, { ...asked, name: 'kind' })).toBe(
    'FIELD: kind <string>\nENUM:\n    a\n    b\n    c\n    d\n    ""\n\nDESCRIPTION:\n    <empty>\n\n',
  );
  expect(() => schemas.at(root, ['branches', 'nosuch'])).toThrow('field "nosuch" does not exist');
  expect(() => schemas.at(root, ['constructor'])).toThrow('does not exist');
});

it('ends where a type holds itself', () => {
  const text = explanation(schemas, root, { ...asked, isRecursive: true });
  expect(text.match(/branches/g)).toHaveLength(1);
});
