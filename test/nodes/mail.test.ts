import assert from 'node:assert/strict';
import type { INodeExecutionData } from 'n8n-workflow';
import { openEngine, type Engine } from '../engine/engine.js';
import { seededId, startScaleway } from '../sandbox/scaleway.js';
import { startRackspace } from '../sandbox/rackspace.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import type { Vendor } from '../sandbox/vendor.js';
import { accountOf } from '../providers/imapAccount.js';
import { credentialOf, line, packageDir, UNHURRIED } from './workbench.js';

type Values = Record<string, unknown>;
const byId = (value: unknown) => ({ __rl: true, mode: 'id', value });

describe('mail from the nodes', function () {
  this.timeout(60_000);
  let mail: Mail, engine: Engine, scaleway: Vendor, rackspace: Vendor;
  before(async () => {
    [mail, scaleway, rackspace] = await Promise.all([startMail(), startScaleway(), startRackspace()]);
    engine = await openEngine({ packageDir, credentials: { imapApi: { type: 'imapApi', data: { ...accountOf(mail), ...UNHURRIED } },
      scalewayApi: credentialOf(scaleway), rackspaceApi: credentialOf(rackspace) } });
  });
  after(() => Promise.all([mail.close(), scaleway.close(), rackspace.close()]));

  async function run(node: string, provider: string, operation: string, parameters: Values, items?: INodeExecutionData[]): Promise<INodeExecutionData[]> {
    const [resource, verb] = operation.split('.');
    const result = await engine.run(line({ name: 'Node', type: `n8n-nodes-mailroom.${node}`, account: { type: `${provider}Api`, data: {} },
      parameters: { provider, resource, operation: verb, ...parameters } }), items ? { items } : {});
    assert.equal(result.status, 'success', `${result.error?.message} ${String(result.error?.description)}`);
    return result.items('Node');
  }
  const idOf = ({ uid }: { uid: number }) => `INBOX;UIDVALIDITY=${mail.folder('u0@test.local').uidValidity};UID=${uid}`;
  const one = async (...given: Parameters<typeof run>) => (await run(...given))[0]!.json as Values;

  describe('a write says what it did', () => {
    it('a sent mail: its Message-ID, who took it and who did not, and the folder of the copy', async () => {
      mail.smtp.trouble.fail({ at: 'rcpt', recipient: 'u2@test.local', code: 550, text: '5.1.1 No such user' });
      const sent = await one('send', 'imap', 'message.send', { to: 'u1@test.local, u2@test.local', subject: 's', text: 't' });
      assert.match(String(sent.messageId), /^<.+@test\.local>$/);
      assert.equal(sent.id, sent.messageId);
      assert.deepEqual([sent.outcome, sent.from, sent.accepted, (sent.rejected as Values[]).map(({ address, code }) => [address, code])],
        ['done', 'u0@test.local', ['u1@test.local'], [['u2@test.local', 550]]]);
      assert.deepEqual([sent.savedToSent, sent.sentFolder, typeof sent.sentId], [true, 'Sent', 'string']);
      assert.equal(sent.native, undefined);
    });
    it('an entry of a list: which list, of which mailbox and service', async () => {
      const input = { mailbox: byId('alex.smith@example.com'), list: 'blockedSenders', value: 'news@spam.example' };
      const { id, success: _, ...said } = await one('spamList', 'rackspace', 'spamList.add', input);
      assert.equal(id, 'news@spam.example');
      assert.deepEqual(said, { mailbox: 'alex.smith@example.com', list: 'blockedSenders', value: 'news@spam.example', service: 'exchange' });
    });
    it('several entries: how many', async () => {
      const said = await one('spamList', 'rackspace', 'spamList.edit', { mailbox: byId('alex.smith@example.com'), list: 'blockedSenders',
        additionalFields: { addList: 'a@spam.example, b@spam.example', removeList: ['news@spam.example'] } });
      assert.deepEqual([said.mailbox, said.list, said.count], ['alex.smith@example.com', 'blockedSenders', 3]);
    });
    it('messages: how many, in which folder they are, what became of each, and nothing of one alone twice', async () => {
      const ids = ['a', 'b'].map(subject => idOf(mail.deliver('u0@test.local', `Subject: ${subject}\r\n\r\nx`)));
      const said = await one('mailbox', 'imap', 'message.move', { message: byId(''), target: byId('Kept'), additionalFields: { messages: ids, createFolder: true } });
      assert.deepEqual([said.target, said.changed, (said.results as Values[]).map(({ done }) => done)], ['Kept', 2, [true, true]]);
      const { newId } = (said.results as Values[])[0]!;
      assert.deepEqual(await one('mailbox', 'imap', 'message.mark', { message: byId(newId), additionalFields: { read: true } }), { id: newId, read: true, changed: 1 });
      assert.equal((await one('mailbox', 'imap', 'message.delete', { message: byId(newId) })).target, 'Trash');
    });
    it('an object that was changed is itself, and secrets are never told', async () => {
      const mailbox = seededId('user001');
      const changed = await one('mailbox', 'scaleway', 'mailbox.update', { mailbox: byId(mailbox), updateFields: { new_password: 'correct horse battery' } });
      assert.deepEqual([changed.id, changed.email, changed.mailbox], [mailbox, 'user001@mail.example.com', undefined]);
      const added = await one('mailbox', 'rackspace', 'blackBerry.add', { mailbox: byId('alex.smith@example.com'), activationPassword: 'open-sesame-9' });
      assert.equal(added.mailbox, 'alex.smith@example.com');
      assert.doesNotMatch(JSON.stringify([changed, added]), /correct horse|sesame/);
    });
  });
});
