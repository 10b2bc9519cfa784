import { ImageError, type ImageService, type RegistryCredentials } from '../image-service';

/** One image service under test with a registry that it pulls from. */
export interface ImageHarness {
  readonly images: ImageService;
  /** What an image that is named `name` in its registry is called in full. */
  referenceOf(name: string): string;
  /** Makes `name` pullable; by `readers` alone, when there are any. */
  publish(name: string, readers?: readonly RegistryCredentials[]): void;
  close(): Promise<void>;
}

/** What holds of every image service, be it of disks and networks or of a test's memory. */
export const imageSuite = (open: () => Promise<ImageHarness>): void => {
  let harness: ImageHarness;
  let images: ImageService;

  beforeEach(async () => {
    harness = await open();
    ({ images } = harness);
  });
  afterEach(() => harness.close());

  const me = { username: 'me', password: 'secret' };
  const wrong = { username: 'me', password: 'wrong' };
  const publish = (name: string, readers?: readonly RegistryCredentials[]): string => {
    harness.publish(name, readers);
    return harness.referenceOf(name);
  };

  /** `code: message` of what `work` fails with. */
  const failureOf = async (work: Promise<unknown>): Promise<string> => {
    const error: unknown = await work.catch((reason: unknown) => reason);
    return error instanceof ImageError ? `${error.code}: ${error.message}` : 'none';
  };
  const DENIED = /^ErrImagePull: .*access denied/;

  it('has an image from its pull until it is removed', async () => {
    const reference = publish('team/web');
    expect(await images.find(reference)).toBeUndefined();
    const { credentials, ...image } = await images.pull(reference, {});
    expect(credentials).toBeUndefined();
    expect(await images.find(reference)).toEqual(image);
    expect(await images.list()).toEqual([image]);
    expect(image.references).toEqual([reference]);
    await images.remove(reference);
    expect([await images.find(reference), await images.list()]).toEqual([undefined, []]);
  });

  it('does not find what is nowhere, or has no proper name', async () => {
    const missing = harness.referenceOf('team/missing');
    expect(await failureOf(images.pull(missing, {}))).toContain(`${missing}: not found`);
    for (const ask of [images.find('WEB'), images.pull('WEB', {})])
      expect(await failureOf(ask)).toMatch(/^InvalidImageName: /);
  });

  it('reads an image with the first credentials that are let in, and says with which', async () => {
    const reference = publish('team/web', [me]);
    expect(await failureOf(images.pull(reference, {}))).toMatch(DENIED);
    expect(await failureOf(images.pull(reference, { credentials: [wrong] }))).toMatch(DENIED);
    expect(await images.list()).toEqual([]);
    const pulled = await images.pull(reference, { credentials: [wrong, me] });
    expect(pulled.credentials).toEqual(me);
  });

  it('needs no credentials for what anybody may read', async () => {
    const reference = publish('team/web');
    expect((await images.pull(reference, { credentials: [me] })).credentials).toBeUndefined();
  });

  it('tells who may read an image that is here', async () => {
    const reference = publish('team/web', [me]);
    await images.pull(reference, { credentials: [me] });
    for (const offered of [[], [wrong]])
      expect(await failureOf(images.authenticate(reference, offered))).toMatch(DENIED);
    expect(await images.authenticate(reference, [wrong, me])).toEqual(me);
    publish('team/web');
    expect(await images.authenticate(reference, [wrong, me])).toBeUndefined();
  });

  it('stops a pull for the reason that it is given', async () => {
    const reason = new Error('enough');
    const pull = images.pull(publish('team/web'), {}, AbortSignal.abort(reason));
    await expect(pull).rejects.toBe(reason);
    expect(await images.list()).toEqual([]);
  });
};
