import type { Int64 } from '../int64';
import { stringifyJson, isJsonObject } from '../../lib/json';
import { compileRe2, Re2CostError, type Re2 } from '../../lib/re2';
import { jsonEqual, isNumeric } from '../json-value';
import {
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  type FieldError,
} from '../validation/field-error';
import { formatCheck } from './formats';
import { isJsonList, itemsOf, type Json, type JsonSchema } from '../structural/json-schema';
import { itemByKeys } from './list-types';
import { Sameness } from './sameness';

/** What stood in the same place before; absent where nothing says what that is. */
export type Before = { readonly value: unknown } | undefined;

/**
 * Everything that a schema asks of a value, compiled: words, paths and their order are those of
 * upstream's validator (kube-openapi). A part that is as it was before is not looked at again, so that
 * a schema may become stricter under objects that are there (KEP-4008).
 */
export interface ValueCheck {
  /** `prefix` names the value in paths, and not in the words: `status` for a status by itself. */
  problems(value: unknown, before?: Before, prefix?: string): readonly FieldError[];
}

export const compileChecks = (schema: JsonSchema): ValueCheck => {
  const check = checkOf(schema);
  return {
    problems: (value, before, prefix = '') => {
      const budget = new Budget();
      const run = new Run(prefix, budget);
      check.run(value, '', before, run);
      return budget.left < 0 ? [...run.problems, TOO_MUCH] : run.problems;
    },
  };
};

/** What the checks of one object may cost together, in the time that a small one takes. */
class Budget {
  left = CHECKS_MAX;
  readonly sameness = new Sameness((parts) => void this.take(parts / PARTS_A_CHECK));

  /** Is there as much? */
  take(cost: number): boolean {
    this.left -= cost;
    return this.left >= 0;
  }
}

/** Collects what is wrong, up to what people can read: of values that are long one is enough. */
class Run {
  readonly problems: FieldError[] = [];
  private length = 0;
  /** How many rules were looked at: of several schemas that fail the one that came furthest is told. */
  matched = 0;

  constructor(
    readonly prefix: string,
    readonly budget: Budget,
  ) {}

  add(path: string, make: (field: string) => FieldError): void {
    if (this.isFull) return;
    const own = path.startsWith('.') ? path.slice(1) : path;
    const field = [this.prefix, own]
      .filter((part) => part !== '')
      .join(own.startsWith('[') ? '' : '.');
    this.push(make(field));
  }

  /** Of a value as a whole: upstream does not say where, but in the words. */
  addComposite(words: string): void {
    if (this.isFull) return;
    this.push(invalid(this.prefix === '' ? '<nil>' : this.prefix, '', words));
  }

  merge(other: Run): void {
    for (const problem of other.problems) if (!this.isFull) this.push(problem);
    this.matched += other.matched;
  }

  get isFull(): boolean {
    return this.problems.length >= PROBLEMS_MAX || this.length > PROBLEMS_LENGTH_MAX;
  }

  private push(problem: FieldError): void {
    this.problems.push(problem);
    this.length += problem.field.length + problem.message.length;
  }
}

type Rule = (value: unknown, path: string, before: Before, run: Run) => void;

/** One schema's rules, made when it is first needed and then kept with it. */
class Check {
  private readonly rules: readonly Rule[];
  private readonly nullRules: readonly Rule[];
  private readonly costOf: (value: unknown) => number;

  constructor(schema: JsonSchema) {
    this.costOf = costOf(schema);
    const type = typeRule(schema);
    const values = enumRule(schema);
    this.nullRules = [type, values].filter(isRule);
    this.rules = [
      type,
      ...junctorRules(schema),
      ...stringRules(schema),
      ...numberRules(schema),
      ...listRules(schema),
      values,
      ...objectRules(schema),
    ].filter(isRule);
  }

  run(value: unknown, path: string, before: Before, run: Run): void {
    if (!run.budget.take(1)) return;
    if (before !== undefined && run.budget.sameness.isSame(value, before.value)) return;
    if (!run.budget.take(this.costOf(value))) return;
    for (const rule of value === null ? this.nullRules : this.rules) rule(value, path, before, run);
    run.matched++;
  }
}

