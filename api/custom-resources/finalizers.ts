import type { ApiObject } from '../types';
import { qualifiedNameProblems } from '../names';

/** Finalizers that others may mistake for theirs. Source: upstream's customresource/validator.go. */
export const finalizerWarnings = ({ metadata }: ApiObject): readonly string[] =>
  (metadata.finalizers ?? []).flatMap((name) => {
    const about = `metadata.finalizers: ${JSON.stringify(name)}`;
    const problems = qualifiedNameProblems(name).map((problem) => `${about}: ${problem}`);
    if (name.includes('/') || STANDARD.has(name)) return problems;
    const kind = name.includes('.')
      ? 'domain-qualified finalizer name including a path (/)'
      : 'domain-qualified finalizer name';
    return [
      ...problems,
      `${about}: prefer a ${kind} to avoid accidental conflicts with other finalizer writers`,
    ];
  });

const STANDARD: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);
