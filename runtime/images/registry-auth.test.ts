import { ManualClock } from '../../lib/clock';
import { RegistryAuthorizer } from './registry-auth';

const deps = { clock: new ManualClock() };
const { signal } = new AbortController();
const authorizerOf = (baseUrl: string) =>
  new RegistryAuthorizer({ baseUrl }, 'team/web', { username: 'me', password: 'secret' }, deps);

it.each([
  ['http://auth.example/token', 'refused to ask http://auth.example for a token: not https'],
  ['ftp://auth.example/token', 'not https'],
  ['file:///etc/passwd', 'not https'],
  ['/token', 'https://reg.example names no URL that gives tokens'],
  ['', 'names no URL'],
])('asks %s for no token of a registry that speaks https', async (realm, why) => {
  const authorizer = authorizerOf('https://reg.example');
  await expect(authorizer.answer(`Bearer realm="${realm}"`, signal)).rejects.toThrow(why);
  expect(authorizer.usedCredentials).toBeUndefined();
  expect(authorizer.authorization).toBeUndefined();
});

it('says that credentials were used once they are sent', async () => {
  const authorizer = authorizerOf('https://reg.example');
  expect(await authorizer.answer('Basic realm="r"', signal)).toBe(true);
  expect(authorizer.usedCredentials).toEqual({ username: 'me', password: 'secret' });
  expect(await authorizer.answer('Basic realm="r"', signal)).toBe(false);
});