/** What the rules of one schema cost beyond a check, and without the checks of what is inside. */
const costOf = (schema: JsonSchema): ((value: unknown) => number) => {
  const { properties = {}, required: names = [], enum: values = [] } = schema;
  const { maxLength, minLength, pattern = '', format = '' } = schema;
  const textRules = [maxLength, minLength, pattern || undefined, format || undefined];
  const textCount = textRules.filter((each) => each !== undefined).length;
  const nameCount = Object.keys(properties).length + names.length;
  const enumLength = values.length === 0 ? 0 : stringifyJson(values).length;
  return (value) => {
    if (typeof value === 'string')
      return (textCount * value.length) / CHARACTERS_A_CHECK + values.length / VALUES_A_CHECK;
    if (typeof value !== 'object' || value === null) return values.length / VALUES_A_CHECK;
    const names = Array.isArray(value) ? 0 : nameCount / PARTS_A_CHECK;
    return names + enumLength / CHARACTERS_A_CHECK;
  };
};

const isRule = (rule: Rule | undefined): rule is Rule => rule !== undefined;

const checkOf = (schema: JsonSchema): Check => {
  let check = checks.get(schema);
  if (check === undefined) checks.set(schema, (check = new Check(schema)));
  return check;
};

const checks = new WeakMap<JsonSchema, Check>();

// ---- Types

const typesOf = (schema: JsonSchema): readonly string[] => {
  if (schema['x-kubernetes-int-or-string'] === true) return ['integer', 'string'];
  return (schema.type ?? '') === '' ? [] : [schema.type ?? ''];
};

const typeRule = (schema: JsonSchema): Rule | undefined => {
  const types = typesOf(schema);
  if (types.length === 0) return undefined;
  const named = types.join(',');
  return (value, path, _before, run) => {
    const found = typeNameOf(value);
    if (value === null ? schema.nullable === true : isOfType(found, types)) run.matched++;
    else run.add(path, (field) => wrongType(field, path, named, found));
  };
};

const wrongType = (field: string, path: string, wanted: string, found: string): FieldError => ({
  ...invalid(field, found, `${inBody(path)} must be of type ${wanted}: "${found}"`),
  type: 'FieldValueTypeInvalid',
});

const typeNameOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value === 'bigint' ? 'integer' : typeof value;
};

const isOfType = (found: string, types: readonly string[]): boolean =>
  types.includes(found) || (found === 'integer' && types.includes('number'));

/** Upstream's words begin with the path as the validator has it. */
const inBody = (path: string): string => `${path.startsWith('.') ? path.slice(1) : path} in body`;

// ---- anyOf, oneOf, allOf, not

const junctorRules = ({ anyOf = [], oneOf = [], allOf = [], not }: JsonSchema): readonly Rule[] => [
  ...(anyOf.length === 0 ? [] : [anyRule(anyOf)]),
  ...(oneOf.length === 0 ? [] : [oneRule(oneOf)]),
  ...(allOf.length === 0 ? [] : [allRule(allOf)]),
  ...(not === undefined ? [] : [notRule(not)]),
];

const tried = (schema: JsonSchema, value: unknown, path: string, before: Before, run: Run): Run => {
  const own = new Run(run.prefix, run.budget);
  checkOf(schema).run(value, path, before, own);
  return own;
};

const isGood = ({ problems }: Run): boolean => problems.length === 0;

const bestOf = (runs: readonly Run[]): Run | undefined =>
  runs.reduce<Run | undefined>(
    (best, run) => (best === undefined || run.matched > best.matched ? run : best),
    undefined,
  );

const quoted = (path: string): string =>
  JSON.stringify(path.startsWith('.') ? path.slice(1) : path);

