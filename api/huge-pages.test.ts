import { hugePagesOf, isWholePages, pageBytesOf, pageBytesOfMedium } from './huge-pages';
import { CRON_JOBS, DEPLOYMENTS, PODS } from './resources';
import { deployment, made, pod, refusal } from './testing';
import { kindOf } from './scheme';
import type { Pod } from './types';

type Texts = Readonly<Record<string, string>>;

it.each([
  ['hugepages-2Mi', 2 ** 21],
  ['hugepages-1Gi', 2 ** 30],
  ['hugepages-64Ki', 2 ** 16],
  ['hugepages-', undefined],
  ['hugepages-big', undefined],
  ['hugepages-0', undefined],
  ['hugepages-500m', undefined],
  ['hugepages--2Mi', undefined],
  ['hugepages-100E', undefined],
  ['memory', undefined],
])('reads the size of a page from %s', (name, pageBytes) => {
  expect(pageBytesOf(name)).toBe(pageBytes);
  if (pageBytes !== undefined) expect(hugePagesOf(pageBytes)).toBe(name);
});

it.each([
  ['hugepages-2Mi', '4Mi', true],
  ['hugepages-2Mi', '0', true],
  ['hugepages-2Mi', '5Mi', false],
  ['hugepages-1Gi', '2.1Gi', false],
  ['hugepages-2Mi', '4194304500m', false],
  ['hugepages-big', '2Mi', false],
])('knows whether %s is whole in %s', (name, amount, isWhole) => {
  expect(isWholePages(name, amount)).toBe(isWhole);
});

it('reads the size of a page from a medium', () => {
  expect(pageBytesOfMedium('HugePages')).toBeUndefined();
  expect(pageBytesOfMedium('HugePages-1Gi')).toBe(2 ** 30);
  expect(() => pageBytesOfMedium('HugePages-x')).toThrow('unknown storage medium "HugePages-x"');
});

describe('huge pages of a container', () => {
  const refused = (requests: Texts | undefined, limits: Texts | undefined) =>
    refusal(PODS, pod({}, { resources: { requests, limits } }));
  const AT = 'spec.containers[0].resources';

  it.each<[string, Texts | undefined, Texts | undefined]>([
    [
      `${AT}: Forbidden: HugePages require cpu or memory`,
      { 'hugepages-2Mi': '2Mi' },
      { 'hugepages-2Mi': '2Mi' },
    ],
    [
      `${AT}.limits[hugepages-2Mi]: Invalid value: "3Mi": ` +
        '3Mi is not positive integer multiple of hugepages-2Mi',
      undefined,
      { cpu: '1', 'hugepages-2Mi': '3Mi' },
    ],
    [
      `${AT}.requests[hugepages-2Mi]: Invalid value: "3Mi": ` +
        '3Mi is not positive integer multiple of hugepages-2Mi',
      { 'hugepages-2Mi': '3Mi' },
      { cpu: '1', 'hugepages-2Mi': '3Mi' },
    ],
    [
      `${AT}.requests: Invalid value: "2Mi": must be equal to hugepages-2Mi limit of 4Mi`,
      { cpu: '1', 'hugepages-2Mi': '2Mi' },
      { 'hugepages-2Mi': '4Mi' },
    ],
    [
      `${AT}.limits: Required value: Limit must be set for non overcommitable resources`,
      { cpu: '1', 'hugepages-2Mi': '2Mi' },
      undefined,
    ],
  ])('are refused: %s', (expected, requests, limits) => {
    expect(refused(requests, limits)).toContain(expected);
  });

  it('are asked for as many as they are limited in, of several sizes', () => {
    const limits = { memory: '1Gi', 'hugepages-2Mi': '4Mi', 'hugepages-1Gi': '1Gi' };
    expect(refused(undefined, limits)).toEqual([]);
    const { spec } = made(PODS, pod({}, { resources: { limits } })) as Pod;
    expect(spec.containers[0]?.resources?.requests).toEqual(limits);
  });
});

describe('an amount that is no whole number of pages and is stored already', () => {
  const pages = (amount: string, image = 'nginx:1.27') => ({
    containers: [
      { name: 'c', image, resources: { limits: { memory: '1Gi', 'hugepages-2Mi': amount } } },
    ],
  });
  const AT = 'spec.containers[0].resources';

  it('stays when something else of a template changes', () => {
    const old = deployment({}, pages('3Mi'));
    expect(refusal(DEPLOYMENTS, old)).not.toEqual([]);
    expect(refusal(DEPLOYMENTS, deployment({ replicas: 3 }, pages('3Mi', 'nginx:2')), old)).toEqual(
      [],
    );
    const template = (spec: object) => ({
      metadata: { name: 'night' },
      spec: {
        schedule: '@daily',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', ...spec } } } },
      },
    });
    expect(refusal(CRON_JOBS, template(pages('3Mi', 'nginx:2')), template(pages('3Mi')))).toEqual(
      [],
    );
  });

  it('lets no other in, and none where there was none', () => {
    const refused = (amount: string, old: string) =>
      refusal(DEPLOYMENTS, deployment({}, pages(amount)), deployment({}, pages(old)));
    for (const old of ['3Mi', '4Mi'])
      expect(refused('5Mi', old)).toContain(
        `spec.template.${AT}.limits[hugepages-2Mi]: Invalid value: "5Mi": ` +
          '5Mi is not positive integer multiple of hugepages-2Mi',
      );
    expect(refused('4Mi', '3Mi')).toEqual([]);
  });

  it('lets a pod be resized in what else it has', () => {
    const [old, resized] = ['1Gi', '2Gi'].map((memory) => {
      const limits = { cpu: '1', memory, 'hugepages-2Mi': '3Mi' };
      return made(PODS, pod({}, { resources: { limits, requests: { ...limits, cpu: '500m' } } }));
    });
    const resize = kindOf(PODS)?.rules.validatePart['resize'];
    expect(resize?.(resized!, old!)).toEqual([]);
  });
});
