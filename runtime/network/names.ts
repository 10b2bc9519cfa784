import { createHash } from 'node:crypto';

/** Interface names: the kernel takes 15 bytes. */
const MAX_INTERFACE_NAME_LENGTH = 15;

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

/** All of them, as a firewall's pattern. */
export const sandboxInterfaces = (prefix: string): string => `${prefix}v*`;

/** Whether `interfaceNameOf` with this prefix made the name. */
export const isSandboxInterface = (prefix: string, name: string): boolean =>
  name.length === MAX_INTERFACE_NAME_LENGTH &&
  name.startsWith(`${prefix}v`) &&
  /^[0-9a-f]+$/.test(name.slice(prefix.length + 1));

/** Where the traffic from a sandbox waits its turn: named after the host end of its link. */
export const shaperNameOf = (hostInterface: string): string =>
  hostInterface.replace(LINK_HEAD, '$1i');

/** The host end whose traffic an interface shapes; undefined for any other interface. */
export const shapedBy = (prefix: string, name: string): string | undefined => {
  const head = `${prefix}i`;
  const hostEnd = `${prefix}v${name.slice(head.length)}`;
  return name.startsWith(head) && isSandboxInterface(prefix, hostEnd) ? hostEnd : undefined;
};

/** The digits that end a name are hexadecimal: its last `v` is ours. */
const LINK_HEAD = /^(.*)v/;

/** `length` hexadecimal digits that stand for any text. */
export const shortHash = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);
