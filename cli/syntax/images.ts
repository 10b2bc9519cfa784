import type { Command } from 'commander';
import type { ImportOptions } from '../commands/image';
import { examples, lazily, type Connected } from './command';

export const defineImage = (program: Command, connected: Connected): void => {
  const image = program
    .command('image')
    .description("The images that the cluster's nodes can use")
    .addHelpText('after', examples('dhow image import app.tar', 'dhow image ls'));
  defineImport(image, connected);
  connected<[{ output?: string }]>(
    image
      .command('ls')
      .description('List the images')
      .option('-o, --output <format>', 'wide, yaml, json or name')
      .addHelpText(
        'after',
        examples(
          'dhow image ls            name, tag and size',
          'dhow image ls -o wide    with the whole digest',
        ),
      ),
    lazily(async () => (await import('../commands/image.js')).listImages),
  );
};

const defineImport = (image: Command, connected: Connected): void => {
  connected<[string, ImportOptions]>(
    image
      .command('import <path>')
      .description(
        'Bring in a docker or OCI archive, an OCI layout, or with --rootfs a tar of files',
      )
      .option('--rootfs', 'the tar holds plain files: make a one-layer image of them')
      .option('-t, --tag <reference>', 'the name of the image; required with --rootfs')
      .addHelpText(
        'after',
        examples(
          'dhow image import app.tar                    docker save or skopeo copy docker-archive:',
          'dhow image import layout/ -t app:1           an OCI layout',
          'dhow image import files.tar.gz --rootfs -t tools:1',
        ),
      ),
    lazily(async () => (await import('../commands/image.js')).importImages),
  );
};
