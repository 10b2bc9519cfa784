import { libc } from './libc';

/** The attributes of a file of a lower layer that a copy of it must have too. */
export const portableXattrs = (path: string): ReadonlyMap<string, Buffer> => {
  const xattrs = new Map<string, Buffer>();
  for (const name of libc().listXattrs(path)) {
    // Overlayfs's own marks and the host's labels belong to the layer, not to the file.
    if (!PORTABLE.test(name)) continue;
    const value = libc().getXattr(path, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return xattrs;
};

const PORTABLE = /^(user\..*|security\.capability|system\.posix_acl_(access|default))$/;
