import { createHash } from 'node:crypto';
import { release } from 'node:os';
import { RuntimeError, type SeccompSpec } from '../container-runtime';
import { compile } from './compile';
import { DEFAULT_PROFILE } from './default-profile';
import { parseProfile, type Profile } from './profile';
import { applicableRules, architecturesOf, namesOf, resolveRules } from './rules';

/**
 * The filter to load for a process with these capabilities (`CAP_`-less names): an array of the
 * kernel's `struct sock_filter`, or undefined when unconfined. Shared: do not write to it.
 * @throws RuntimeError when a profile is not valid, naming the field.
 */
export const seccompFilter = (
  spec: SeccompSpec,
  capabilities: readonly string[],
): Uint8Array | undefined => {
  switch (spec.type) {
    case 'unconfined':
      return undefined;
    case 'default':
      return cached('default', DEFAULT_PROFILE, capabilities);
    case 'profile': {
      const profile = parseProfile(spec.profile);
      return cached(hashOf(profile), profile, capabilities);
    }
  }
};

/** The same as OCI bundles have it, for another runtime to load. @throws RuntimeError */
export const ociSeccomp = (
  spec: SeccompSpec,
  capabilities: readonly string[],
): Readonly<Record<string, unknown>> | undefined => {
  if (spec.type === 'unconfined') return undefined;
  const profile = spec.type === 'default' ? DEFAULT_PROFILE : parseProfile(spec.profile);
  const { defaultAction, defaultErrnoRet, flags } = profile;
  const host = { kernelRelease: release(), capabilities };
  return {
    defaultAction,
    ...(typeof defaultErrnoRet === 'number' ? { defaultErrnoRet } : {}),
    architectures: ['SCMP_ARCH_X86_64', ...architecturesOf(profile)],
    ...(flags ? { flags } : {}),
    syscalls: applicableRules(profile, host).map((rule) => ({
      names: namesOf(rule),
      action: rule.action,
      ...(typeof rule.errnoRet === 'number' ? { errnoRet: rule.errnoRet } : {}),
      ...(rule.args
        ? {
            args: rule.args.map(({ valueTwo, ...arg }) => ({
              ...arg,
              ...(typeof valueTwo === 'number' ? { valueTwo } : {}),
            })),
          }
        : {}),
    })),
  };
};

const cached = (id: string, profile: Profile, capabilities: readonly string[]): Uint8Array => {
  const key = [id, ...[...capabilities].sort()].join(' ');
  const known = filters.get(key);
  if (known !== undefined) return known;
  const filter = build(profile, capabilities);
  // Nodes run few kinds of filter; one that runs many only pays the milliseconds of building again.
  if (filters.size >= MAX_CACHED_FILTERS) filters.clear();
  filters.set(key, filter);
  return filter;
};

const build = (profile: Profile, capabilities: readonly string[]): Uint8Array => {
  if (process.arch !== 'x64') {
    throw new RuntimeError('seccomp', `no system call tables for ${process.arch}, only for x64`);
  }
  const filter = compile(resolveRules(profile, { kernelRelease: release(), capabilities }));
  const instructionCount = filter.length / 8;
  if (instructionCount > MAX_INSTRUCTIONS) {
    throw new RuntimeError(
      'seccomp',
      `seccomp profile is too large: ${instructionCount} instructions, the kernel takes ${MAX_INSTRUCTIONS}`,
    );
  }
  return filter;
};

const hashOf = (profile: Profile): string =>
  createHash('sha256').update(JSON.stringify(profile)).digest('hex');

const filters = new Map<string, Uint8Array>();
const MAX_CACHED_FILTERS = 64;
/** BPF_MAXINSNS */
const MAX_INSTRUCTIONS = 4096;
