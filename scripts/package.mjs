// Packages what is in this checkout, for machines like this one, with the Node that runs this:
//   npm run package [-- --out DIR]      DIR/dhow-VERSION-linux-ARCH.tar.gz and DIR/dhow_VERSION_ARCH.deb
//   npm run package -- --tree DIR       only the files, in a new folder
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root, version } from './bundles.mjs';
import { writeDeb } from './package/deb.mjs';
import { ARCHITECTURES, writeTree } from './package/tree.mjs';

/** Seconds since 1970 that all files are dated with: those of the sources. */
const epochOfSources = () => {
  const given = process.env.SOURCE_DATE_EPOCH;
  return Number(
    given ??
      execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }).trim(),
  );
};

/** Sorted, and dated with the sources. */
const writeArchive = (folder, name, target, epoch) =>
  execFileSync(
    'tar',
    [
      ...['--sort=name', '--format=gnu', `--mtime=@${epoch}`],
      ...['--owner=0', '--group=0', '--numeric-owner', '--use-compress-program=gzip -9n'],
      ...['-C', folder, '-cf', target, name],
    ],
    { stdio: 'inherit' },
  );

const packageInto = async (out) => {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`there are no packages for ${process.arch}`);
  mkdirSync(out, { recursive: true });
  const epoch = epochOfSources();
  const folder = mkdtempSync(join(out, 'package-'));
  try {
    const name = `dhow-${version}-linux-${architecture}`;
    const tree = join(folder, name);
    await writeTree(tree);
    const archive = join(out, `${name}.tar.gz`);
    writeArchive(folder, name, archive, epoch);
    const deb = join(out, `dhow_${version}_${architecture}.deb`);
    writeDeb({ tree, target: deb, version, architecture, epoch });
    return [archive, deb];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const { values } = parseArgs({ options: { out: { type: 'string' }, tree: { type: 'string' } } });
if (values.tree === undefined) {
  const files = await packageInto(resolve(values.out ?? join(root, 'dist')));
  for (const file of files)
    console.log(`${basename(file)}  ${(statSync(file).size / 1e6).toFixed(1)} MB`);
} else {
  mkdirSync(values.tree);
  await writeTree(resolve(values.tree));
}
