import { parseLabelSelector } from '../../api/selectors';
import { SERVICES } from '../../api/resources';
import type { Service } from '../../api/types';
import { changeEach, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { isService } from '../targets';
import { UsageError } from '../usage-error';

/** Sets which pods are behind services: `svc/NAME app=web,tier=front`. Only services can be told. */
export const setSelector = async (
  context: CliContext,
  args: readonly string[],
  options: ChangeOptions,
): Promise<void> => {
  const text = args.at(-1) ?? '';
  if (!text.includes('=')) throw new UsageError('selector is required: app=web,tier=front');
  const wanted = labelsOf(text);
  await changeEach(context, args.slice(0, -1), options, ({ info, object }) => {
    if (!isService(info))
      throw new UsageError(`setting a selector is only supported for ${SERVICES.kind}s`);
    const before = (object as Service).spec?.selector ?? {};
    const gone = Object.keys(before).filter((key) => !Object.hasOwn(wanted, key));
    const selector = { ...wanted, ...Object.fromEntries(gone.map((key) => [key, null])) };
    return { patch: { type: 'merge', body: { spec: { selector } } }, told: 'selector updated' };
  });
};

/** @throws UsageError for what no service can go by, such as `a in (b)` */
const labelsOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    parseLabelSelector(text).map(({ key, operator, values: [value = ''] }) => {
      if (operator !== '=' && operator !== '==')
        throw new UsageError(`invalid selector "${text}": services go by KEY=VALUE alone`);
      return [key, value];
    }),
  );
