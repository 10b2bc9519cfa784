import { ApiError } from '../../../api/errors';
import type { Resource } from '../../../api/resources';
import type { Scale } from '../../../api/scale';
import type { HorizontalPodAutoscaler } from '../../../api/types';
import type { ApiClient } from '../../../client/api-client';
import type { ServedResources } from '../../../client/served-resources';

type Reference = NonNullable<HorizontalPodAutoscaler['spec']>['scaleTargetRef'];

/** What an autoscaler scales: anything with a scale, of any kind that is served. */
export class ScaleTargets {
  constructor(
    private readonly client: Pick<ApiClient, 'getScale' | 'update'>,
    private readonly served: Pick<ServedResources, 'resources'>,
  ) {}

  /** @throws ApiError; Error for a kind that there is none of, in upstream's words */
  resourceOf({ apiVersion = '', kind }: Reference): Resource {
    const parts = apiVersion.split('/');
    if (parts.length > 2) throw new Error(`unexpected GroupVersion string: ${apiVersion}`);
    // Whatever version it names: it is the same object in all of them.
    const group = parts.length === 2 ? (parts[0] ?? '') : '';
    const found = this.served
      .resources()
      .find((resource) => resource.group === group && resource.kind === kind);
    if (found !== undefined) return found;
    throw new Error(
      `no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}`,
    );
  }

  scaleOf(
    resource: Resource,
    namespace: string,
    { name }: Reference,
    signal: AbortSignal,
  ): Promise<Scale> {
    if (!resource.isNamespaced) throw new ApiError('NotFound', NO_SCALE);
    return this.client.getScale(resource, { namespace, name }, signal);
  }

  /** @throws Conflict when somebody changed the target since its scale was read */
  async resize(
    resource: Resource,
    scale: Scale,
    replicas: number,
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = { ...scale, spec: { ...scale.spec, replicas } };
    await this.client.update(resource, wanted, { subresource: 'scale' }, signal);
  }
}

const NO_SCALE = 'the server could not find the requested resource';
