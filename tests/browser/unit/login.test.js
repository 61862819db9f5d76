import assert from 'node:assert/strict';
import test from 'node:test';
import { sameUser } from '../../../notifier/client/page/login.js';

const jwt = (claims) => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`;

test('two tokens of one user are of the same user, whenever they were made', () => {
  assert.ok(sameUser(jwt({ sub: '5', exp: 1 }), jwt({ sub: 5, exp: 2, name: 'Пётр?>' })));
  assert.ok(!sameUser(jwt({ sub: '5' }), jwt({ sub: '6' })));
});

test('what is no token is nobody’s', () => {
  for (const one of ['', 'x', 'a.b.c', jwt({})]) assert.ok(!sameUser(one, one), one);
});