const anyRule =
  (schemas: readonly JsonSchema[]): Rule =>
  (value, path, before, run) => {
    const failed: Run[] = [];
    for (const schema of schemas) {
      const own = tried(schema, value, path, before, run);
      if (isGood(own)) {
        run.matched += own.matched;
        return;
      }
      failed.push(own);
    }
    run.addComposite(`${quoted(path)} must validate at least one schema (anyOf)`);
    const best = bestOf(failed);
    if (best !== undefined) run.merge(best);
  };

const oneRule =
  (schemas: readonly JsonSchema[]): Rule =>
  (value, path, before, run) => {
    const runs = schemas.map((schema) => tried(schema, value, path, before, run));
    const good = runs.filter(isGood);
    if (good.length === 1) {
      run.matched += good[0]?.matched ?? 0;
      return;
    }
    const why = good.length === 0 ? 'Found none valid' : `Found ${good.length} valid alternatives`;
    run.addComposite(`${quoted(path)} must validate one and only one schema (oneOf). ${why}`);
    const best = good.length === 0 ? bestOf(runs) : undefined;
    if (best !== undefined) run.merge(best);
  };

const allRule =
  (schemas: readonly JsonSchema[]): Rule =>
  (value, path, before, run) => {
    const runs = schemas.map((schema) => tried(schema, value, path, before, run));
    for (const own of runs) run.merge(own);
    const goodCount = runs.filter(isGood).length;
    if (goodCount === schemas.length) return;
    const why = goodCount === 0 ? '. None validated' : '';
    run.addComposite(`${quoted(path)} must validate all the schemas (allOf)${why}`);
  };

/** What was there before may be what must not be: it is judged as if it were new. */
const notRule =
  (schema: JsonSchema): Rule =>
  (value, path, _before, run) => {
    if (isGood(tried(schema, value, path, undefined, run)))
      run.addComposite(`${quoted(path)} must not validate the schema (not)`);
  };

// ---- Texts

/** A bound may have 64 bits, and so be a bigint, with which nothing is reckoned. */
const numberOf = (bound: Int64 | undefined): number | undefined =>
  bound === undefined ? undefined : Number(bound);

const stringRules = (schema: JsonSchema): readonly Rule[] => {
  const { pattern = '' } = schema;
  const [minLength, maxLength] = [numberOf(schema.minLength), numberOf(schema.maxLength)];
  const rules: Rule[] = [];
  if (maxLength !== undefined)
    rules.push((value, path, _before, run) => {
      if (isLonger(value as string, maxLength)) run.add(path, (field) => tooLong(field, maxLength));
    });
  if (minLength !== undefined)
    rules.push((value, path, _before, run) => {
      if (!isLonger(value as string, minLength - 1))
        run.add(path, (field) =>
          invalid(field, value, `${inBody(path)} should be at least ${minLength} chars long`),
        );
    });
  if (pattern !== '') rules.push(patternRule(pattern));
  const format = formatRule(schema);
  return [...rules, ...(format === undefined ? [] : [format])].map(
    (rule): Rule =>
      (value, path, before, run) => {
        if (typeof value === 'string') rule(value, path, before, run);
      },
  );
};

/** In characters, which surrogates make two of: counted only where that decides. */
const isLonger = (text: string, max: number): boolean => {
  if (text.length <= max || text.length > 2 * max) return text.length > max;
  let length = 0;
  for (const _character of text) length++;
  return length > max;
};

const patternRule = (pattern: string): Rule => {
  let compiled: Re2 | undefined;
  return (value, path, _before, run) => {
    try {
      compiled ??= compileRe2(pattern);
      if (compiled.test(value as string)) return;
      run.add(path, (field) => invalid(field, value, `${inBody(path)} should match '${pattern}'`));
    } catch (error) {
      if (!(error instanceof Re2CostError)) throw error;
      run.add(path, (field) =>
        invalid(field, '', `${inBody(path)} is too long to be matched with '${pattern}'`),
      );
    }
  };
};

