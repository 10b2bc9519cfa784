import type { NodeGetVolumeStatsResponse } from '../../proto/gen/csi/v1/node';
import type { CsiVolume } from '../volumes/csi-volume';
import { testPod } from '../pods/testing';
import { Capability, type CsiDriver } from './csi-driver';
import { MountedVolumes } from './mounted-volumes';

const volume: CsiVolume = { name: 'v', inline: { driver: 'csi.test' } };

const figuresOf = (can: readonly Capability[], answer: NodeGetVolumeStatsResponse) => {
  const driver = {
    capabilities: () => Promise.resolve(new Set(can)),
    stats: () => Promise.resolve(answer),
  } as unknown as CsiDriver;
  const mounted = new MountedVolumes(
    {
      withMounted: (_of, work) =>
        work({ driver, volumeId: 'h', volumePath: '/v', stagingTargetPath: '' }),
    },
    { objects: { secret: () => undefined, configMap: () => undefined } },
  );
  return mounted.figures(testPod({}), volume, new AbortController().signal);
};

it('keeps the beginning of what a driver finds wrong with a volume', async () => {
  const can = [Capability.GET_VOLUME_STATS, Capability.VOLUME_CONDITION];
  const message = 'scratched '.repeat(100_000);
  const figures = await figuresOf(can, {
    usage: [],
    volumeCondition: { abnormal: true, message },
  });
  expect(figures?.condition).toEqual({ abnormal: true, message: message.slice(0, 1024) });
});

it('hears of conditions from drivers only that say they tell of them', async () => {
  const volumeCondition = { abnormal: true, message: 'scratched' };
  const figures = await figuresOf([Capability.GET_VOLUME_STATS], { usage: [], volumeCondition });
  expect(figures).toEqual({});
});
