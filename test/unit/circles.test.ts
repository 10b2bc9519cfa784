import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { ROOT } from './named-tests';

/**
 * Rooms whose folders import one way among each other. The files right in a room are its start and
 * its common ground, above and below its folders, and count as files alone.
 */
const ONE_WAY_ROOMS = ['api', 'cli', 'node-agent', 'runtime'];

const ROOMS = ['lib', 'api', 'client', 'control-plane', 'node-agent', 'runtime', 'cli'];

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

const sources = ROOMS.flatMap((room) =>
  readdirSync(join(ROOT, room), { encoding: 'utf8', recursive: true })
    .filter((name) => name.endsWith('.ts') && !/(\.test|testing|fake[^/]*)\.ts$/.test(name))
    .map((name) => join(room, name)),
);

const importsOf = (file: string, isWanted = (_clause: string) => true): ReadonlySet<string> =>
  new Set(
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORTS)]
      .filter(([, clause = '']) => isWanted(clause))
      .map(([, , target = '']) => normalize(join(dirname(file), target)))
      .flatMap((target) => [`${target}.ts`, join(target, 'index.ts')])
      .filter((target) => known.has(target)),
  );

/** Each with what stands before its path. */
const IMPORTS = /((?:import|export)[^;']*?from|import\()\s*'(\.[^']*)'/g;

const known = new Set(sources);
const files: Graph = new Map(sources.map((file) => [file, importsOf(file)]));
/** Types may be defined by each other: without those, what is loaded before what. */
const loads: Graph = new Map(
  sources.map((file) => [file, importsOf(file, (clause) => !/^(import|export) type/.test(clause))]),
);

/** The folder of a room that a file is in; undefined for a file right in the room. */
const folderOf = (room: string, file: string): string | undefined => {
  const [first, second] = file.startsWith(`${room}/`) ? file.slice(room.length + 1).split('/') : [];
  return second === undefined ? undefined : first;
};

const foldersOf = (room: string): Graph => {
  const graph = new Map<string, Set<string>>();
  for (const [file, targets] of files) {
    const folder = folderOf(room, file);
    if (folder === undefined) continue;
    const others = [...targets]
      .map((target) => folderOf(room, target))
      .filter((to) => to !== folder);
    graph.set(folder, new Set([...(graph.get(folder) ?? []), ...others.flatMap((to) => to ?? [])]));
  }
  return graph;
};

/** The first way found that comes back to where it began; undefined where there is none. */
const circleIn = (graph: Graph): readonly string[] | undefined => {
  const done = new Set<string>();
  const walk = (at: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(at)) return [...way.slice(way.indexOf(at)), at];
    if (done.has(at)) return undefined;
    for (const next of graph.get(at) ?? []) {
      const circle = walk(next, [...way, at]);
      if (circle !== undefined) return circle;
    }
    done.add(at);
    return undefined;
  };
  for (const start of graph.keys()) {
    const circle = walk(start, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
};

it('finds a circle where there is one', () => {
  const graph = new Map([
    ['a', new Set(['b'])],
    ['b', new Set(['c'])],
    ['c', new Set(['b'])],
  ]);
  expect(circleIn(graph)).toEqual(['b', 'c', 'b']);
});

it('has no files that load each other', () => {
  expect(loads.size).toBeGreaterThan(300);
  expect(circleIn(loads)).toBeUndefined();
});

it.each(ONE_WAY_ROOMS)('has no folders in %s that import each other', (room) => {
  expect(foldersOf(room).size).toBeGreaterThan(3);
  expect(circleIn(foldersOf(room))).toBeUndefined();
});
