import type { ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { UsageError } from '../usage-error';
import { changeContainers, isNamed } from './set-template';

export interface SetResourcesOptions extends ChangeOptions {
  readonly containers?: string;
  readonly limits?: string;
  readonly requests?: string;
}

/** Sets what containers ask for and may use: `--requests=cpu=100m,memory=64Mi`. A zero removes one. */
export const setResources = async (
  context: CliContext,
  targets: readonly string[],
  options: SetResourcesOptions,
): Promise<void> => {
  const { containers = '*', limits, requests } = options;
  if (limits === undefined && requests === undefined) {
    throw new UsageError(
      'you must specify an update to requests or limits (in the form of --requests/--limits)',
    );
  }
  const resources = {
    ...(limits === undefined ? {} : { limits: amountsOf('--limits', limits) }),
    ...(requests === undefined ? {} : { requests: amountsOf('--requests', requests) }),
  };
  await changeContainers(context, targets, options, 'resource requirements updated', (container) =>
    isNamed(container, containers) ? { resources } : undefined,
  );
};

const amountsOf = (flag: string, text: string): Readonly<Record<string, string | null>> =>
  Object.fromEntries(
    text.split(',').map((part) => {
      const [, name, amount] = /^([^=]+)=(.+)$/.exec(part) ?? [];
      if (name === undefined || amount === undefined) {
        throw new UsageError(
          `${flag}: invalid argument syntax ${part}, expected <resource>=<quantity>`,
        );
      }
      return [name, amount === '0' ? null : amount];
    }),
  );
