import { listAt, textAt } from '../kinds/mutable';
import type { AdmissionPlugin } from './admission-plugin';
import { isPod, specIn } from './pods';

/**
 * Lets a pod stay for a while on a node that has gone silent. An update gets the tolerations again: a
 * second apply lists only those of its author.
 */
export const defaultTolerationSeconds = (tolerationSeconds: number): AdmissionPlugin => ({
  name: 'DefaultTolerationSeconds',
  handles: isPod,
  admit: (asked) => {
    const spec = specIn(asked);
    const tolerations = listAt(spec, 'tolerations');
    const added = ['not-ready', 'unreachable']
      .map((condition) => `node.kubernetes.io/${condition}`)
      .filter((key) => !isNoExecuteTolerated(tolerations, key))
      .map((key) => ({ effect: 'NoExecute', key, operator: 'Exists', tolerationSeconds }));
    if (added.length > 0) spec['tolerations'] = [...tolerations, ...added];
    return added.length > 0;
  },
});

const isNoExecuteTolerated = (tolerations: readonly unknown[], key: string): boolean =>
  tolerations.some((toleration) => {
    const [ownKey, effect] = [textAt(toleration, 'key'), textAt(toleration, 'effect')];
    return (
      (ownKey === key || (ownKey === '' && textAt(toleration, 'operator') === 'Exists')) &&
      (effect === 'NoExecute' || effect === '')
    );
  });
