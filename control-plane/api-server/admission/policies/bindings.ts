import type { ApiObject, MatchResources } from '../../../../api/types';
import type { ServedKind } from '../../kinds/served-kind';
import { namespaceOf } from '../admission-reader';
import type { AdmissionAttributes } from '../attributes';
import type { MatchCriteria } from '../matching';
import { inVersion, convertObject } from '../webhooks';
import type { ParamsDeps } from './params';
import { requestValues, type AccessJudge } from './request-values';

/*
 * What policies that judge and policies that change objects have in common.
 */

export interface PoliciesDeps extends ParamsDeps {
  readonly judge: AccessJudge;
}

/** What expressions have of the request, in the version that the policy's rules name. */
export const valuesFor = async (
  { reader, judge }: PoliciesDeps,
  asked: AdmissionAttributes,
  matched: ServedKind,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> => {
  // A Namespace is in itself, and is not its own namespace object.
  const isInNamespace = asked.kind.resource.isNamespaced && asked.namespace !== '';
  const namespace: ApiObject | undefined = isInNamespace
    ? await namespaceOf(reader, asked, signal)
    : undefined;
  const shown = await inVersion(asked, matched, convertObject, signal);
  return requestValues(shown, matched, { namespace, judge });
};

/** A policy without rules is for nothing; a binding without them for all that its policy is for. */
export const criteriaOf = (match: unknown, isBinding: boolean): MatchCriteria => {
  const { resourceRules, excludeResourceRules, ...rest } = (match ?? {}) as MatchResources;
  const isOpen = isBinding && (resourceRules ?? []).length === 0;
  return {
    ...(isOpen ? {} : { rules: resourceRules ?? [] }),
    ...(excludeResourceRules === undefined ? {} : { excludeRules: excludeResourceRules }),
    ...(rest.matchPolicy === undefined ? {} : { matchPolicy: rest.matchPolicy }),
    ...(rest.namespaceSelector === undefined ? {} : { namespaceSelector: rest.namespaceSelector }),
    ...(rest.objectSelector === undefined ? {} : { objectSelector: rest.objectSelector }),
  };
};

export const inOrder = <T extends ApiObject>(objects: readonly T[]): readonly T[] =>
  [...objects].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