const formatRule = (schema: JsonSchema): Rule | undefined => {
  const { format = '', type = '' } = schema;
  const check = type === '' || type === 'string' ? formatCheck(format) : undefined;
  if (check === undefined) return undefined;
  return (value, path, _before, run) => {
    if (check(value as string)) return;
    const words = `${inBody(path)} must be of type ${format}: ${stringifyJson(value)}`;
    run.add(path, (field) => ({ ...invalid(field, value, words), type: 'FieldValueTypeInvalid' }));
  };
};

// ---- Numbers

type Numeric = number | bigint;

const numberRules = (schema: JsonSchema): readonly Rule[] => {
  const {
    multipleOf,
    maximum,
    minimum,
    exclusiveMaximum = false,
    exclusiveMinimum = false,
  } = schema;
  const bound =
    (isBroken: (value: Numeric) => boolean, words: string): Rule =>
    (value, path, _before, run) => {
      if (isNumeric(value) && isBroken(value))
        run.add(path, (field) => invalid(field, value, `${inBody(path)} should be ${words}`));
    };
  return [
    ...(multipleOf === undefined ? [] : [multipleRule(Number(multipleOf))]),
    ...(maximum === undefined
      ? []
      : [
          exclusiveMaximum
            ? bound((value) => value >= maximum, `less than ${maximum}`)
            : bound((value) => value > maximum, `less than or equal to ${maximum}`),
        ]),
    ...(minimum === undefined
      ? []
      : [
          exclusiveMinimum
            ? bound((value) => value <= minimum, `greater than ${minimum}`)
            : bound((value) => value < minimum, `greater than or equal to ${minimum}`),
        ]),
    ...rangeRules(schema),
  ];
};

const multipleRule =
  (factor: number): Rule =>
  (value, path, _before, run) => {
    if (!isNumeric(value)) return;
    if (factor <= 0) {
      run.add(path, (field) =>
        invalid(
          field,
          value,
          `factor MultipleOf declared for ${inBody(path).slice(0, -8)} must be positive: ${factor}`,
        ),
      );
      return;
    }
    const times = factor < 1 ? (1 / factor) * Number(value) : Number(value) / factor;
    if (Math.abs(times - Math.round(times)) > 1e-9 * Math.max(1, Math.abs(times)))
      run.add(path, (field) =>
        invalid(field, value, `${inBody(path)} should be a multiple of ${factor}`),
      );
  };

const rangeRules = ({ type, format }: JsonSchema): readonly Rule[] => {
  const isKnown = type === 'integer' && (format === 'int32' || format === 'int64');
  if (!isKnown) return [];
  const bits = format === 'int32' ? 31n : 63n;
  const [low, high] = [-(2n ** bits), 2n ** bits - 1n];
  return [
    (value, path, _before, run) => {
      if (!isNumeric(value) || (value >= low && value <= high)) return;
      run.addComposite(
        `Checked value must be of type integer with format ${format} in ${inBody(path).slice(0, -8)}`,
      );
    },
  ];
};

// ---- Lists

const listRules = (schema: JsonSchema): readonly Rule[] => {
  const [minItems, maxItems] = [numberOf(schema.minItems), numberOf(schema.maxItems)];
  const items = itemsOf(schema);
  const rules: Rule[] = [];
  if (items !== undefined) rules.push(itemsRule(schema, items));
  if (minItems !== undefined)
    rules.push((value, path, _before, run) => {
      const { length } = value as readonly unknown[];
      if (length < minItems)
        run.add(path, (field) =>
          invalid(field, length, `${inBody(path)} should have at least ${minItems} items`),
        );
    });
  if (maxItems !== undefined)
    rules.push((value, path, _before, run) => {
      const { length } = value as readonly unknown[];
      if (length > maxItems) run.add(path, (field) => tooMany(field, length, maxItems));
    });
  return rules.map((rule): Rule => (value, path, before, run) => {
    if (isJsonList(value)) rule(value, path, before, run);
  });
};

const itemsRule = (schema: JsonSchema, items: JsonSchema): Rule => {
  const check = checkOf(items);
  return (value, path, before, run) => {
    const was = itemByKeys(schema, before?.value);
    (value as readonly unknown[]).forEach((item, index) => {
      check.run(item, `${path}[${index}]`, was(item), run);
    });
  };
};

