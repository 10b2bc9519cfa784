import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { resolveUser, UserError } from './users';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'users-'));
  mkdirSync(join(root, 'etc'));
  // A name made of digits, one that looks like octal, and an entry of no use.
  const passwd = ['root:x:0:0::/root:', '2000:x:77:88::/:', '007:x:70:70::/:', 'odd:x:0x3e8:0::/:'];
  writeFileSync(join(root, 'etc/passwd'), passwd.join('\n'));
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nstaff:x:50:2000\n3000:x:60:\n');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

it.each([
  ['', 0, 0],
  ['0', 0, 0],
  ['root', 0, 0],
  ['1000', 1000, 0],
  ['01000', 1000, 0],
  ['2000', 77, 88],
  ['007', 70, 70],
  ['1000:50', 1000, 50],
  ['1000:staff', 1000, 50],
  ['1000:3000', 1000, 60],
  ['4294967294', 4294967294, 0],
])('takes %j for uid %d and gid %d', (user, uid, gid) => {
  expect(resolveUser([root], user)).toMatchObject({ uid, gid });
});

it.each(['1000:', ':5', ':', '1000:5:6', '0x3e8', '1e3', '-1', '+1', ' 1', '1 ', '1.0', 'odd'])(
  'refuses %j instead of guessing',
  (user) => {
    expect(() => resolveUser([root], user)).toThrow(UserError);
  },
);

it.each(['4294967295', '4294967296', '99999999999999999999', '1000:4294967295', '1000:nobody'])(
  'refuses %j, which no process can be',
  (user) => {
    expect(() => resolveUser([root], user)).toThrow(/unable to find/);
  },
);

it('reads no more of a user database than a bounded part', () => {
  rmSync(join(root, 'etc/passwd'));
  writeFileSync(join(root, 'etc/passwd'), 'svc:x:5:6::/:\n');
  truncateSync(join(root, 'etc/passwd'), 2 ** 40);
  expect(resolveUser([root], 'svc')).toMatchObject({ uid: 5, gid: 6 });
});

it.each(['/etc', '../../../../../../../../usr/passwd', 'passwd', '/nowhere'])(
  'finds nobody by name behind a link to %s, and numbers all the same',
  (content) => {
    rmSync(join(root, 'etc/passwd'));
    symlinkSync(content, join(root, 'etc/passwd'));
    expect(() => resolveUser([root], 'daemon')).toThrow(UserError);
    if (content !== 'passwd') expect(resolveUser([root], '5')).toMatchObject({ uid: 5, gid: 0 });
  },
);
