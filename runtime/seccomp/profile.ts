import { z } from 'zod';
import { RuntimeError } from '../container-runtime';

const text = z.string().max(256);
/** JSON numbers are exact up to here; no argument of a system call needs more in a profile. */
const uint = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const Actions = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_LOG',
  'SCMP_ACT_ALLOW',
] as const;

const Operators = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const;

const Conditions = z.strictObject({
  caps: z.array(text).max(64).nullish(),
  arches: z.array(text).max(32).nullish(),
  minKernel: z
    .string()
    .regex(/^\d{1,4}\.\d{1,4}$/, 'must be of the form "5.10"')
    .nullish(),
});

const Rule = z
  .strictObject({
    names: z.array(text).max(1024).readonly().nullish(),
    /** The older spelling of one name. */
    name: text.nullish(),
    action: z.enum(Actions),
    /** At most 4095: the kernel cuts larger ones. */
    errnoRet: z.int().min(0).max(4095).nullish(),
    args: z
      .array(
        z.strictObject({
          index: z.int().min(0).max(5),
          value: uint,
          valueTwo: uint.nullish(),
          op: z.enum(Operators),
        }),
      )
      .max(64)
      .readonly()
      .nullish(),
    includes: Conditions.nullish(),
    excludes: Conditions.nullish(),
    comment: z.string().nullish(),
  })
  .refine(({ name, names }) => (name ?? names?.[0]) !== undefined, {
    path: ['names'],
    message: 'must name at least one system call',
  });

const ProfileSchema = z
  .strictObject({
    defaultAction: z.enum(Actions),
    defaultErrnoRet: z.int().min(0).max(4095).nullish(),
    architectures: z.array(text).max(32).nullish(),
    archMap: z
      .array(
        z.strictObject({
          architecture: text,
          subArchitectures: z.array(text).max(32).nullish(),
        }),
      )
      .max(32)
      .nullish(),
    syscalls: z.array(Rule).max(4096).readonly().nullish(),
    flags: z.array(z.enum(['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'])).nullish(),
  })
  .refine(({ architectures, archMap }) => !(architectures?.length && archMap?.length), {
    path: ['architectures'],
    message: 'cannot be set together with archMap',
  });

export type ProfileAction = (typeof Actions)[number];
export type ProfileOperator = (typeof Operators)[number];
export type ProfileConditions = Readonly<z.infer<typeof Conditions>>;
export type ProfileRule = Readonly<Omit<z.infer<typeof Rule>, 'names'>> & {
  readonly names?: readonly string[] | null | undefined;
};
/** A seccomp profile in the JSON form that OCI bundles and Docker share. */
export type Profile = Readonly<Omit<z.infer<typeof ProfileSchema>, 'syscalls'>> & {
  readonly syscalls?: readonly ProfileRule[] | null | undefined;
};

/** @throws RuntimeError naming each field at fault, as `syscalls[2].args[0].op: ...`. */
export const parseProfile = (input: unknown): Profile => {
  const result = ProfileSchema.safeParse(input);
  if (result.success) return result.data;
  const faults = result.error.issues
    .slice(0, MAX_FAULTS_SHOWN)
    .map(({ path, message }) => `${pathText(path)}: ${message}`);
  throw new RuntimeError('seccomp', `seccomp profile is not valid: ${faults.join('; ')}`);
};

const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '') || 'profile';

const MAX_FAULTS_SHOWN = 5;
