import { FakePodNetwork } from './fake';

const request = (sandboxId: string) => ({ sandboxId, netnsPath: `/run/netns/${sandboxId}` });

describe('FakePodNetwork', () => {
  it('attaches once, frees on detach', async () => {
    const network = new FakePodNetwork(['10.1.0.0/24', 'fd00:1::/64']);
    const first = await network.attach(request('a'));
    expect(first.ips).toEqual(['10.1.0.2', 'fd00:1::2']);
    expect(await network.attach(request('a'))).toEqual(first);
    expect(network.attachments()).toEqual([first]);
    await network.detach('a');
    await network.detach('a');
    expect(network.attachments()).toEqual([]);
  });

  it('fails once when told to, with nothing attached', async () => {
    const network = new FakePodNetwork();
    network.nextAttachError = new Error('no veth');
    await expect(network.attach(request('a'))).rejects.toThrow('no veth');
    expect(network.attachments()).toEqual([]);
    await network.attach(request('a'));
  });
});
