import { schemaOfVersion, storageVersionOf } from '../../../api/custom-resources/definitions';
import type { CustomResourceDefinition } from '../../../api/types';
import type { Conversion } from '../kinds/served-kind';
import { ConversionCache } from './conversion-cache';
import { VersionConversion } from './version-conversion';
import { WebhookConverter, type ConverterDeps } from './webhook-converter';

export interface ConversionsDeps extends ConverterDeps {
  /** What may be kept of what was converted. */
  readonly bytesMax: number;
}

/** Makes the conversions of definitions whose versions a webhook makes of each other. */
export class Conversions {
  private readonly cache: ConversionCache;

  constructor(private readonly deps: ConversionsDeps) {
    this.cache = new ConversionCache(deps.bytesMax);
  }

  /** For each version of the definition: all of them ask one webhook. */
  of(definition: CustomResourceDefinition): (apiVersion: string) => Conversion {
    const { group, versions, conversion } = definition.spec;
    const { clientConfig = {}, conversionReviewVersions = [] } = conversion?.webhook ?? {};
    const apiVersionOf = (name: string): string => `${group}/${name}`;
    const schemas = new Map(
      versions.map((version) => [apiVersionOf(version.name), schemaOfVersion(version)]),
    );
    const rules = {
      target: clientConfig,
      reviewVersions: conversionReviewVersions,
      apiVersions: new Set(schemas.keys()),
    };
    const converter = new WebhookConverter(rules, this.deps);
    const storage = apiVersionOf(storageVersionOf(definition)?.name ?? '');
    return (apiVersion) =>
      new VersionConversion(apiVersion, { schemas, storage }, converter, this.cache);
  }
}
