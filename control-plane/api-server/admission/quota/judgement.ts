import {
  demandOf,
  excessIn,
  isCountedOut,
  isSameLedger,
  ledgerOf,
  noted,
  recounted,
  released,
  settled,
  type Ledger,
  type Stock,
} from '../../../../api/quota/ledger';
import type { Counted } from '../../../../api/quota/usage';
import { uidOf, type ApiObject, type ResourceQuota } from '../../../../api/types';
import { rfc3339 } from '../../../../lib/clock';

/** A write that a quota may have something against. */
export interface Claim {
  /** Of this claim, and no other of any server's. */
  readonly id: string;
  readonly kind: Counted;
  readonly object: ApiObject;
  readonly old: ApiObject | undefined;
  /** Is it only asked, and nothing taken? */
  readonly isDryRun: boolean;
}

/** What the quota says to a claim: `why` not, or how it is let in. */
export type Verdict =
  | { readonly type: 'taken' }
  /** It adds nothing to what the quota bounds, or is only tried. */
  | { readonly type: 'free' }
  | { readonly type: 'refused'; readonly why: string };

/** What is asked of a quota at once. */
export interface Batch {
  readonly claims: readonly Claim[];
  /** Claims that were taken, and whose writes have been refused. */
  readonly released: readonly string[];
  /** Those that are stored. */
  readonly settled: ReadonlySet<string>;
}

export interface Judgement {
  readonly ledger: Ledger;
  readonly isChanged: boolean;
  readonly verdicts: readonly Verdict[];
}

/** One claim after the other, each beside those before it. @throws QuantityError */
export const judge = (
  quota: ResourceQuota,
  present: Ledger,
  batch: Batch,
  nowMs: number,
): Judgement => {
  let ledger = settled(batch.released.reduce(released, present), batch.settled);
  const verdicts = batch.claims.map((claim): Verdict => {
    const { id, kind, object, old, isDryRun } = claim;
    const adds = demandOf(quota, kind, object, old, nowMs);
    if (adds.size === 0) return { type: 'free' };
    const why = excessIn(quota.metadata.name, ledger, adds);
    if (why !== undefined) return { type: 'refused', why };
    if (isDryRun) return { type: 'free' };
    const at = rfc3339(nowMs);
    ledger = noted(ledger, { id, uid: uidOf(object), from: versionOf(old), adds, at });
    return { type: 'taken' };
  });
  return { ledger, isChanged: ledger !== present, verdicts };
};

/** Nobody is refused by a count that may be too high, or let in by one that is not there. */
export const needsCount = (ledger: Ledger, { verdicts }: Judgement): boolean =>
  !isCountedOut(ledger) || verdicts.some(({ type }) => type === 'refused');

/** As `judge`, on what there really is. */
export const judgeAnew = (
  quota: ResourceQuota,
  stock: readonly Stock[],
  batch: Batch,
  nowMs: number,
): Judgement => {
  const known = ledgerOf(quota);
  const { verdicts, ledger } = judge(quota, recounted(quota, known, stock, nowMs), batch, nowMs);
  return { verdicts, ledger, isChanged: !isSameLedger(ledger, known) };
};

const versionOf = (object: ApiObject | undefined): string => object?.metadata.resourceVersion ?? '';
