import { isFields, type MutableObject } from '../kinds/mutable';

/** Subresources that change a part which the object itself does not: what of `next` they take over. */
export const PARTS: Readonly<
  Partial<Record<string, (kept: MutableObject, next: MutableObject) => void>>
> = {
  status: (kept, { status }) => {
    if (status === undefined) Reflect.deleteProperty(kept, 'status');
    else kept.status = status;
  },
  finalize: (kept, { spec }) => {
    kept.spec = { ...kept.spec, finalizers: spec?.['finalizers'] ?? [] };
  },
  approval: (kept, { status }) => {
    kept.status = { ...kept.status, conditions: status?.['conditions'] ?? [] };
  },
  ephemeralcontainers: (kept, { spec }) => {
    const { ephemeralContainers: _, ...others } = { ...kept.spec };
    const wanted = spec?.['ephemeralContainers'];
    kept.spec = wanted === undefined ? others : { ...others, ephemeralContainers: wanted };
  },
  resize: (kept, { spec }) => {
    for (const list of ['containers', 'initContainers'])
      if (spec?.[list] !== undefined || kept.spec?.[list] !== undefined)
        kept.spec = { ...kept.spec, [list]: resized(kept.spec?.[list], spec?.[list] ?? []) };
  },
};

/** Subresources that take no labels and annotations over, either. */
export const WITHOUT_LABELS: ReadonlySet<string> = new Set(['ephemeralcontainers', 'resize']);

/** Containers as `next` has them named and in order: all but their resources as they are. */
const resized = (old: unknown, next: unknown): unknown => {
  if (!Array.isArray(old) || !Array.isArray(next)) return next;
  const byName = new Map(old.filter(isFields).map((each) => [each['name'], each]));
  return next.map((each: unknown) => {
    const known = isFields(each) ? byName.get(each['name']) : undefined;
    if (!isFields(each) || known === undefined) return each;
    const { resources: _resources, resizePolicy: _policy, ...others } = known;
    const { resources, resizePolicy } = each;
    return {
      ...others,
      ...(resources === undefined ? {} : { resources }),
      ...(resizePolicy === undefined ? {} : { resizePolicy }),
    };
  });
};

export const isPart = (subresource: string): boolean => PARTS[subresource] !== undefined;
