import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startMailServer, waitFor } from 'n8n-nodes-mailroom';
import { signUp } from './signUp.mjs';

let server, env;
before(async () => {
  server = await startMailServer({ smtp: 0, imap: 0 });
  env = { SMTP_HOST: server.host, SMTP_PORT: String(server.smtp.port) };
});
after(() => server.close());

test('who signs up gets a code, and a link that carries it', async () => {
  const { code } = await signUp('ann@example.com', env);
  const message = await waitFor(server, { to: 'ann@example.com', subject: 'Confirm', within: 10_000 });
  assert.deepEqual(message.codes, [code]);
  assert.equal(new URL(message.links[0].url).searchParams.get('code'), code);
});

test('when no such message comes, the test says what came instead', async () => {
  await signUp('bob@example.com', env);
  await assert.rejects(waitFor(server, { to: 'bob@example.com', subject: 'Your invoice', within: 1_000 }), error => {
    assert.match(error.message, /“Confirm your address” to bob@example\.com/);
    assert.ok(error.came.length > 0);
    return true;
  });
});

test('a mailbox that is full is told to who signs up', async () => {
  server.misbehave({ overQuota: true });
  await assert.rejects(signUp('eve@example.com', env), /5\.2\.2/);
  server.misbehave({});
});
