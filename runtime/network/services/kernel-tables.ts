import { createHash } from 'node:crypto';
import { constants } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import {
  addElements,
  asTransaction,
  deleteElements,
  listRules,
  type NftTable,
  type SetElement,
} from '../netlink/nft-elements';
import {
  chainBytes,
  decodeElements,
  decodeSetName,
  listChains,
  listElements,
  listSets,
  ruleBytes,
} from '../netlink/nft-listing';
import { NetlinkError, type NetlinkSocket } from '../netlink/socket';
import { type NetlinkMessage, type NetlinkRequest } from '../netlink/wire';
import { decodeFields, encodeFields, OWN_TABLES, TABLE_NAMES, TABLES } from './elements';
import { type TableName } from './elements';
import { type KeepClasses } from './structure';
import { type Change, type Tables } from './service-tables';

/** What the kernel has of the table, as far as it is to be compared. Undefined: it has no such table. */
export interface KernelTables {
  readonly tables: Tables;
  readonly keepClasses: KeepClasses;
}

export const readElements = async (
  firewall: NetlinkSocket,
  nftTable: NftTable,
): Promise<KernelTables | undefined> => {
  const tables = new Map<TableName, Map<string, string>>();
  try {
    for (const table of TABLE_NAMES) {
      const messages = await firewall.dump(listElements(nftTable, table));
      tables.set(table, await decodeAll(nftTable, table, messages));
    }
    const keeps = (await firewall.dump(listElements(nftTable, 'keeps'))).flatMap(decodeElements);
    const keepClasses = new Map(
      keeps.map(({ key, chain }) => [key.readUInt32LE(), Number(chain?.slice('keep'.length))]),
    );
    return { tables, keepClasses };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
};

/**
 * A digest of all of the table but what services change: its chains, their rules, and the sets that rules
 * use to find their way. Undefined: it has no such table.
 */
export const readShape = async (
  firewall: NetlinkSocket,
  table: NftTable,
): Promise<string | undefined> => {
  const hash = createHash('sha256');
  try {
    const rules = (await firewall.dump(listRules(table))).flatMap(
      (m) => ruleBytes(m, table.name) ?? [],
    );
    const chains = (await firewall.dump(listChains(table))).flatMap(
      (m) => chainBytes(m, table.name) ?? [],
    );
    for (const bytes of [...rules, ...chains]) hash.update(bytes);
    for (const set of SHAPE_SETS) {
      const elements = (await firewall.dump(listElements(table, set))).flatMap(decodeElements);
      const texts = elements.map(({ key, chain }) => `${key.toString('hex')}${chain ?? ''}`);
      hash.update(texts.sort().join());
    }
    return hash.digest('hex').slice(0, SHAPE_LENGTH);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
};

/** The seal that was put on the table once it was whole. */
export const readSeal = async (
  firewall: NetlinkSocket,
  table: NftTable,
): Promise<string | undefined> => {
  try {
    const sets = (await firewall.dump(listSets(table))).map(decodeSetName);
    return sets.find((set) => set.startsWith(SEAL));
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
};

export const sealOf = (text: string, shape: string): string =>
  `${SEAL}${createHash('sha256').update(text).digest('hex').slice(0, SHAPE_LENGTH)}_${shape}`;

/**
 * Brings the kernel from the one to the other, in transactions of a bounded size: first what groups are
 * made of, then what leads to them, last what nothing leads to any more. A packet that has found its
 * group finds its endpoint, too, whenever it comes. @throws NetlinkError when it is not as it should be.
 */
export const applyChanges = async (
  firewall: NetlinkSocket,
  table: NftTable,
  changes: readonly Change[],
  inTurn: (transaction: () => Promise<void>) => Promise<void>,
): Promise<void> => {
  const isOwn = ({ table }: Change): boolean => OWN_TABLES.has(table);
  const isLast = (change: Change): boolean => isOwn(change) && change.after === undefined;
  const first = changes.filter((change) => isOwn(change) && !isLast(change));
  const ordered = [...first, ...changes.filter((change) => !isOwn(change))];
  for (const some of [...pieces(ordered), ...pieces(changes.filter(isLast))])
    await inTurn(() => firewall.transact(asTransaction(requestsOf(table, some))));
};

const pieces = (changes: readonly Change[]): readonly (readonly Change[])[] =>
  Array.from({ length: Math.ceil(changes.length / MAX_CHANGES) }, (_none, i) =>
    changes.slice(i * MAX_CHANGES, (i + 1) * MAX_CHANGES),
  );

const requestsOf = (nftTable: NftTable, changes: readonly Change[]): readonly NetlinkRequest[] =>
  TABLE_NAMES.flatMap((table) => {
    const own = changes.filter((change) => change.table === table);
    const encode = (key: string, data: string | undefined): SetElement =>
      encodeElement(nftTable, table, key, data);
    const of = { table: nftTable, set: table };
    return [
      ...deleteElements(
        of,
        own.flatMap(({ key, before }) => (before === undefined ? [] : [encode(key, undefined)])),
      ),
      ...addElements(
        of,
        own.flatMap(({ key, after }) => (after === undefined ? [] : [encode(key, after)])),
      ),
    ];
  });

const encodeElement = (
  { family }: NftTable,
  table: TableName,
  text: string,
  dataText: string | undefined,
): SetElement => {
  const { key, data } = TABLES[table];
  const hasRange = table === 'allowed';
  return {
    key: encodeFields(key, text, family),
    ...(hasRange ? { keyEnd: encodeFields(key, text, family, true) } : {}),
    ...(dataText === undefined || dataText === ''
      ? {}
      : { data: encodeFields(data, dataText, family) }),
  };
};

/** In small steps: there may be a hundred thousand. */
const decodeAll = async (
  { family }: NftTable,
  table: TableName,
  messages: readonly NetlinkMessage[],
): Promise<Map<string, string>> => {
  const { key: keyTypes, data: dataTypes } = TABLES[table];
  const elements = new Map<string, string>();
  for (const [i, message] of messages.entries()) {
    if (i % MESSAGES_A_STEP === MESSAGES_A_STEP - 1) await setImmediate();
    for (const { key, keyEnd, data } of decodeElements(message))
      elements.set(
        decodeFields(keyTypes, key, family, keyEnd),
        data === undefined ? '' : decodeFields(dataTypes, data, family),
      );
  }
  return elements;
};

const isGone = (error: unknown): boolean =>
  error instanceof NetlinkError && error.errno === constants.errno.ENOENT;

const SEAL = 'seal_';
const SHAPE_LENGTH = 32;
const SHAPE_SETS = ['sizes', 'part_sizes', 'keeps'];
const MAX_CHANGES = 2_000;
const MESSAGES_A_STEP = 8;
