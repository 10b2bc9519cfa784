import type { CustomResourceDefinitionNames } from '../../types';
import { invalid, type FieldError } from '../../validation/field-error';
import { dns1035LabelProblems } from '../../names';

/** Names that are wanted or that were accepted: any of them may be absent. */
export const validateNames = (
  names: Partial<CustomResourceDefinitionNames>,
  path: string,
): readonly FieldError[] => {
  const {
    plural = '',
    singular = '',
    kind = '',
    listKind = '',
    shortNames = [],
    categories = [],
  } = names;
  return [
    ...label(plural, `${path}.plural`),
    ...label(singular, `${path}.singular`),
    ...mixedCase(kind, `${path}.kind`),
    ...mixedCase(listKind, `${path}.listKind`),
    ...shortNames.flatMap((each, i) => label(each, `${path}.shortNames[${i}]`, true)),
    ...(kind !== '' && kind === listKind
      ? [invalid(`${path}.listKind`, listKind, 'kind and listKind may not be the same')]
      : []),
    ...categories.flatMap((each, i) => label(each, `${path}.categories[${i}]`, true)),
  ];
};

/** Several problems of one name are told in one. */
export const label = (value: string, field: string, isNeeded = false): readonly FieldError[] => {
  const problems = value === '' && !isNeeded ? [] : dns1035LabelProblems(value);
  return problems.length === 0 ? [] : [invalid(field, value, problems.join(','))];
};

const mixedCase = (value: string, field: string): readonly FieldError[] => {
  const problems = value === '' ? [] : dns1035LabelProblems(value.toLowerCase());
  return problems.length === 0
    ? []
    : [
        invalid(
          field,
          value,
          `may have mixed case, but should otherwise match: ${problems.join(',')}`,
        ),
      ];
};
