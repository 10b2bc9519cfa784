import { mountPointsOf } from './mount-points';

const lines = [
  '22 1 0:21 / /proc rw - proc proc rw',
  '23 1 0:22 / /pods rw - tmpfs tmpfs rw',
  '24 23 0:22 / /pods/with\\040blank\\134 rw - tmpfs tmpfs rw',
  '25 23 0:22 / /pods-of-others rw - tmpfs tmpfs rw',
  '26 23 0:22 / /pods/a\\012\xff rw - tmpfs tmpfs rw',
  '',
].join('\n');

it('finds what is mounted in a folder, whatever bytes its names are of', () => {
  const found = mountPointsOf(Buffer.from(lines, 'latin1'), '/pods');
  expect(found.map((path) => path.toString('latin1'))).toEqual([
    '/pods',
    '/pods/with blank\\',
    '/pods/a\n\xff',
  ]);
  expect(mountPointsOf(Buffer.from(lines, 'latin1'), '/pods/with')).toEqual([]);
});
