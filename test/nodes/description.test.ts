import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NodeHelpers, type INodeProperties, type INodePropertyOptions } from 'n8n-workflow';
import {
  actionOf,
  ownerOf,
  nodeCredentials,
  NODES,
  offered,
  parameter,
  providersOf,
  RESERVED,
  title,
} from '../../nodes/lib/index.js';
import { accountFields, providers, type Operation } from '../../shared/index.js';
import { builtCredentials, builtNodes, golden, kept } from '../tools/golden.js';

// The lint rules see literals only; what they would say about computed properties is said here.
const each = (properties: INodeProperties[], look: (property: INodeProperties) => void): void =>
  properties.forEach(property => {
    look(property);
    if (property.type === 'collection') each(property.options as INodeProperties[], look);
  });
const where = (property: INodeProperties) =>
  `${property.displayName} (${property.name}) ${JSON.stringify(property.displayOptions ?? {})}`;

describe('node descriptions', () => {
  const nodes = builtNodes();
  const credentials = builtCredentials();

  it('are those that were reviewed; after a wanted change run `npm run golden` and read the difference', () => {
    const now = golden();
    for (const [name, text] of Object.entries(now)) assert.equal(text, kept(name), `test/golden/${name}`);
    assert.deepEqual(
      readdirSync(join(__dirname, '..', 'golden'))
        .filter(f => /^(node|credential)\./.test(f))
        .sort(),
      Object.keys(now).sort(),
    );
  });

  it('stay under 400 kB each', () => {
    for (const { description } of nodes)
      assert.ok(
        JSON.stringify(description).length < 400_000,
        `${description.name}: ${JSON.stringify(description).length}`,
      );
  });

  it('list exactly the credentials of the providers they offer, and every credential has a test', () => {
    for (const { description } of nodes) {
      const literal = description.credentials ?? [];
      if ((NODES as readonly string[]).includes(description.name))
        assert.deepEqual(
          literal,
          nodeCredentials(providersOf(description.name as (typeof NODES)[number]).map(({ id }) => id)),
          description.name,
        );
      for (const { name, testedBy } of literal) {
        const type = credentials.find(c => c.name === name);
        assert.ok(type, `${name} exists`);
        assert.ok(type.test || testedBy, `${name} is tested`);
      }
    }
  });

  it('offer every operation of every provider in exactly one node', () => {
    for (const provider of providers) {
      for (const name of Object.keys(provider.operations)) {
        const owner = ownerOf(name);
        const offering = NODES.filter(node => offered(node, provider).some(([one]) => one === name));
        assert.deepEqual(offering, owner ? [owner] : [], `${provider.id} ${name}`);
      }
    }
    for (const node of NODES)
      if (providersOf(node).length)
        assert.ok(
          nodes.some(n => n.description.name === node),
          `${node} is a node`,
        );
  });

  it('let nobody choose by not looking: no choice is made by the alphabet, no encryption is off, no flag that must be set is false by itself', () => {
    const wrong: string[] = [];
    for (const provider of providers) {
      for (const [operation, { input }] of Object.entries(provider.operations as Readonly<Record<string, Operation>>)) {
        for (const [key, field] of Object.entries(input)) {
          const begins = parameter(provider, key, field, field.required === true).default;
          if (field.type === 'choice' && Object.keys(field.choices).length > 1 && begins !== (field.default ?? ''))
            wrong.push(`${provider.id} ${operation} ${key}: ${String(begins)}`);
          if (field.type === 'flag' && (field.required || /ssl|tls/i.test(key)) && begins !== true)
            wrong.push(`${provider.id} ${operation} ${key} begins as false`);
        }
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('have a place for every parameter of the workflows that come with them: n8n drops others without a word', () => {
    const lost: string[] = [];
    for (const folder of ['demo', 'templates']) {
      for (const file of readdirSync(join(__dirname, '..', folder)).filter(name => name.endsWith('.json'))) {
        const workflow = JSON.parse(readFileSync(join(__dirname, '..', folder, file), 'utf8')) as {
          nodes: { name: string; type: string; parameters: Record<string, unknown> }[];
        };
        for (const { name, type, parameters } of workflow.nodes.filter(node =>
          node.type.startsWith('n8n-nodes-mailroom.'),
        )) {
          const { description } = nodes.find(node => `n8n-nodes-mailroom.${node.description.name}` === type)!;
          const shown = description.properties.filter(({ displayOptions: { show = {} } = {} }) =>
            Object.entries(show).every(
              ([key, values]) =>
                !['provider', 'resource', 'operation', 'event'].includes(key) ||
                (values as unknown[]).includes(parameters[key]),
            ),
          );
          for (const [key, value] of Object.entries(parameters)) {
            const places = shown.filter(property => property.name === key);
            if (!places.length) lost.push(`${file}, ${name}: ${key}`);
            const mode = (value as { mode?: string } | null)?.mode;
            const modes = places.flatMap(place => place.modes ?? []);
            if (modes.length && mode && !modes.some(one => one.name === mode))
              lost.push(`${file}, ${name}: ${key} by ${mode}`);
            const inner = places
              .filter(place => place.type === 'collection')
              .flatMap(place => (place.options as INodeProperties[]).map(option => option.name));
            if (inner.length)
              for (const one of Object.keys(value as object))
                if (!inner.includes(one)) lost.push(`${file}, ${name}: ${key}.${one}`);
          }
        }
      }
    }
    assert.deepEqual(lost, []);
  });

  it('link to a page about the node, without an anchor: n8n puts its own query behind the address', () => {
    const base = 'https://github.com/mailroom-dev/n8n-nodes-mailroom/blob/main/';
    for (const folder of readdirSync(join(__dirname, '../../nodes')).filter(name => name !== 'lib')) {
      const { resources, alias } = JSON.parse(
        readFileSync(join(__dirname, `../../nodes/${folder}/${folder}.node.json`), 'utf8'),
      ) as { alias: string[]; resources: Record<string, { url: string }[]> };
      for (const { url } of Object.values(resources).flat()) {
        assert.ok(url.startsWith(base) && !url.includes('#'), url);
        readFileSync(join(__dirname, '../..', url.slice(base.length)));
      }
      const page = folder.replace(/(?<=[a-z])[A-Z]/g, letter => `-${letter}`).toLowerCase();
      assert.equal(resources.primaryDocumentation![0]!.url, `${base}docs/nodes/${page}.md`);
      assert.equal(new Set(alias.map(word => word.toLowerCase())).size, alias.length, `${folder}: no word twice`);
    }
  });

  it('name no operation with a dot, as code does', () => {
    const told: string[] = [];
    for (const { description } of nodes) {
      each(description.properties, ({ description: text = '', displayName }) => {
        for (const words of [text, displayName])
          if (/\b[a-z][A-Za-z]+\.(list|get|create|update|delete|send|add|remove)\b(?!\.)/.test(words)) told.push(words);
      });
    }
    assert.deepEqual(told, []);
  });

  it('ask for a filter by yes or no as a choice that begins with Any, and keep the values that a switch had', () => {
    const form = nodes
      .flatMap(({ description }) => description.properties)
      .filter(({ name }) => name === 'filters')
      .flatMap(({ options }) => options as INodeProperties[]);
    const seen = form.find(({ name }) => name === 'seen')!;
    assert.deepEqual([seen.displayName, seen.type, seen.default], ['Read Status', 'options', '']);
    assert.deepEqual(
      (seen.options as INodePropertyOptions[]).map(({ name, value }) => [name, value]),
      [
        ['Any', ''],
        ['Read', true],
        ['Unread', false],
      ],
    );
    for (const name of ['unseen', 'hasAttachment', 'flagged', 'answered', 'enabled'])
      assert.equal(form.find(one => one.name === name)?.type, 'options', name);
  });

  it('list no more than ten actions for each provider there is, under the names of the providers, where mail is read first; each is an operation of that provider', () => {
    for (const node of NODES) {
      const { properties } = nodes.find(n => n.description.name === node)!.description;
      const groups = properties.find(p => p.name === 'resource' && p.displayOptions?.show?.provider?.includes(''))!
        .options as INodePropertyOptions[];
      const listed = groups.flatMap(({ name, value }) => {
        const menu = properties.find(
          p => p.name === 'operation' && p.displayOptions?.show?.resource?.includes(value as string),
        )!;
        const [provider] = menu.displayOptions!.show!.provider as string[];
        const [resource] = menu.displayOptions!.show!.resource as string[];
        assert.equal(providers.find(({ id }) => id === provider)!.name, name);
        assert.deepEqual(menu.displayOptions!.hide, { provider: [provider] }, 'never shown in the form');
        return (menu.options as INodePropertyOptions[]).map(option => ({
          provider,
          operation: `${resource}.${String(option.value)}`,
        }));
      });
      assert.ok(listed.length > 0 && listed.length <= 10 * providers.length, `${node}: ${listed.length}`);
      for (const { provider, operation } of listed.filter(one => one.operation !== 'message.sendAndWait')) {
        assert.ok(
          Object.hasOwn(providers.find(({ id }) => id === provider)!.operations, operation),
          `${provider} ${operation}`,
        );
      }
      if (node === 'mailbox' || node === 'send') assert.equal(listed[0]!.provider, 'imap');
      if (node === 'mailbox')
        assert.equal(listed[0]!.operation, 'message.list', 'what most people look for comes first');
    }
  });
  it('a trigger that is called as Mailbox is, with what it starts on, so that the editor lists it there', () => {
    // `generateMergedNodesAndActions` and `triggersCategory` of n8n's editor read the name, and a parameter that is
    // labelled "Event".
    const { name, properties } = nodes.find(one => one.description.name === 'mailboxTrigger')!.description;
    assert.equal(name.replace('Trigger', ''), 'mailbox');
    const event = properties.find(({ displayName }) => displayName === 'Event')!;
    assert.deepEqual(
      [event.name, (event.options as INodePropertyOptions[]).map(one => [one.value, one.action])],
      [
        'event',
        [
          ['messageReceived', 'On message received'],
          ['messageChanged', 'On message changed'],
        ],
      ],
    );
    assert.deepEqual(
      event.displayOptions,
      { show: { provider: ['imap'] }, hide: { provider: ['imap'] } },
      'never shown in the form',
    );
  });
  it('a name that is a picker in one operation is no line of text in another: n8n would show what was picked as "[object Object]"', () => {
    for (const node of NODES) {
      const { properties } = nodes.find(n => n.description.name === node)!.description;
      const names = (property: INodeProperties) =>
        ((property.displayOptions?.show?.provider as string[] | undefined) ?? []).map(
          provider => `${provider} ${property.name}`,
        );
      const picked = new Set(properties.filter(({ type }) => type === 'resourceLocator').flatMap(names));
      // As a tool, Send and Wait for Response has the name that n8n gives it, and no other operation is chosen there.
      const lines = properties
        .filter(({ type, displayOptions }) => type === 'string' && displayOptions?.show?.['@tool']?.[0] !== true)
        .flatMap(names);
      assert.deepEqual(
        lines.filter(one => picked.has(one)),
        [],
        node,
      );
    }
  });
  it('call a way to name an object what the editor calls it: a mode `id` is "By ID" there, whatever it says itself', () => {
    const wrong: string[] = [];
    for (const { description } of nodes)
      each(description.properties, ({ name, modes = [] }) => {
        for (const mode of modes)
          if (mode.name === 'id' && mode.displayName !== 'By ID')
            wrong.push(`${description.name}: ${name}, ${mode.displayName}`);
      });
    assert.deepEqual(wrong, []);
  });

  it('begin with mail over IMAP; a node made before keeps the provider that n8n did not store', () => {
    for (const [name, before] of [
      ['mailbox', 'outreach'],
      ['send', 'sodium'],
      ['spamList', 'outreach'],
      ['syncTrigger', 'outreach'],
    ] as const) {
      const { description } = nodes.find(n => n.description.name === name)!;
      const begins = (typeVersion: number) =>
        NodeHelpers.getNodeParameters(description.properties, {}, true, false, { typeVersion }, description)!.provider;
      assert.deepEqual([begins(1), begins(1.1)], [before, 'imap'], name);
    }
  });

  it('ask a person for read or unread as a choice, and an AI agent by a switch, which is what n8n lets it decide', () => {
    const { description } = nodes.find(n => n.description.name === 'mailbox')!;
    const types = (provider: string, name: string) =>
      description.properties
        .filter(property => property.name === 'read')
        .filter(property =>
          NodeHelpers.displayParameter(
            { provider, resource: 'message', operation: 'mark' },
            property,
            { typeVersion: 1.1 },
            { ...description, name },
          ),
        )
        .map(({ type }) => type);
    for (const provider of ['imap', 'sodium', 'contextIo'])
      assert.deepEqual([types(provider, 'mailbox'), types(provider, 'mailboxTool')], [['options'], ['boolean']]);
  });

  it('say what a resource is at a vendor whose own word is another', () => {
    const described = (id: string) =>
      Object.fromEntries(
        (
          nodes
            .find(n => n.description.name === 'mailbox')!
            .description.properties.find(p => p.name === 'resource' && p.displayOptions?.show?.provider?.includes(id))!
            .options as INodePropertyOptions[]
        ).map(({ name, description }) => [name, description]),
      );
    assert.equal(described('rackspace').Mailbox, 'Exchange mailboxes of a domain');
    assert.equal(described('rackspace')['Rackspace Mailbox'], 'Rackspace Email mailboxes of a domain');
    assert.equal(described('contextIo').Mailbox, 'Accounts');
    assert.equal(described('outreach').Mailbox, undefined);
    assert.equal(actionOf('message.list', 'List or search the messages of a folder'), 'Get many messages of a folder');
    assert.deepEqual(['blackBerry', 'activeSync', 'oauthProvider'].map(title), [
      'BlackBerry',
      'ActiveSync',
      'OAuth Provider',
    ]);
  });

  it("name a new node by what it does, in words that fit every provider: n8n's editor names it before it knows the provider", () => {
    const named = (node: string, resource: string, operation: string) => {
      const { description } = nodes.find(n => n.description.name === node)!;
      return NodeHelpers.makeNodeName(
        NodeHelpers.getNodeParameters(
          description.properties,
          { resource, operation },
          true,
          false,
          { typeVersion: [description.version].flat().at(-1)! },
          description,
        )!,
        description,
      );
    };
    assert.equal(named('mailbox', 'mailbox', 'delete'), 'Delete a mailbox');
    assert.equal(named('mailbox', 'mailbox', 'list'), 'Get many mailboxes');
    assert.equal(named('mailbox', 'attachment', 'get'), 'Get an attachment');
    assert.equal(named('mailbox', 'key', 'create'), 'Create an API key');
    assert.equal(named('spamList', 'spamList', 'add'), 'Add an entry to a spam list of a mailbox');
    assert.equal(named('send', 'message', 'send'), 'Send a message');
    assert.equal(named('send', 'message', 'reply'), 'Reply to a message');
    for (const node of NODES) {
      for (const provider of providersOf(node)) {
        for (const [name] of offered(node, provider)) {
          const [resource, operation] = name.split('.') as [string, string];
          assert.notEqual(named(node, resource, operation), title(node), name);
        }
      }
    }
  });

  it('show what an operation acts on by itself, though it may be left empty for several at once', () => {
    const mailbox = nodes.find(n => n.description.name === 'mailbox')!.description.properties;
    for (const operation of ['mark', 'flag', 'move', 'copy', 'delete']) {
      const form = mailbox.filter(
        ({ displayOptions: { show } = {} }) =>
          show?.provider?.includes('imap') && show.resource?.includes('message') && show.operation?.includes(operation),
      );
      const [first] = form.filter(({ type }) => type !== 'notice' && type !== 'options');
      assert.deepEqual(
        [first?.name, first?.type, first?.required],
        ['message', 'resourceLocator', undefined],
        operation,
      );
    }
  });

  it('show what makes a mail by itself, in the order of a form, whatever the provider can do without', () => {
    const form = (id: string, operation: string) =>
      nodes
        .find(n => n.description.name === 'send')!
        .description.properties.filter(
          p => p.displayOptions?.show?.provider?.includes(id) && p.displayOptions.show.operation?.includes(operation),
        )
        .map(p => p.name);
    assert.deepEqual(form('imap', 'send').slice(0, 6), [
      'to',
      'subject',
      'text',
      'html',
      'attachmentsFrom',
      'attachments',
    ]);
    assert.deepEqual(form('sodium', 'send').slice(0, 6), [
      'to',
      'subject',
      'plainTextBody',
      'htmlBody',
      'attachmentsFrom',
      'attachments',
    ]);
    assert.deepEqual(form('imap', 'reply').slice(0, 5), ['message', 'text', 'html', 'attachmentsFrom', 'attachments']);
    assert.deepEqual(form('sodium', 'reply').slice(0, 6), [
      'mailbox',
      'message',
      'htmlBody',
      'plainTextBody',
      'attachmentsFrom',
      'attachments',
    ]);
  });

  it('use no field name that the front end uses itself, and none with a dot', () => {
    for (const provider of providers) {
      for (const [operation, { input }] of Object.entries(provider.operations)) {
        for (const key of Object.keys(input as object)) {
          assert.ok(!(RESERVED as readonly string[]).includes(key), `${provider.id} ${operation} ${key}`);
          assert.match(key, /^[A-Za-z_][A-Za-z0-9_]*$/, `${provider.id} ${operation} ${key}`);
        }
      }
    }
  });

  for (const { description } of nodes) {
    it(`${description.displayName}: words, defaults and order are as n8n's rules ask`, () => {
      each(description.properties, property => {
        const at = where(property);
        const { description: text } = property;
        assert.equal(property.displayName, property.displayName.trim(), at);
        if (property.type !== 'notice') {
          for (const word of property.displayName.replace(/\([^)]*\)/g, '').split(' ')) {
            if (word && !/^(a|an|and|as|at|by|for|from|in|is|of|on|or|the|to|with|only|per|not|be|every)$/.test(word))
              assert.match(word, /^[A-Z0-9"'/\\<.@:–-]|^(n8n|iOS)/, `${at}: title case`);
          }
        }
        if (text !== undefined) {
          assert.equal(text, text.trim(), at);
          assert.notEqual(text, property.displayName, at);
          assert.doesNotMatch(text, /\s{2}|<br|\n/, at);
          if (!/\.\s/.test(text))
            assert.doesNotMatch(text, /[^.]\.$/, `${at}: no full stop after one sentence: ${text}`);
          else assert.match(text, /[.)]$/, `${at}: full stop after several sentences: ${text}`);
          assert.match(text, /^[A-Z0-9"(<@]/, `${at}: begins with a capital: ${text}`);
        }
        if (property.type === 'boolean') assert.match(text ?? '', /^Whether /, `${at}: flags say whether`);
        if (
          (property.type === 'options' || property.type === 'multiOptions') &&
          !property.typeOptions?.loadOptionsMethod
        ) {
          const options = property.options as INodePropertyOptions[];
          const names = options.map(o => o.name);
          // What the list of actions reads and nobody sees: several resources stand under the name of their provider.
          const listed = property.name === 'operation' && property.displayOptions?.hide !== undefined;
          const unseen =
            listed || (property.name === 'resource' && property.displayOptions?.show?.provider?.includes(''));
          if (options.length >= 5 && !unseen)
            assert.deepEqual(
              names,
              [...names].sort((a, b) => a.localeCompare(b, 'en')),
              `${at}: sorted`,
            );
          if (!unseen) assert.equal(new Set(names).size, names.length, `${at}: no name twice`);
          assert.equal(new Set(options.map(o => o.value)).size, options.length, `${at}: no value twice`);
          if (property.type === 'options')
            assert.ok(
              options.some(o => o.value === property.default),
              `${at}: default ${String(property.default)} is one of them`,
            );
          for (const option of options) assert.notEqual(option.description, option.name, `${at}: ${option.name}`);
        }
        if (['provider', 'resource', 'operation'].includes(property.name))
          assert.equal(property.noDataExpression, true, at);
        if (property.name === 'operation' && property.type === 'options')
          for (const option of property.options as INodePropertyOptions[])
            assert.ok(option.action, `${at}: ${option.name} has an action`);
        if (
          /password|secret|token|apikey|api_key/i.test(property.name) &&
          property.type === 'string' &&
          !/url|expire|pub|_id$|Id$/i.test(property.name)
        ) {
          assert.equal(property.typeOptions?.password, true, `${at}: hidden`);
        }
        if (property.name === 'limit' && property.type === 'number') {
          assert.equal(property.default, 50);
          assert.equal(property.typeOptions?.minValue, 1);
        }
      });
    });
  }

  it('hide every secret of every account', () => {
    for (const provider of providers) {
      const type = credentials.find(c => c.name.toLowerCase().startsWith(provider.id.toLowerCase()))!;
      for (const [name, field] of Object.entries(accountFields(provider))) {
        if (field.type === 'text' && field.secret)
          assert.equal(
            type.properties.find(p => p.name === name)?.typeOptions?.password,
            true,
            `${provider.id} ${name}`,
          );
      }
    }
  });
});
