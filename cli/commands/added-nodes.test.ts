import { addedNodes } from './added-nodes';

it('reads what a node has', () => {
  const text =
    'cpu=4,memory=8Gi,labels=disk=ssd,labels=a=b=c,taints=x=y:NoSchedule,example.com/gpu=2';
  expect(addedNodes([text])).toEqual([
    {
      name: 'new',
      allocatable: { cpu: '4', memory: '8Gi', 'example.com/gpu': '2' },
      labels: { disk: 'ssd', a: 'b=c' },
      taints: [{ key: 'x', value: 'y', effect: 'NoSchedule' }],
    },
  ]);
});

it('names several apart', () => {
  const names = (...texts: readonly string[]) => addedNodes(texts).map(({ name }) => name);
  const node = 'cpu=1,memory=1Gi';
  expect(names(node, node)).toEqual(['new-1', 'new-2']);
  expect(names(`${node},count=2`)).toEqual(['new-1', 'new-2']);
  expect(names(`${node},name=big,count=2`, node)).toEqual(['big-1', 'big-2', 'new-2']);
  expect(() => names(`${node},name=a`, `${node},name=a`)).toThrow('"a" is there twice');
});

it.each([
  ['cpu=4', 'cpu and memory are needed'],
  ['cpu=4,memory=much', '"much" is no amount'],
  ['cpu=4,memory=8Gi,count=0', 'count is between 1 and 100'],
  ['cpu', '"cpu" is no KEY=VALUE'],
  ['cpu=4,memory=8Gi,taints=a', 'invalid taint spec'],
])('refuses %s', (text, why) => {
  expect(() => addedNodes([text])).toThrow(why);
});
