import { ingressPortsOf } from '../../../api/ingress-ports';
import { secretKeysOf } from '../../../api/ingresses';
import type { Ingress, Node, Secret, Service } from '../../../api/types';
import { certificatePairIn } from '../../../lib/certificate-pair';
import { canBalance, outerAddressesOf } from '../outer-addresses';

/** Pure: where ingresses are reached: at the nodes that serve them and that traffic may be led to. */
export const ingressAddresses = (nodes: readonly Node[]): readonly string[] =>
  outerAddressesOf(
    nodes.filter((node) => canBalance(node) && ingressPortsOf(node).length > 0),
    ['IPv4', 'IPv6'],
  );

/** Pure: of an ingress's backends those that the nodes cannot serve, in words, each once. */
export const unservedBackends = (
  { metadata: { namespace = '' }, spec }: Ingress,
  serviceAt: (key: string) => Service | undefined,
): readonly string[] => {
  const words = backendsIn(spec).flatMap(({ resource, service }) => {
    if (resource !== undefined) {
      const { apiGroup, kind, name } = resource;
      return [`${kind}${apiGroup === undefined ? '' : `.${apiGroup}`} "${name}" is no Service`];
    }
    const name = service?.name ?? '';
    const isElsewhere = serviceAt(`${namespace}/${name}`)?.spec?.type === 'ExternalName';
    return isElsewhere ? [`service "${name}" is of type ExternalName`] : [];
  });
  return [...new Set(words)];
};

/** Pure: of the secrets that an ingress names those that nodes can show no certificate of, with the reason. */
export const unshownCertificates = (
  ingress: Ingress,
  secretAt: (key: string) => Secret | undefined,
): readonly string[] =>
  secretKeysOf(ingress).flatMap((key) => {
    const [, name = ''] = key.split('/');
    const secret = secretAt(key);
    if (secret === undefined) return [`there is no secret "${name}"`];
    const problem = problemOf(secret);
    return problem === undefined ? [] : [`secret "${name}": ${problem}`];
  });

/** The answer is kept for as long as the secret is the same: reading a key is dear. */
const problemOf = (secret: Secret): string | undefined => {
  const known = PROBLEMS.get(secret);
  if (known !== undefined) return known.problem;
  const pair = certificatePairIn(secret.data);
  const found = 'problem' in pair ? { problem: pair.problem } : {};
  PROBLEMS.set(secret, found);
  return found.problem;
};

const PROBLEMS = new WeakMap<Secret, { readonly problem?: string }>();

/** Pure: whether an ingress names a service of its namespace. */
export const namesService = ({ spec }: Ingress, name: string): boolean =>
  backendsIn(spec).some(({ service }) => service?.name === name);

const backendsIn = (spec: Ingress['spec']) => [
  ...(spec?.defaultBackend === undefined ? [] : [spec.defaultBackend]),
  ...(spec?.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend)),
];
