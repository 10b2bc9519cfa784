import { POD_TEMPLATE } from './pod-template';

it('prints what a template would run, and under which labels', () => {
  const template = {
    metadata: { labels: { tier: 'front', app: 'web' } },
    spec: {
      containers: [
        { name: 'main', image: 'app:1' },
        { name: 'log', image: 'log:2' },
      ],
    },
  };
  const object = { apiVersion: 'v1', kind: 'PodTemplate', metadata: { name: 'web' }, template };
  const { printer } = POD_TEMPLATE;
  expect(printer.columns.map(({ name }) => name)).toEqual([
    'Name',
    'Containers',
    'Images',
    'Pod Labels',
  ]);
  expect(printer.cells(object, 0)).toEqual([
    'web',
    'main,log',
    'app:1,log:2',
    'app=web,tier=front',
  ]);
  expect(printer.cells({ ...object, template: {} } as typeof object, 0)).toEqual([
    'web',
    '',
    '',
    '<none>',
  ]);
});
