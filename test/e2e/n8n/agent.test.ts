import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { seededId, startScaleway } from '../../sandbox/scaleway.js';
import type { Vendor } from '../../sandbox/vendor.js';
import { PACKAGE, type Host } from './host.js';
import { theHome, theHost } from './scene.js';
import { accountOf, credentialType, plain, runWorkflow, saveCredential, saveWorkflow, type WorkflowJson, type WorkflowNode } from './workflows.js';

/** A language model that calls the one tool it is offered with the arguments it was told, then says what the tool answered. */
async function startModel() {
  const model = { call: {} as Record<string, unknown>, offered: [] as any[], answered: '' };
  const server: Server = createServer((request, response) => {
    let text = '';
    request.on('data', (part: Buffer) => { text += part.toString(); }).on('end', () => {
      const { messages, tools, stream } = JSON.parse(text || '{}') as { messages?: { role: string; content: unknown }[]; tools?: any[]; stream?: boolean };
      const answer = messages?.findLast(({ role }) => role === 'tool');
      if (tools) model.offered = tools;
      if (answer) model.answered = typeof answer.content === 'string' ? answer.content : JSON.stringify(answer.content);
      const message = answer || !tools?.length ? { role: 'assistant', content: `The tool said: ${model.answered}` }
        : { role: 'assistant', content: null, tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: tools[0].function.name, arguments: JSON.stringify(model.call) } }] };
      const finish_reason = 'tool_calls' in message ? 'tool_calls' : 'stop', common = { id: 'x', created: 0, model: 'pretend' };
      if (!stream) {
        response.setHeader('content-type', 'application/json');
        return response.end(JSON.stringify({ ...common, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }));
      }
      response.setHeader('content-type', 'text/event-stream');
      for (const choice of [{ index: 0, delta: message, finish_reason: null }, { index: 0, delta: {}, finish_reason }]) response.write(`data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices: [choice] })}\n\n`);
      response.end('data: [DONE]\n\n');
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(model, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, close: () => new Promise<void>(resolve => { server.closeAllConnections(); server.close(() => resolve()); }) });
}

describe('an AI agent with the nodes as tools', function () {
  this.timeout(300_000);
  let host: Host, home: string, scaleway: Vendor, model: Awaited<ReturnType<typeof startModel>>, account: { id: string; name: string }, key: { id: string; name: string };
  before(async function () {
    this.timeout(30 * 60_000);
    [host, home, scaleway, model] = [await theHost(), await theHome(), await startScaleway(), await startModel()];
    account = await saveCredential(host, 'scaleway', 'Scaleway of the agent', accountOf(scaleway));
    key = { name: 'Pretend model', id: (await host.rest('POST', '/credentials', { name: 'Pretend model', type: 'openAiApi', data: { apiKey: 'none', url: model.url, header: false } })).id };
  });
  after(async () => { await model?.close(); await scaleway?.close(); });

  async function ask(parameters: Record<string, unknown>, call: Record<string, unknown>) {
    model.call = call;
    const tool: WorkflowNode = { id: 'tool', name: 'Mailbox tool', type: `${PACKAGE}.mailboxTool`, typeVersion: 1, position: [300, 400], parameters: { provider: 'scaleway', resource: 'mailbox', ...parameters }, credentials: { [credentialType('scaleway')]: account } };
    const agent: WorkflowNode = { id: 'agent', name: 'Agent', type: '@n8n/n8n-nodes-langchain.agent', typeVersion: 2, position: [200, 0], parameters: { promptType: 'define', text: 'Do it.', options: {} } };
    const chat: WorkflowNode = { id: 'chat', name: 'Model', type: '@n8n/n8n-nodes-langchain.lmChatOpenAi', typeVersion: 1.2, position: [100, 400], parameters: { model: { __rl: true, mode: 'id', value: 'pretend' }, options: { baseURL: model.url, maxRetries: 0 } }, credentials: { openAiApi: key } };
    const workflow: WorkflowJson = { name: 'Agent', nodes: [plain('Start', 'manualTrigger'), agent, chat, tool], settings: { executionOrder: 'v1' }, connections: {
      Start: { main: [[{ node: 'Agent', type: 'main', index: 0 }]] },
      Model: { ai_languageModel: [[{ node: 'Agent', type: 'ai_languageModel', index: 0 }]] },
      'Mailbox tool': { ai_tool: [[{ node: 'Agent', type: 'ai_tool', index: 0 }]] },
    } };
    const { id } = await saveWorkflow(host, workflow, {});
    return runWorkflow(host, home, id, 'Start', 60_000);
  }
  const fromAi = (name: string, type: string) => `={{ $fromAI('${name}', 'the ${name}', '${type}') }}`;

  it('lists with a number that the model chose, also when it sends text', async () => {
    const execution = await ask({ operation: 'list', returnAll: false, limit: fromAi('limit', 'string'), filters: { search: fromAi('search', 'string') } }, { limit: '1', search: 'user017' });
    assert.equal(execution.status, 'success', execution.error);
    assert.match(model.answered, /user017@mail\.example\.com/);
    assert.match(String(model.offered[0].function.description), /mailbox/i);
    assert.deepEqual(Object.keys(model.offered[0].function.parameters.properties as object).sort(), ['limit', 'search']);
  });

  it('may not delete unless the tool allows it, and learns why', async () => {
    const mailbox = { __rl: true, mode: 'id', value: fromAi('mailbox', 'string') }, call = { mailbox: seededId('user020') };
    scaleway.forget();
    await ask({ operation: 'delete', mailbox }, call);
    assert.match(model.answered, /AI agents may not/);
    assert.equal(scaleway.seen.filter(({ method }) => method === 'DELETE').length, 0);
    await ask({ operation: 'delete', mailbox, allowDestructive: true }, call);
    assert.equal(scaleway.seen.filter(({ method }) => method === 'DELETE').length, 1);
  });
});
