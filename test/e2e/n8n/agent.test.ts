import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bytesOf } from '../../../shared/mailServer/imap/store.js';
import { startMail } from '../../sandbox/mail.js';
import { seededId, startScaleway } from '../../sandbox/scaleway.js';
import type { Vendor } from '../../sandbox/vendor.js';
import { PACKAGE, type Host } from './host.js';
import { theHome, theHost } from './scene.js';
import {
  accountOf,
  credentialType,
  plain,
  runWorkflow,
  saveCredential,
  saveWorkflow,
  type WorkflowJson,
  type WorkflowNode,
} from './workflows.js';

/** One step of a model: which tool it calls and with what, by what the tools have answered so far. */
interface Step {
  tool: string;
  arguments: Record<string, unknown>;
}
/**
 * A language model that calls tools by a script, the first it is offered unless a step names one, then says what the
 * last tool answered.
 */
async function startModel() {
  const model = {
    script: [] as ((answers: string[]) => Partial<Step>)[],
    offered: [] as any[],
    answers: [] as string[],
  };
  const server: Server = createServer((request, response) => {
    let text = '';
    request
      .on('data', (part: Buffer) => {
        text += part.toString();
      })
      .on('end', () => {
        const { messages, tools, stream } = JSON.parse(text || '{}') as {
          messages?: { role: string; content: unknown }[];
          tools?: any[];
          stream?: boolean;
        };
        if (tools) model.offered = tools;
        model.answers = (messages ?? [])
          .filter(({ role }) => role === 'tool')
          .map(({ content }) => (typeof content === 'string' ? content : JSON.stringify(content)));
        const step = model.script[model.answers.length]?.(model.answers);
        const wanted = step?.tool ?? tools?.[0]?.function.name;
        const message = !step
          ? { role: 'assistant', content: `The tool said: ${model.answers.at(-1)}` }
          : {
              role: 'assistant',
              content: null,
              tool_calls: [
                {
                  index: 0,
                  id: `call_${model.answers.length}`,
                  type: 'function',
                  function: { name: wanted, arguments: JSON.stringify(step.arguments) },
                },
              ],
            };
        const finish_reason = 'tool_calls' in message ? 'tool_calls' : 'stop';
        const common = { id: 'x', created: 0, model: 'pretend' };
        if (!stream) {
          response.setHeader('content-type', 'application/json');
          return response.end(
            JSON.stringify({
              ...common,
              object: 'chat.completion',
              choices: [{ index: 0, message, finish_reason }],
              usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
            }),
          );
        }
        response.setHeader('content-type', 'text/event-stream');
        for (const choice of [
          { index: 0, delta: message, finish_reason: null },
          { index: 0, delta: {}, finish_reason },
        ])
          response.write(
            `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices: [choice] })}\n\n`,
          );
        response.end('data: [DONE]\n\n');
      });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(model, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: () =>
      new Promise<void>(resolve => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}

describe('an AI agent with the nodes as tools', function () {
  this.timeout(300_000);
  let host: Host;
  let home: string;
  let scaleway: Vendor;
  let model: Awaited<ReturnType<typeof startModel>>;
  let account: { id: string; name: string };
  let key: { id: string; name: string };
  before(async function () {
    this.timeout(30 * 60_000);
    [host, home, scaleway, model] = [await theHost(), await theHome(), await startScaleway(), await startModel()];
    account = await saveCredential(host, 'scaleway', 'Scaleway of the agent', accountOf(scaleway));
    key = {
      name: 'Pretend model',
      id: (
        await host.rest('POST', '/credentials', {
          name: 'Pretend model',
          type: 'openAiApi',
          data: { apiKey: 'none', url: model.url, header: false },
        })
      ).id,
    };
  });
  after(async () => {
    await model?.close();
    await scaleway?.close();
  });

  const mailboxTool = (
    name: string,
    provider: string,
    saved: { id: string; name: string },
    parameters: Record<string, unknown>,
  ): WorkflowNode => ({
    id: name,
    name,
    type: `${PACKAGE}.mailboxTool`,
    typeVersion: 1,
    position: [300, 400],
    parameters: { provider, ...parameters },
    credentials: { [credentialType(provider)]: saved },
  });
  /** Runs an agent with these tools. */
  async function agentWith(...tools: WorkflowNode[]) {
    const agent: WorkflowNode = {
      id: 'agent',
      name: 'Agent',
      type: '@n8n/n8n-nodes-langchain.agent',
      typeVersion: 2,
      position: [200, 0],
      parameters: { promptType: 'define', text: 'Do it.', options: {} },
    };
    const chat: WorkflowNode = {
      id: 'chat',
      name: 'Model',
      type: '@n8n/n8n-nodes-langchain.lmChatOpenAi',
      typeVersion: 1.2,
      position: [100, 400],
      parameters: {
        model: { __rl: true, mode: 'id', value: 'pretend' },
        options: { baseURL: model.url, maxRetries: 0 },
      },
      credentials: { openAiApi: key },
    };
    const workflow: WorkflowJson = {
      name: 'Agent',
      nodes: [plain('Start', 'manualTrigger'), agent, chat, ...tools],
      settings: { executionOrder: 'v1' },
      connections: {
        Start: { main: [[{ node: 'Agent', type: 'main', index: 0 }]] },
        Model: { ai_languageModel: [[{ node: 'Agent', type: 'ai_languageModel', index: 0 }]] },
        ...Object.fromEntries(
          tools.map(({ name }) => [name, { ai_tool: [[{ node: 'Agent', type: 'ai_tool', index: 0 }]] }]),
        ),
      },
    };
    const { id } = await saveWorkflow(host, workflow, {});
    return runWorkflow(host, home, id, 'Start', 60_000);
  }
  /** One call of one tool at Scaleway. */
  function ask(parameters: Record<string, unknown>, call: Record<string, unknown>) {
    model.script = [() => ({ arguments: call })];
    return agentWith(mailboxTool('Mailbox tool', 'scaleway', account, { resource: 'mailbox', ...parameters }));
  }
  const fromAi = (name: string, type: string) => `={{ $fromAI('${name}', 'the ${name}', '${type}') }}`;

  it('lists with a number that the model chose, also when it sends text', async () => {
    const execution = await ask(
      {
        operation: 'list',
        returnAll: false,
        limit: fromAi('limit', 'string'),
        filters: { search: fromAi('search', 'string') },
      },
      { limit: '1', search: 'user017' },
    );
    assert.equal(execution.status, 'success', execution.error);
    assert.match(model.answers.at(-1)!, /user017@mail\.example\.com/);
    assert.match(String(model.offered[0].function.description), /mailbox/i);
    assert.deepEqual(Object.keys(model.offered[0].function.parameters.properties as object).sort(), [
      'limit',
      'search',
    ]);
  });

  it('may not delete unless the tool allows it, and learns why', async () => {
    const mailbox = { __rl: true, mode: 'id', value: fromAi('mailbox', 'string') };
    const call = { mailbox: seededId('user020') };
    scaleway.forget();
    await ask({ operation: 'delete', mailbox }, call);
    assert.match(model.answers.at(-1)!, /AI agents may not/);
    assert.equal(scaleway.seen.filter(({ method }) => method === 'DELETE').length, 0);
    await ask({ operation: 'delete', mailbox, allowDestructive: true }, call);
    assert.equal(scaleway.seen.filter(({ method }) => method === 'DELETE').length, 1);
  });

  it('lists, reads, drafts an answer, and is refused a deletion, in one conversation', async () => {
    const post = await startMail();
    try {
      const [ann] = post.users as [{ user: string; password: string }];
      const saved = await saveCredential(host, 'imap', 'Mail of the agent', {
        preset: 'custom',
        user: ann.user,
        password: ann.password,
        imapHost: post.imap.host,
        imapPort: post.imap.tlsPort,
        imapSecurity: 'tls',
        smtpHost: post.smtp.host,
        smtpPort: post.smtp.tlsPort,
        smtpSecurity: 'tls',
        allowedCertificate: post.ca,
      });
      post.deliver(ann.user, { from: 'Bob <bob@clients.example>', subject: 'Figures of May', text: 'Are they ready?' });
      const tool = (name: string, parameters: Record<string, unknown>) =>
        mailboxTool(name, 'imap', saved, { authentication: 'password', ...parameters });
      const message = { __rl: true, mode: 'id', value: fromAi('message', 'string') };
      const idOf = (answer: string) => /"id": ?"([^"]+)"/.exec(answer.replaceAll('\\"', '"'))![1]!;
      model.script = [
        () => ({ tool: 'List_messages', arguments: { subject: 'Figures' } }),
        ([listed]) => ({ tool: 'Read_message', arguments: { message: idOf(listed!) } }),
        () => ({
          tool: 'Write_draft',
          arguments: { to: 'bob@clients.example', subject: 'Re: Figures of May', text: 'They are ready.' },
        }),
        ([listed]) => ({ tool: 'Delete_message', arguments: { message: idOf(listed!) } }),
      ];
      const execution = await agentWith(
        tool('List messages', {
          resource: 'message',
          operation: 'list',
          returnAll: true,
          filters: { subject: fromAi('subject', 'string') },
        }),
        tool('Read message', { resource: 'message', operation: 'get', message }),
        tool('Write draft', {
          resource: 'draft',
          operation: 'create',
          to: fromAi('to', 'string'),
          subject: fromAi('subject', 'string'),
          text: fromAi('text', 'string'),
        }),
        tool('Delete message', { resource: 'message', operation: 'delete', message }),
      );
      assert.equal(execution.status, 'success', execution.error);
      const [listed, read, drafted, refused] = model.answers;
      assert.match(listed!, /Figures of May/);
      assert.match(read!, /Are they ready\?/);
      assert.match(refused!, /AI agents may not/);
      assert.equal(post.folder(ann.user).messages.length, 1, 'nothing was deleted');
      const [draft, ...others] = post.folder(ann.user, 'Drafts').messages.map(one => String(bytesOf(one)));
      assert.equal(others.length, 0, drafted);
      assert.match(draft!, /^Subject: Re: Figures of May\r$/m);
      assert.equal(post.smtp.seen.messages.length, 0, 'nothing was sent');
      // What a parameter is for comes to the model with it.
      const words = Object.fromEntries(
        model.offered.map(one => [one.function.name, one.function.parameters.properties]),
      );
      assert.match(words.Write_draft.text.description, /the text/);
    } finally {
      await post.close();
    }
  });
});
