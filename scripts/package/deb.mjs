// A tree as a package of Debian's.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { root } from '../bundles.mjs';
import { CONFIGS, setModes } from './tree.mjs';

/**
 * What any node needs is a dependency; what only servers need, or images of one kind, comes along unless apt
 * is told otherwise. Versions are those whose symbols Node asks for.
 */
const RELATIONS = `\
Depends: libc6 (>= 2.28), libgcc-s1 | libgcc1, libstdc++6 (>= 5.2), iproute2, mount, nftables
Recommends: etcd-server (>= 3.4), etcd-client, zstd`;

const DESCRIPTION = `\
Description: lightweight Kubernetes-style orchestrator that explains placements
 Dhow runs containers on one or many machines. It speaks Kubernetes' REST API, so
 that kubectl and Helm work with it, has a runtime of its own, and tells for each
 pod why it runs where it does. This package is server, agent and command line.`;

/** Packs the tree, to lie below /usr, into `target`. */
export const writeDeb = ({ tree, target, version, architecture, epoch }) => {
  const staging = mkdtempSync(`${target}.`);
  try {
    const usr = join(staging, 'usr');
    cpSync(tree, usr, { recursive: true, verbatimSymlinks: true });
    const etc = join(staging, 'etc/dhow');
    mkdirSync(etc, { recursive: true });
    for (const name of CONFIGS) cpSync(join(tree, 'share/doc/dhow', name), join(etc, name));
    const files = filesOf(staging, '');
    const control = join(staging, 'DEBIAN');
    mkdirSync(control);
    writeFileSync(join(control, 'control'), controlOf(staging, files, version, architecture));
    writeFileSync(join(control, 'md5sums'), sumsOf(staging, files));
    // Changes that people made to these outlive an upgrade.
    const conffiles = CONFIGS.map((name) => `/etc/dhow/${name}\n`).join('');
    writeFileSync(join(control, 'conffiles'), conffiles);
    for (const script of ['postinst', 'prerm', 'postrm'])
      cpSync(join(root, 'deploy/package', script), join(control, script));
    setModes(staging);
    execFileSync(
      'dpkg-deb',
      // One thread: the blocks of several depend on how many there are.
      [...['--root-owner-group', '--threads-max=1', '-Zxz'], '--build', staging, target],
      {
        env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
};

const filesOf = (base, path) =>
  readdirSync(join(base, path), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const each = join(path, entry.name);
      return entry.isDirectory() ? filesOf(base, each) : entry.isFile() ? [each] : [];
    });

const controlOf = (staging, files, version, architecture) => {
  const kib = files.reduce((sum, file) => sum + lstatSync(join(staging, file)).size, 0) / 1024;
  return `\
Package: dhow
Version: ${version}
Architecture: ${architecture}
Maintainer: Dhow contributors <noreply@dhow.dev>
Section: admin
Priority: optional
Installed-Size: ${Math.ceil(kib)}
${RELATIONS}
${DESCRIPTION}
`;
};

const sumsOf = (staging, files) =>
  files
    .map((file) => {
      const sum = createHash('md5')
        .update(readFileSync(join(staging, file)))
        .digest('hex');
      return `${sum}  ${file}\n`;
    })
    .join('');
