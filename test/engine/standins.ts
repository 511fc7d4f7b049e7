import type {
  IDataObject,
  IExecuteFunctions,
  INodeExecutionData,
  INodeProperties,
  INodeType,
  INodeTypeDescription,
} from 'n8n-workflow';

/**
 * The few n8n-nodes-base nodes that demo workflows use, under their own names and parameters, as far as those workflows
 * need them. n8n-nodes-base itself is a hundred times the size of all the rest.
 */
export const standIns: Readonly<Record<string, INodeType>> = {
  manualTrigger: node('manualTrigger', 'Manual Trigger', 1, { inputs: [] }, [], async items => items),
  noOp: node('noOp', 'No Operation, do nothing', 1, {}, [], async items => items),
  stickyNote: node(
    'stickyNote',
    'Sticky Note',
    1,
    { inputs: [], outputs: [] },
    [
      property('content', 'string', ''),
      property('height', 'number', 160),
      property('width', 'number', 240),
      property('color', 'number', 1),
    ],
    async items => items,
  ),
  set: node(
    'set',
    'Edit Fields (Set)',
    [3, 3.1, 3.2, 3.3, 3.4],
    {},
    [
      property('mode', 'string', 'manual'),
      property('duplicateItem', 'boolean', false),
      property('assignments', 'assignmentCollection', {}),
      property('includeOtherFields', 'boolean', false),
      property('options', 'collection', {}, { options: [] }),
    ],
    async (items, caller) =>
      items.map((item, i) => {
        const assigned = caller.getNodeParameter('assignments.assignments', i, []) as {
          name: string;
          value: unknown;
          type?: string;
        }[];
        const json = caller.getNodeParameter('includeOtherFields', i, false) ? structuredClone(item.json) : {};
        for (const { name, value, type } of assigned)
          put(
            json,
            name,
            typeof value === 'string' && (type === 'array' || type === 'object')
              ? (JSON.parse(value) as unknown)
              : value,
          );
        return {
          json,
          pairedItem: { item: i },
          ...(item.binary && caller.getNodeParameter('includeOtherFields', i, false) ? { binary: item.binary } : {}),
        };
      }),
  ),
  filter: node(
    'filter',
    'Filter',
    [2, 2.1, 2.2, 2.3],
    {},
    [
      property(
        'conditions',
        'filter',
        {},
        { typeOptions: { filter: { caseSensitive: true, typeValidation: 'strict', version: 2 } } },
      ),
      property('options', 'collection', {}, { options: [] }),
    ],
    async (items, caller) =>
      items.flatMap((item, i) =>
        caller.getNodeParameter('conditions', i, false, { extractValue: true })
          ? [{ ...item, pairedItem: { item: i } }]
          : [],
      ),
  ),
  splitOut: node(
    'splitOut',
    'Split Out',
    1,
    {},
    [
      property('fieldToSplitOut', 'string', ''),
      property('include', 'string', 'noOtherFields'),
      property('options', 'collection', {}, { options: [] }),
    ],
    async (items, caller) =>
      items.flatMap((item, i) => {
        const name = caller.getNodeParameter('fieldToSplitOut', i) as string;
        const values = item.json[name];
        return (Array.isArray(values) ? values : values === undefined ? [] : [values]).map(value => ({
          json: (typeof value === 'object' && value !== null ? value : { [name]: value }) as IDataObject,
          pairedItem: { item: i },
        }));
      }),
  ),
  convertToFile: node(
    'convertToFile',
    'Convert to File',
    [1, 1.1],
    {},
    [
      property('operation', 'string', 'csv'),
      property('sourceProperty', 'string', ''),
      property('binaryPropertyName', 'string', 'data'),
      property('options', 'collection', {}, { options: [property('fileName', 'string', '')] }),
    ],
    async (items, caller) =>
      Promise.all(
        items.map(async (item, i) => {
          if (caller.getNodeParameter('operation', i) !== 'toText')
            throw new Error('Only "Convert to Text File" is stood in for.');
          const { fileName = 'file.txt' } = caller.getNodeParameter('options', i, {}) as { fileName?: string };
          const content = Buffer.from(String(item.json[caller.getNodeParameter('sourceProperty', i) as string] ?? ''));
          const binary = {
            [caller.getNodeParameter('binaryPropertyName', i) as string]: await caller.helpers.prepareBinaryData(
              content,
              fileName,
              'text/plain',
            ),
          };
          return { json: {}, binary, pairedItem: { item: i } };
        }),
      ),
  ),
};

function put(target: IDataObject, name: string, value: unknown) {
  const parts = name.split('.');
  const last = parts.pop()!;
  let at = target;
  for (const part of parts) at = (at[part] ??= {}) as IDataObject;
  at[last] = value as IDataObject;
}

function property(name: string, type: string, value: unknown, more: Partial<INodeProperties> = {}): INodeProperties {
  return { displayName: name, name, type, default: value, ...more } as INodeProperties;
}

function node(
  name: string,
  displayName: string,
  version: number | number[],
  ports: { inputs?: string[]; outputs?: string[] },
  properties: INodeProperties[],
  run: (items: INodeExecutionData[], caller: IExecuteFunctions) => Promise<INodeExecutionData[]>,
): INodeType {
  return {
    description: {
      name,
      displayName,
      version,
      properties,
      group: [],
      description: displayName,
      defaults: { name: displayName },
      inputs: ports.inputs ?? ['main'],
      outputs: ports.outputs ?? ['main'],
    } as unknown as INodeTypeDescription,
    async execute() {
      return [await run(this.getInputData(), this)];
    },
  };
}

const hidden = (name: string, value: unknown = ''): INodeProperties =>
  ({ displayName: name, name, type: 'hidden', default: value }) as INodeProperties;
/** The properties of the credential types of n8n-nodes-base that others extend. */
export const baseCredentials: Readonly<
  Record<string, { name: string; displayName: string; properties: INodeProperties[] }>
> = {
  oAuth2Api: {
    name: 'oAuth2Api',
    displayName: 'OAuth2 API',
    properties: [
      hidden('grantType', 'authorizationCode'),
      hidden('authUrl'),
      hidden('accessTokenUrl'),
      hidden('clientId'),
      hidden('clientSecret'),
      hidden('scope'),
      hidden('authQueryParameters'),
      hidden('authentication', 'header'),
      hidden('ignoreSSLIssues', false),
      hidden('oauthTokenData', {}),
    ],
  },
  oAuth1Api: {
    name: 'oAuth1Api',
    displayName: 'OAuth1 API',
    properties: [
      'authUrl',
      'accessTokenUrl',
      'consumerKey',
      'consumerSecret',
      'requestTokenUrl',
      'signatureMethod',
      'oauthTokenData',
    ].map(name => hidden(name)),
  },
};
