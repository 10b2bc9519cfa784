import { compareVersions } from './versions';

it('prefers stable versions, then betas, then alphas, the newest first', () => {
  const ordered = [
    ...['v10', 'v2', 'v1', 'v11beta2', 'v10beta3', 'v3beta1', 'v12alpha1', 'v11alpha2'],
    ...['foo1', 'foo10', 'v01', 'v1gamma1'],
  ];
  expect([...ordered].reverse().sort(compareVersions)).toEqual(ordered);
  expect([...ordered].sort().sort(compareVersions)).toEqual(ordered);
});