// ---- Values and objects

const enumRule = ({ enum: values = [] }: JsonSchema): Rule | undefined => {
  if (values.length === 0) return undefined;
  const texts = values.map((each) => (typeof each === 'string' ? each : stringifyJson(each)));
  return (value, path, _before, run) => {
    if (values.some((each) => jsonEqual(each, value))) run.matched++;
    else run.add(path, (field) => notSupported(field, value, texts));
  };
};

const objectRules = (schema: JsonSchema): readonly Rule[] => {
  const { required: names = [] } = schema;
  const minProperties = numberOf(schema.minProperties);
  const maxProperties = numberOf(schema.maxProperties);
  const rules: Rule[] = [];
  if (minProperties !== undefined)
    rules.push((value, path, _before, run) => {
      const { length } = Object.keys(value as Json);
      if (length < minProperties)
        run.add(path, (field) =>
          invalid(
            field,
            length,
            `${inBody(path)} should have at least ${minProperties} properties`,
          ),
        );
    });
  if (maxProperties !== undefined)
    rules.push((value, path, _before, run) => {
      const { length } = Object.keys(value as Json);
      if (length > maxProperties) run.add(path, (field) => tooMany(field, length, maxProperties));
    });
  const { additionalProperties, properties = {} } = schema;
  if (additionalProperties === false) rules.push(noOthersRule(properties));
  if (typeof additionalProperties === 'object')
    rules.push(othersRule(properties, additionalProperties));
  rules.push(...propertyRules(properties));
  if (names.length > 0) rules.push(requiredRule(names));
  return rules.map((rule): Rule => (value, path, before, run) => {
    if (isJsonObject(value)) rule(value, path, before, run);
  });
};

const noOthersRule =
  (properties: Readonly<Record<string, JsonSchema>>): Rule =>
  (value, path, _before, run) => {
    for (const name of Object.keys(value as Json))
      if (!Object.hasOwn(properties, name))
        run.add(path, (field) =>
          invalid(
            field,
            '',
            `${inBody(path).slice(0, -8)}.${name} in body is a forbidden property`,
          ),
        );
  };

const othersRule = (
  properties: Readonly<Record<string, JsonSchema>>,
  additional: JsonSchema,
): Rule => {
  const check = checkOf(additional);
  return (value, path, before, run) => {
    for (const [name, member] of Object.entries(value as Json))
      if (!Object.hasOwn(properties, name))
        check.run(member, `${path}.${name}`, memberBefore(before, name), run);
  };
};

const propertyRules = (properties: Readonly<Record<string, JsonSchema>>): readonly Rule[] =>
  Object.entries(properties).map(([name, schema]): Rule => {
    // Compiled when the first value comes: most of a large schema is never used.
    let check: Check | undefined;
    return (value, path, before, run) => {
      if (!Object.hasOwn(value as Json, name)) return;
      check ??= checkOf(schema);
      check.run((value as Json)[name], `${path}.${name}`, memberBefore(before, name), run);
    };
  });

const memberBefore = (before: Before, name: string): Before =>
  before !== undefined && isJsonObject(before.value) && Object.hasOwn(before.value, name)
    ? { value: before.value[name] }
    : undefined;

const requiredRule =
  (names: readonly string[]): Rule =>
  (value, path, _before, run) => {
    // To say where costs more than to look.
    if (run.isFull) return;
    for (const name of names)
      if (!Object.hasOwn(value as Json, name))
        run.add(`${path}.${name}`, (field) => required(field));
  };

const PROBLEMS_MAX = 100;
const PROBLEMS_LENGTH_MAX = 64 * 1024;
/** How much of other work takes as long as a check. */
const PARTS_A_CHECK = 8;
const VALUES_A_CHECK = 64;
const CHARACTERS_A_CHECK = 12;
/** Alternatives inside alternatives multiply. */
const CHECKS_MAX = 1_000_000;
const TOO_MUCH = invalid('<nil>', '', 'the schema asks too much of an object of this size');
