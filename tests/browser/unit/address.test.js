import assert from 'node:assert/strict';
import test from 'node:test';
import { baseUrl, socketUrl } from '../../../notifier/client/core/address.js';

const PAGE = 'https://crm.example.ru/deals/5';

test('without a URL the notifier is where the module came from', () => {
  assert.equal(baseUrl(null, PAGE, 'https://pbx.example.ru:5004/client/core/address.js'), 'https://pbx.example.ru:5004/');
  assert.equal(baseUrl(null, PAGE, 'https://crm.example.ru/calls/client/0a1b2c3d4e5f/core/address.js'), 'https://crm.example.ru/calls/');
});

test('bundled into an application, it is the page’s origin', () => {
  assert.equal(baseUrl(undefined, PAGE, 'https://crm.example.ru/assets/index-x1.js'), 'https://crm.example.ru/');
  assert.equal(baseUrl('', PAGE, 'file:///app/node_modules/zvonok-client/core/address.js'), 'https://crm.example.ru/');
});

test('a URL may be of http or ws, with or without a path', () => {
  assert.equal(baseUrl('wss://pbx.example.ru:5004/ws', PAGE), 'https://pbx.example.ru:5004/');
  assert.equal(baseUrl('http://10.0.0.5:5004', PAGE), 'http://10.0.0.5:5004/');
  assert.equal(baseUrl('/calls', PAGE), 'https://crm.example.ru/calls/');
  assert.equal(baseUrl('https://x.example/?token=1#y', PAGE), 'https://x.example/');
});

test('the socket is beside it', () => {
  assert.equal(socketUrl('https://crm.example.ru/calls/'), 'wss://crm.example.ru/calls/ws');
  assert.equal(socketUrl('http://127.0.0.1:5004/'), 'ws://127.0.0.1:5004/ws');
});
