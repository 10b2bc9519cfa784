import { isJsonObject } from '../../lib/json';
import type { Json } from '../json-value';

/*
 * Metrics as annotations of v1 carry them, in v1's own types. Source: upstream's
 * pkg/apis/autoscaling/v1/conversion.go; the order of fields is that of its declarations.
 */

/** A metric that is wanted. */
export const specInV1 = (metric: Json): Json => ({
  type: metric['type'],
  ...each(metric, (source, type) => {
    const target = part(source, 'target');
    switch (type) {
      case 'object':
        return {
          target: source['describedObject'],
          ...{ metricName: nameIn(source), targetValue: target['value'] ?? '0' },
          ...optional({ selector: selectorIn(source), averageValue: target['averageValue'] }),
        };
      case 'pods':
        return {
          ...{ metricName: nameIn(source), targetAverageValue: target['averageValue'] ?? '0' },
          ...optional({ selector: selectorIn(source) }),
        };
      case 'external':
        return {
          metricName: nameIn(source),
          ...optional({
            metricSelector: selectorIn(source),
            targetValue: target['value'],
            targetAverageValue: target['averageValue'],
          }),
        };
      default:
        return {
          name: source['name'],
          ...optional({
            targetAverageUtilization: target['averageUtilization'],
            targetAverageValue: target['averageValue'],
            container: source['container'],
          }),
        };
    }
  }),
});

/** How a metric stands. */
export const statusInV1 = (metric: Json): Json => ({
  type: metric['type'],
  ...each(metric, (source, type) => {
    const current = part(source, 'current');
    switch (type) {
      case 'object':
        return {
          target: source['describedObject'],
          ...{ metricName: nameIn(source), currentValue: current['value'] ?? '0' },
          ...optional({ selector: selectorIn(source), averageValue: current['averageValue'] }),
        };
      case 'pods':
        return {
          ...{ metricName: nameIn(source), currentAverageValue: current['averageValue'] ?? '0' },
          ...optional({ selector: selectorIn(source) }),
        };
      case 'external':
        return {
          metricName: nameIn(source),
          ...optional({ metricSelector: selectorIn(source) }),
          currentValue: current['value'] ?? '0',
          ...optional({ currentAverageValue: current['averageValue'] }),
        };
      default:
        return {
          name: source['name'],
          ...optional({ currentAverageUtilization: current['averageUtilization'] }),
          currentAverageValue: current['averageValue'] ?? '0',
          ...optional({ container: source['container'] }),
        };
    }
  }),
});

/** The reverse of `specInV1`. */
export const specOfV1 = (metric: Json): Json => ({
  type: metric['type'],
  ...each(metric, (source, type) => {
    switch (type) {
      case 'object': {
        const { averageValue } = source;
        return {
          describedObject: source['target'],
          metric: metricOf(source, 'selector'),
          target: {
            type: averageValue === undefined ? 'Value' : 'AverageValue',
            ...optional({ value: source['targetValue'], averageValue }),
          },
        };
      }
      case 'pods':
        return {
          metric: metricOf(source, 'selector'),
          target: { type: 'AverageValue', averageValue: source['targetAverageValue'] },
        };
      case 'external': {
        const { targetValue: value, targetAverageValue: averageValue } = source;
        return {
          metric: metricOf(source, 'metricSelector'),
          target: {
            type: value === undefined ? 'AverageValue' : 'Value',
            ...optional({ value, averageValue }),
          },
        };
      }
      default: {
        const { targetAverageUtilization, targetAverageValue: averageValue } = source;
        return {
          ...named(source),
          target: {
            type: targetAverageUtilization === undefined ? 'AverageValue' : 'Utilization',
            ...optional({ averageUtilization: targetAverageUtilization, averageValue }),
          },
        };
      }
    }
  }),
});

/** The reverse of `statusInV1`. */
export const statusOfV1 = (metric: Json): Json => ({
  type: metric['type'],
  ...each(metric, (source, type) => {
    switch (type) {
      case 'object':
        return {
          describedObject: source['target'],
          metric: metricOf(source, 'selector'),
          current: optional({
            value: source['currentValue'],
            averageValue: source['averageValue'],
          }),
        };
      case 'pods':
        return {
          metric: metricOf(source, 'selector'),
          current: optional({ averageValue: source['currentAverageValue'] }),
        };
      case 'external':
        return {
          metric: metricOf(source, 'metricSelector'),
          current: optional({
            value: source['currentValue'],
            averageValue: source['currentAverageValue'],
          }),
        };
      default:
        return {
          ...named(source),
          current: optional({
            averageUtilization: source['currentAverageUtilization'],
            averageValue: source['currentAverageValue'],
          }),
        };
    }
  }),
});

type Source = 'object' | 'pods' | 'resource' | 'containerResource' | 'external';

/** Whichever sources there are: validation says of more than one that it is too many. */
const each = (metric: Json, change: (source: Json, type: Source) => Json): Json =>
  Object.fromEntries(
    SOURCES.flatMap((type) => {
      const source = metric[type];
      return isJsonObject(source) ? [[type, change(source, type)]] : [];
    }),
  );

const SOURCES: readonly Source[] = ['object', 'pods', 'resource', 'containerResource', 'external'];

const part = (source: Json, field: string): Json => {
  const found = source[field];
  return isJsonObject(found) ? found : {};
};

const nameIn = (source: Json): unknown => part(source, 'metric')['name'] ?? '';

const selectorIn = (source: Json): unknown => part(source, 'metric')['selector'];

const metricOf = (source: Json, selector: string): Json => ({
  name: source['metricName'] ?? '',
  ...optional({ selector: source[selector] }),
});

const named = ({ name, container }: Json): Json => ({ name, ...optional({ container }) });

const optional = (fields: Json): Json =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  );
