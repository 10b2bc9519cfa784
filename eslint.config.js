const tseslint = require('typescript-eslint');
const boundaries = require('eslint-plugin-boundaries');
const { noBareJson } = require('./scripts/no-bare-json.cjs');

/**
 * Who may import whom: the right-hand column of docs/ARCHITECTURE.md. When an import is refused,
 * move the code to the room it belongs in.
 */
const rooms = {
  proto: [],
  lib: [],
  api: ['lib'],
  client: ['api', 'lib'],
  pki: ['lib'],
  store: ['api', 'proto', 'lib'],
  'api-server': ['store', 'client', 'api', 'proto', 'lib'],
  registry: ['lib'],
  scheduler: ['client', 'api', 'lib'],
  controllers: ['client', 'api', 'lib'],
  'resource-metrics': ['client', 'api', 'lib'],
  nodes: ['client', 'api', 'pki', 'proto', 'lib'],
  'control-plane': [
    'store',
    'api-server',
    'registry',
    'scheduler',
    'controllers',
    'resource-metrics',
    'nodes',
    'pki',
    'client',
    'api',
    'proto',
    'lib',
  ],
  runtime: ['lib'],
  'node-agent': ['runtime', 'api', 'proto', 'lib'],
  cli: [
    'control-plane',
    'scheduler',
    'node-agent',
    'runtime',
    'client',
    'pki',
    'api',
    'proto',
    'lib',
  ],
};

const controlPlaneRooms = [
  'store',
  'api-server',
  'registry',
  'scheduler',
  'controllers',
  'resource-metrics',
  'nodes',
  'pki',
];

const pathOf = (room) =>
  controlPlaneRooms.includes(room)
    ? `control-plane/${room}`
    : room === 'control-plane'
      ? 'control-plane'
      : room;

/** Rooms that may import `api` and so hold API objects: their JSON goes through `lib/json`. */
const objectRooms = Object.keys(rooms).filter(
  (room) => room === 'api' || rooms[room].includes('api'),
);

const objectFree = controlPlaneRooms
  .filter((room) => !objectRooms.includes(room))
  .map((room) => `${pathOf(room)}/**`);

const noAbortSignalAny = {
  object: 'AbortSignal',
  property: 'any',
  message: 'It leaves a trace in every parent for good: use lib/async/linked-controller.',
};

const TAKE_A_CLOCK =
  'Take time from a Clock (lib/clock): `monotonicMs` for durations, `now` for stamps, `sleep` and ' +
  'lib/async/timed-controller to wait.';
const OTHER_CLOCKS = [
  ['Date', 'now'],
  ['performance', 'now'],
  ['process', 'hrtime'],
  ['process', 'uptime'],
  ['AbortSignal', 'timeout'],
  ...['globalThis', 'global'].flatMap((object) =>
    ['setTimeout', 'setInterval'].map((property) => [object, property]),
  ),
];
const TIMERS = ['setTimeout', 'setInterval'];

const clockSyntax = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: TAKE_A_CLOCK },
  { selector: "CallExpression[callee.name='Date']", message: TAKE_A_CLOCK },
];

/** What a test of the whole line reads once, of something that is written when there is time. */
const lateWords = ['callee.property.name', 'callee.name'].map((callee) => ({
  selector: `CallExpression[${callee}=/^(dhow|must|kubectl)$/][arguments.0.value=/^(events|describe)$/]:not(CallExpression[callee.property.name=/^until/] *)`,
  message: 'Events come a little after what they tell of: read them by untilSaid or until.',
}));

const abortListener = {
  selector: "CallExpression[callee.property.name='addEventListener'][arguments.0.value='abort']",
  message: 'Signals are shared by more than ten, of which Node warns: use lib/async/on-abort.',
};

const endlessWaits = [
  {
    selector: "NewExpression[callee.name='Promise']",
    message: 'A wait needs a deadline: use lib/async/deadline, or say what else ends it.',
  },
  {
    selector: "CallExpression[callee.property.name='sleep'] > Identifier[name='Infinity']",
    message: 'A wait needs a deadline.',
  },
];

