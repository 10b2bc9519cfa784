import { FakeImageService } from './fake';
import { imageSuite } from './image-suite';

describe('the fake image service', () => {
  imageSuite(() => {
    const images = new FakeImageService();
    const referenceOf = (name: string) => `reg.example/${name}:1`;
    return Promise.resolve({
      images,
      referenceOf,
      publish: (name, readers) => images.publish(referenceOf(name), readers && { readers }),
      close: () => images[Symbol.asyncDispose](),
    });
  });
});
