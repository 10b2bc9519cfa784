import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { FrameType } from './frames';

const header = readFileSync(join(__dirname, '../launcher/frames.h'), 'utf8');

it.each(Object.entries(FrameType))('numbers the frame %s as the launcher does', (name, number) => {
  const constant = `FRAME_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
  expect(header).toMatch(new RegExp(`\\b${constant} = ${number}\\b`));
});
