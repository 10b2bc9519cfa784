import { warningsFor } from '../../api/scheme';
import { made, refusal } from '../../api/testing';
import { stringifyJson } from '../../lib/json';
import { planted } from './field-places';
import { ROWS, samplesOf, type Sample } from './field-samples';

/** What docs/compatibility.md says of fields, in the words of the API itself. */
export const fieldsSection = (): string =>
  [
    'What a client may send, field by field, is held to the tables in',
    '[api/schema/effects](../api/schema/effects/index.ts). This list is made from them: write it anew with',
    '`DHOW_WRITE_DOCS=1 npx jest test/unit/field-docs.test.ts --selectProjects unit`.',
    '',
    'Refused, in pods as in templates:',
    '',
    ...grouped(samplesOf('refused'), refusedBecause),
    '',
    'Stored without effect, and warned of:',
    '',
    ...grouped(samplesOf('warned'), warnedThat),
    '',
    'Stored and returned, and nothing else is to be expected of it:',
    '',
    ...keptFields(),
  ].join('\n');

const refusedBecause = ({ home, key, value, field }: Sample): string =>
  reasonOf(field, refusal(home.resource, planted(home.base, home.path, key, value)));

const warnedThat = ({ home, key, value, field }: Sample): string =>
  reasonOf(field, warningsFor(made(home.resource, planted(home.base, home.path, key, value))));

/** The sentence about the field without what stands before the reason: its path, and its value. */
const reasonOf = (field: string, sentences: readonly string[]): string => {
  const sentence = sentences.find((each) => each.startsWith(field)) ?? '';
  return sentence
    .slice(field.length)
    .replace(/^[^ ]*: (?:Invalid value: (?:\S+: )?|Forbidden: )?/, '');
};

/** One line for each reason, with all fields that it is given for. */
const grouped = (
  samples: readonly Sample[],
  reason: (sample: Sample) => string,
): readonly string[] => {
  const fields = new Map<string, Set<string>>();
  for (const sample of samples.filter(isFirstHome)) {
    const why = reason(sample);
    fields.set(why, (fields.get(why) ?? new Set()).add(nameOf(sample)));
  }
  return [...fields].map(([why, names]) => `- ${[...names].join(', ')}: ${why}`);
};

/** Of a pod, not of its templates or init containers, which are alike. */
const isFirstHome = ({ home, field }: Sample): boolean =>
  !['Deployment', 'ReplicaSet'].includes(home.resource.kind) && !field.includes('initContainers');

/** `Pod spec.hostUsers: false`; the field alone where it holds for all values, or for one with members. */
const nameOf = ({ home, field, value, isOneOfSeveral }: Sample): string => {
  const path = field.replaceAll(/\[\d+\]/g, '[]');
  const shownValue =
    typeof value === 'object' || !isOneOfSeveral ? '' : `: ${stringifyJson(value)}`;
  return `\`${home.resource.kind} ${path}${shownValue}\``;
};

const keptFields = (): readonly string[] => {
  const fields = new Map<string, string[]>();
  for (const { definition, field, effect } of ROWS) {
    // Status, and what the server writes, is no promise to whoever sends it.
    if (effect.kept === undefined || field === 'status' || definition === 'ObjectMeta') continue;
    fields.set(effect.kept, [...(fields.get(effect.kept) ?? []), `\`${definition}.${field}\``]);
  }
  return [...fields].map(([why, names]) => `- ${names.join(', ')}: ${why}`);
};
