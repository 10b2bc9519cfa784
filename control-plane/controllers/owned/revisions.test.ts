import fc from 'fast-check';
import type { Int64 } from '../../../api/int64';
import type { ControllerRevision } from '../../../api/types';
import { stringifyJson } from '../../../lib/json';
import {
  applyRevision,
  beyondLimit,
  inOrder,
  planRevision,
  revisionData,
  revisionHash,
  templateOf,
  type TemplateOwner,
} from './revisions';

const template = (image: string) => ({
  metadata: { labels: { app: 'db' } },
  spec: { containers: [{ name: 'c', image }] },
});

const owner = (image: string): TemplateOwner => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'default', uid: 'd' },
  spec: { selector: { matchLabels: { app: 'db' } }, template: template(image) },
});

const revision = (number: Int64, image: string, name = `db-${image}`): ControllerRevision => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: { name, namespace: 'default' },
  data: revisionData(template(image)),
  revision: number,
});

it('names a template as upstream names it', () => {
  const container = {
    ...{ name: 'pg', image: 'postgres:17', imagePullPolicy: 'IfNotPresent', resources: {} },
    ports: [{ containerPort: 5432, protocol: 'TCP' as const }],
    ...{ terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' },
  };
  const data = revisionData({
    metadata: { labels: { app: 'db' } },
    spec: {
      ...{ containers: [container], dnsPolicy: 'ClusterFirst', restartPolicy: 'Always' },
      ...{ schedulerName: 'default-scheduler', securityContext: {} },
      terminationGracePeriodSeconds: 30,
    },
  });
  // What kube-apiserver 1.36 shows of the same manifest.
  expect(revisionHash(data, 0)).toBe('7566c5db88');
  expect(revisionHash(data, 1)).not.toBe(revisionHash(data, 0));
});

it('holds a template, and gives it back', () => {
  const old = revision(1, 'a');
  expect(old.data).toEqual({ spec: { template: { ...template('a'), $patch: 'replace' } } });
  expect(templateOf(old)).toEqual(template('a'));
  expect(applyRevision(owner('b'), old)).toEqual(owner('a'));
});

it('holds it in the order of names, as those who compare texts expect', () => {
  const backwards = { spec: { containers: [{ name: 'c', image: 'x' }] }, metadata: { labels: {} } };
  expect(stringifyJson(revisionData(backwards))).toBe(
    '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{}},' +
      '"spec":{"containers":[{"image":"x","name":"c"}]}}}}',
  );
});

it.each([null, 'x', [], {}, { spec: 1 }, { spec: { template: {} } }, { spec: { template: [] } }])(
  'finds no template in %j',
  (data) => {
    const strange = { ...revision(1, 'a'), data };
    expect(templateOf(strange)).toBeUndefined();
    expect(applyRevision(owner('a'), strange)).toBeUndefined();
    expect(planRevision(owner('a'), [strange])).toEqual({ kind: 'create', number: 2 });
  },
);

it('makes the first revision, and one for each new template', () => {
  expect(planRevision(owner('a'), [])).toEqual({ kind: 'create', number: 1 });
  const known = [revision(1, 'a'), revision(4, 'b')];
  expect(planRevision(owner('c'), known)).toEqual({ kind: 'create', number: 5 });
  expect(planRevision(owner('b'), known)).toEqual({ kind: 'none', revision: known[1] });
});

it('uses an older equal revision again, under the next number', () => {
  const known = [revision(1, 'a', 'first'), revision(2, 'a', 'again'), revision(3, 'b')];
  expect(planRevision(owner('a'), known)).toEqual({
    ...{ kind: 'renumber', revision: known[1], number: 4 },
  });
});

it('reckons with numbers of 64 bits', () => {
  const huge = { ...revision(0, 'c'), revision: 2n ** 60n };
  const unordered = [huge, revision(2, 'b'), revision(2, 'a'), revision(1, 'z')];
  expect(inOrder(unordered).map(({ metadata }) => metadata.name)).toEqual([
    ...['db-z', 'db-a', 'db-b', 'db-c'],
  ]);
  expect(planRevision(owner('d'), [huge])).toEqual({ kind: 'create', number: 2n ** 60n + 1n });
});

it('gives up the oldest that nothing uses, down to the limit', () => {
  const known = fc.uniqueArray(fc.nat(30), { maxLength: 12 });
  fc.assert(
    fc.property(known, fc.array(fc.nat(30)), fc.nat(12), (numbers, used, limit) => {
      const revisions = inOrder(numbers.map((number) => revision(number, `i${number}`)));
      const inUse = new Set(used.map((number) => `db-i${number}`));
      const gone = beyondLimit(revisions, inUse, limit);
      const idle = revisions.filter(({ metadata }) => !inUse.has(metadata.name));
      expect(gone).toEqual(idle.slice(0, gone.length));
      expect(idle.length - gone.length).toBe(Math.min(limit, idle.length));
    }),
  );
});

it('ends with the present template on top, whatever the history', () => {
  const images = fc.constantFrom('a', 'b', 'c', 'd');
  fc.assert(
    fc.property(fc.array(images, { minLength: 1, maxLength: 12 }), (changes) => {
      let revisions: ControllerRevision[] = [];
      for (const image of changes) {
        const step = planRevision(owner(image), revisions);
        if (step.kind === 'create') revisions = [...revisions, revision(step.number, image)];
        if (step.kind === 'renumber') {
          const others = revisions.filter((each) => each !== step.revision);
          revisions = [...others, { ...step.revision, revision: step.number }];
        }
        const top = inOrder(revisions).at(-1);
        expect(top && templateOf(top)).toEqual(template(image));
      }
      expect(revisions).toHaveLength(new Set(changes).size);
    }),
  );
});
