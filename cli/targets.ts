import type { CliContext } from './context';
import type { ApiResourceInfo } from './discovery';
import { UsageError } from './usage-error';

/** A kind, and one object of it or all. */
export interface Target {
  readonly info: ApiResourceInfo;
  readonly name: string | undefined;
}

/** Understands `KIND`, `KIND NAME...`, `KIND/NAME...` and `KIND,KIND`. @throws UsageError */
export const parseTargets = async (
  context: CliContext,
  args: readonly string[],
): Promise<readonly Target[]> => {
  const [first, ...names] = args;
  if (first === undefined) {
    throw new UsageError('name a kind: `pods`, `nodes`, `deployments`, ... or KIND/NAME');
  }
  if (args.some((arg) => arg.includes('/'))) {
    if (!args.every((arg) => arg.includes('/'))) {
      throw new UsageError(
        'there is no need to specify a resource type as a separate argument when passing arguments in resource/name form',
      );
    }
    return Promise.all(args.map((arg) => parsePair(context, arg)));
  }
  const infos = await Promise.all(first.split(',').map((kind) => context.resolve(kind)));
  if (names.length === 0) return infos.map((info) => ({ info, name: undefined }));
  const [info, another] = infos;
  if (info === undefined || another !== undefined) {
    throw new UsageError('names can be given for one kind at a time');
  }
  return names.map((name) => ({ info, name }));
};

const parsePair = async (context: CliContext, arg: string): Promise<Target> => {
  const [kind = '', name = '', ...rest] = arg.split('/');
  if (kind === '' || name === '' || rest.length > 0) {
    throw new UsageError(
      `arguments in resource/name form must have a single resource and name: "${arg}"`,
    );
  }
  return { info: await context.resolve(kind), name };
};

/** `NAME` or `pod/NAME`: the commands that are about pods take both. */
export const podName = (arg: string): string => {
  const match = /^(?:po|pods?)\/(.+)$/.exec(arg);
  if (match !== null) return match[1] ?? '';
  if (arg.includes('/')) throw new UsageError(`"${arg}" is not a pod: write NAME or pod/NAME`);
  return arg;
};
