import { createHash } from 'node:crypto';

/** Interface names: the kernel takes 15 bytes. */
export const MAX_INTERFACE_NAME_LENGTH = 15;

/** `[a-z0-9]`, short enough to leave nine digits of hash. */
const PREFIX = /^[a-z][a-z0-9]{0,5}$/;

export const isInterfacePrefix = (prefix: string): boolean => PREFIX.test(prefix);

/**
 * The host end of a sandbox's link. Deleting is asynchronous in the kernel, so a name must never come
 * back while its former owner may still be draining: `attempt` differs for every attachment.
 */
export const interfaceNameOf = (
  prefix: string,
  sandboxId: string,
  attempt: number | string,
): string => {
  const head = `${prefix}v`;
  return head + shortHash(`${sandboxId}\0${attempt}`, MAX_INTERFACE_NAME_LENGTH - head.length);
};

/** `length` hexadecimal digits that stand for any text. */
export const shortHash = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);
