const transform = {
  '^.+\\.ts$': [
    '@swc/jest',
    {
      jsc: {
        parser: { syntax: 'typescript', explicitResourceManagement: true },
        target: 'es2022',
      },
      module: { type: 'commonjs' },
    },
  ],
};

/** One project per kind of test: what each may touch is the difference between them. */
const project = (displayName, testMatch, more = {}) => ({
  displayName,
  testMatch: testMatch.map((glob) => `<rootDir>/${glob}`),
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/build/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/build/'],
  transform,
  testEnvironment: 'node',
  ...more,
});

module.exports = {
  projects: [
    // Beside the code: no processes, no network, no root.
    project('unit', [
      '{lib,api,client,control-plane,runtime,node-agent,cli,test/unit}/**/*.test.ts',
    ]),
    // One room against its real part: etcd, the kernel, a registry. Needs root.
    project('integration', ['test/integration/**/*.test.ts']),
    // The whole control plane in one process on a virtual clock under a seed.
    project('simulation', ['test/simulation/**/*.test.ts']),
    // The product as a user meets it: clusters, kubectl, crashes. Needs root.
    project('e2e', ['test/e2e/**/*.test.ts']),
    // The lessons of docs/guides/lab.md, as a class plays them. Needs root; minutes, so nothing else runs it.
    project('lab', ['test/lab/**/*.test.ts']),
    // The packages, on a bare Debian. Needs root and a mirror of Debian; minutes, so nothing else runs it.
    project('package', ['test/package/**/*.test.ts']),
  ],
  // A machine with much else to do is slow: longer than any wait in a test.
  testTimeout: 180_000,
};
