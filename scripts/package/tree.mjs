// The files of a package, as they lie below /usr or /usr/local: the same bytes for the same sources and tools.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { bundleInto, root } from '../bundles.mjs';

/** Of processors that packages are made for: Debian's name of each. */
export const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' };

/** What runs of the one library that is not in the bundles; the rest of it is sources. */
const KOFFI = ['package.json', 'index.cjs', 'src/koffi/index.cjs', 'src/koffi/src/static.cjs'];
const NATIVE = [`@koromix/koffi-linux-${process.arch}`, `linux_${process.arch}/koffi.node`];

export const UNITS = ['dhow-server.service', 'dhow-agent.service'];
/** As they begin; in use they are in /etc/dhow. */
export const CONFIGS = ['server.yaml', 'agent.yaml'];

/** Writes the tree into an empty folder. */
export const writeTree = async (folder) => {
  const lib = join(folder, 'lib/dhow');
  const doc = join(folder, 'share/doc/dhow');
  const units = join(folder, 'lib/systemd/system');
  for (const path of [join(folder, 'bin'), lib, doc, units]) mkdirSync(path, { recursive: true });
  const node = copyNode(join(lib, 'node'));
  const { inputs } = await bundleInto(lib, { node, sourcemap: false });
  // Its work is done.
  rmSync(join(lib, 'write-code-cache.js'));
  copyParts('koffi', KOFFI, lib);
  copyParts(NATIVE[0], ['package.json', 'index.js', NATIVE[1]], lib);
  copyFileSync(join(root, 'deploy/package/dhow'), join(lib, 'dhow'));
  symlinkSync('../lib/dhow/dhow', join(folder, 'bin/dhow'));
  for (const unit of UNITS) copyFileSync(join(root, 'deploy/package', unit), join(units, unit));
  for (const name of CONFIGS) copyFileSync(join(root, 'deploy/package', name), join(doc, name));
  cpSync(join(root, 'manifests'), join(doc, 'examples'), { recursive: true });
  writeFileSync(join(doc, 'copyright'), copyrightOf(inputs));
  setModes(folder);
};

/** This very Node without its symbols. @throws where it is no program that stands alone */
const copyNode = (target) => {
  const foreign = librariesOf(process.execPath).filter((name) => !BASIC_LIBRARY.test(name));
  if (foreign.length > 0) {
    throw new Error(
      `${process.execPath} needs ${foreign.join(', ')}, which few machines have: ` +
        'package with the Node of nodejs.org or NodeSource',
    );
  }
  execFileSync('strip', ['-o', target, process.execPath]);
  return target;
};

const librariesOf = (program) =>
  [
    ...execFileSync('objdump', ['-p', program], { encoding: 'utf8' }).matchAll(/NEEDED +(\S+)/g),
  ].map(([, name]) => name);

/** Of glibc, and of the compiler: the package depends on those. */
const BASIC_LIBRARY = /^(lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)\.so\.\d+|ld-linux-.*)$/;

const copyParts = (name, files, lib) => {
  for (const file of files) {
    const target = join(lib, 'node_modules', name, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(root, 'node_modules', name, file), target);
  }
};

/** Our terms, and those of all that is inside. */
const copyrightOf = (inputs) => {
  const names = Object.keys(inputs).flatMap((path) => {
    const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
    return found === null ? [] : [found[1]];
  });
  const libraries = [...new Set([...names, 'koffi'])].sort();
  const sections = [
    ['Dhow', [join(root, 'LICENSE'), join(root, 'NOTICE')].map(textOf)],
    ['Node.js', [nodeLicence()]],
    ['musl', [textOf(MUSL_LICENCE)]],
    ...libraries.map((name) => [name, [textOf(licenceOf(name))]]),
  ];
  return sections.flatMap(([name, texts]) => [`==== ${name}\n`, ...texts]).join('\n');
};

const textOf = (file) => readFileSync(file, 'utf8');

/** The launcher is linked with it. */
const MUSL_LICENCE = '/usr/share/doc/musl-dev/copyright';

/** Some install the program alone. */
const nodeLicence = () => {
  const prefix = dirname(dirname(process.execPath));
  const file = ['LICENSE', 'share/doc/nodejs/LICENSE', 'share/doc/nodejs/copyright']
    .map((path) => join(prefix, path))
    .find((path) => existsSync(path));
  if (file !== undefined) return textOf(file);
  const url = `https://github.com/nodejs/node/blob/${process.version}/LICENSE`;
  console.warn(`Warning: no licence lies beside ${process.execPath}: the package names ${url}`);
  return `The licence of Node.js and of all within it: ${url}\n`;
};

const licenceOf = (name) => {
  const folder = join(root, 'node_modules', name);
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  // Some name their licence and do not carry its text.
  return join(folder, file ?? 'package.json');
};

/** Those of all files, whatever the umask and the checkout say. */
export const setModes = (path) => {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  chmodSync(path, stat.isDirectory() || PROGRAMS.has(basename(path)) ? 0o755 : 0o644);
  if (stat.isDirectory()) for (const name of readdirSync(path)) setModes(join(path, name));
};

/** What is made for running, and what dpkg runs. */
const PROGRAMS = new Set(['dhow', 'node', 'dhow-launcher', 'postinst', 'prerm', 'postrm']);
