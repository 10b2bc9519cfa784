const { ESLintUtils } = require('@typescript-eslint/utils');
const ts = require('typescript');

const PLAIN =
  ts.TypeFlags.StringLike |
  ts.TypeFlags.NumberLike |
  ts.TypeFlags.BooleanLike |
  ts.TypeFlags.Null |
  ts.TypeFlags.Undefined;

const isPlain = (type) => (type.isUnion() ? type.types.every(isPlain) : (type.flags & PLAIN) !== 0);

/**
 * JSON.parse rounds integers beyond 2^53, and JSON.stringify throws on those that `lib/json` kept.
 * Only a text, a number or a boolean may be written bare: that is quoting, not encoding.
 */
const noBareJson = ESLintUtils.RuleCreator.withoutDocs({
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      parse: 'It rounds 64-bit integers: use parseJson of lib/json.',
      stringify: 'It throws on 64-bit integers: use stringifyJson or canonicalJson of lib/json.',
    },
  },
  defaultOptions: [],
  create: (context) => ({
    'MemberExpression[object.name="JSON"]': (node) => {
      const name = node.property.name ?? node.property.value;
      if (name === 'parse') return context.report({ node, messageId: 'parse' });
      if (name !== 'stringify') return undefined;
      const call = node.parent;
      const [argument] = call.type === 'CallExpression' ? call.arguments : [];
      const services = ESLintUtils.getParserServices(context);
      if (argument !== undefined && isPlain(services.getTypeAtLocation(argument))) return undefined;
      return context.report({ node, messageId: 'stringify' });
    },
  }),
});

module.exports = { noBareJson };