/** Time comes from the injected clock alone, so that tests and the simulation own all of it. */
const clockRules = {
  'no-restricted-properties': [
    'error',
    noAbortSignalAny,
    ...OTHER_CLOCKS.map(([object, property]) => ({ object, property, message: TAKE_A_CLOCK })),
  ],
  'no-restricted-globals': ['error', ...TIMERS.map((name) => ({ name, message: TAKE_A_CLOCK }))],
  'no-restricted-imports': [
    'error',
    {
      paths: ['timers', 'node:timers', 'timers/promises', 'node:timers/promises'].map((name) => ({
        name,
        importNames: TIMERS,
        message: TAKE_A_CLOCK,
      })),
    },
  ],
  'no-restricted-syntax': ['error', ...clockSyntax, abortListener],
};
const clockRulesOff = {
  ...Object.fromEntries(Object.keys(clockRules).map((rule) => [rule, 'off'])),
  'no-restricted-properties': ['error', noAbortSignalAny],
  'no-restricted-syntax': ['error', abortListener],
};

module.exports = tseslint.config(
  {
    ignores: [
      'node_modules',
      'dist',
      'build',
      'coverage',
      'proto/gen',
      '**/*.js',
      '**/*.mjs',
      '**/*.cjs',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: __dirname } },
    plugins: { boundaries },
    settings: {
      'boundaries/elements': [
        ...controlPlaneRooms.map((room) => ({ type: room, pattern: pathOf(room) })),
        ...Object.keys(rooms)
          .filter((room) => !controlPlaneRooms.includes(room))
          .map((room) => ({ type: room, pattern: pathOf(room) })),
      ],
      'import/resolver': { typescript: { alwaysTryTypes: true } },
    },
    rules: {
      'boundaries/dependencies': [
        'error',
        {
          default: 'disallow',
          policies: Object.entries(rooms).map(([from, allow]) => ({
            from: { element: { type: from } },
            allow: [from, ...allow].map((type) => ({ to: { element: { type } } })),
          })),
        },
      ],
      ...clockRules,
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { ignoreRestSiblings: true, argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: true },
      ],
    },
  },
  { files: ['lib/clock.ts'], rules: clockRulesOff },
  {
    files: ['**/*.test.ts', '**/testing.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    rules: clockRulesOff,
  },
  {
    files: objectRooms.map((room) => `${pathOf(room)}/**/*.ts`),
    ignores: ['**/*.test.ts', ...objectFree],
    plugins: { dhow: { rules: { 'no-bare-json': noBareJson } } },
    rules: { 'dhow/no-bare-json': 'error' },
  },
  {
    files: ['lib/async/on-abort.ts', '**/*.test.ts', 'test/**/*.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['test/e2e/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...lateWords] },
  },
  {
    // What launchers, monitors and containers do may never end: nothing waits for it without limit.
    files: [
      'runtime/containers/**/*.ts',
      'node-agent/{containers,handlers,pods,probes,streams,logs}/**/*.ts',
    ],
    ignores: ['**/*.test.ts', '**/fake*.ts', '**/testing.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...clockSyntax, abortListener, ...endlessWaits],
    },
  },
  {
    // What a container can shape is opened in one place, which cannot be made to wait, follow or fill up.
    files: [
      'node-agent/{containers,handlers,inventory,pod-spec,pods,logs,volumes,streams,probes}/**/*.ts',
    ],
    ignores: ['**/*.test.ts', '**/testing.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: ['node:fs', 'node:fs/promises'].map((name) => ({
            name,
            importNames: [
              'default',
              'open',
              'openSync',
              'readFile',
              'readFileSync',
              'createReadStream',
            ],
            message: 'A container may have shaped the file: use node-agent/shaped-files.',
          })),
        },
      ],
    },
  },
  {
    files: ['**/*.test.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'boundaries/dependencies': 'off',
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
