import type {
  ICredentialDataDecryptedObject,
  ICredentialsDecrypted,
  ICredentialsExpressionResolveValues,
  ICredentialTestFunctions,
  ICredentialType,
  IHttpRequestHelper,
  IHttpRequestOptions,
  INode,
  INodeCredentialsDetails,
  INodeCredentialTestResult,
  INodeProperties,
  INodeType,
  INodeTypeDescription,
  INodeTypes,
  IWorkflowExecuteAdditionalData,
  Workflow,
  WorkflowExecuteMode,
} from 'n8n-workflow';
import type { Booted, Loader } from './core.js';
import { baseCredentials } from './standins.js';

/** A credential as a user saved it; `data` holds plain values or expressions. */
export interface SavedCredential {
  type: string;
  name?: string;
  data: Record<string, unknown>;
}

/**
 * Follows n8n's `packages/cli/src/credentials-helper.ts`: encrypted at rest, defaults filled in, expressions resolved,
 * tokens written back.
 */
export function createCredentials({ core, workflow: n8n }: Booted, loader: Loader, nodeTypes: INodeTypes) {
  const saved = new Map<string, { type: string; name: string; data: string }>();
  const { Credentials, getAdditionalKeys } = core;
  const mockNode: INode = {
    id: 'mock',
    name: 'Mock',
    type: 'n8n-nodes-base.noOp',
    typeVersion: 1,
    position: [0, 0],
    parameters: {},
  };
  const mockWorkflow = () => new n8n.Workflow({ nodes: [mockNode], connections: {}, active: false, nodeTypes });

  function typeOf(name: string): ICredentialType {
    if (baseCredentials[name]) return baseCredentials[name];
    return loader.getCredential(name).type;
  }
  function parents(name: string): string[] {
    const own = typeOf(name).extends ?? [];
    return own.flatMap(parent => [parent, ...parents(parent)]);
  }
  function properties(name: string): INodeProperties[] {
    const merged: INodeProperties[] = [];
    for (const parent of typeOf(name).extends ?? []) n8n.NodeHelpers.mergeNodeProperties(merged, properties(parent));
    n8n.NodeHelpers.mergeNodeProperties(merged, structuredClone(n8n.injectDomainRestrictionFields(typeOf(name))));
    return merged;
  }
  async function store(id: string, name: string, type: string, data: object) {
    const credentials = new Credentials({ id, name }, type);
    await credentials.setData(data);
    saved.set(id, { type, name, data: credentials.getDataToSave().data! });
  }
  function stored({ id, name }: INodeCredentialsDetails, type: string) {
    const found = id ? saved.get(id) : undefined;
    if (!found || found.type !== type)
      throw new Error(`Credential with ID "${id}" (${name}) does not exist for type "${type}".`);
    return new Credentials({ id: id!, name: found.name }, type, found.data);
  }
  /** Defaults and expressions, as a node sees them. */
  function resolved(
    data: ICredentialDataDecryptedObject,
    type: string,
    additional: IWorkflowExecuteAdditionalData,
    mode: WorkflowExecuteMode,
    values?: ICredentialsExpressionResolveValues,
  ) {
    let complete = n8n.NodeHelpers.getNodeParameters(
      properties(type),
      data as never,
      true,
      false,
      null,
      null,
    ) as ICredentialDataDecryptedObject;
    if (data.oauthTokenData !== undefined) complete.oauthTokenData = data.oauthTokenData;
    const keys = getAdditionalKeys(additional, mode, null);
    complete = (
      values
        ? values.workflow.expression.getParameterValue(
            complete as never,
            values.runExecutionData,
            values.runIndex,
            values.itemIndex,
            values.node.name,
            values.connectionInputData,
            mode,
            keys,
            undefined,
            false,
            complete,
          )
        : mockWorkflow().expression.getComplexParameterValue(
            mockNode,
            complete as never,
            mode,
            keys,
            undefined,
            undefined,
            complete,
          )
    ) as ICredentialDataDecryptedObject;
    return complete;
  }
  const value = (
    text: unknown,
    credentials: ICredentialDataDecryptedObject,
    workflow: Workflow,
    node: INode,
  ): unknown =>
    typeof text === 'string' && text.startsWith('=')
      ? String(
          workflow.expression.getSimpleParameterValue(
            node,
            text,
            'internal',
            { $credentials: credentials } as never,
            undefined,
            '',
          ) || '',
        )
      : text;
  const expirable = (name: string) =>
    typeOf(name).properties.find(property => property.type === 'hidden' && property.typeOptions?.expirable === true)
      ?.name;

  const helper = {
    getParentTypes: parents,
    isCredentialUsableByNode(type: string, nodeType: string) {
      const definition = typeOf(type) as ICredentialType & { restrictToSupportedNodes?: boolean };
      return (
        !definition.restrictToSupportedNodes ||
        (loader.known.credentials[type]?.supportedNodes ?? []).some(
          name => `${loader.packageName}.${name}` === nodeType,
        )
      );
    },
    async authenticate(
      credentials: ICredentialDataDecryptedObject,
      typeName: string,
      options: IHttpRequestOptions,
      workflow = mockWorkflow(),
      node = mockNode,
    ): Promise<IHttpRequestOptions> {
      const { authenticate } = typeOf(typeName);
      if (typeof authenticate === 'function') return authenticate(credentials, options);
      if (authenticate?.type !== 'generic') return options;
      const parts = options as unknown as Record<string, Record<string, unknown>>;
      parts.headers ??= {};
      for (const [part, entries] of Object.entries(authenticate.properties)) {
        for (const [name, text] of Object.entries(entries as object))
          (parts[part] ??= {})[String(value(name, credentials, workflow, node))] = value(
            text,
            credentials,
            workflow,
            node,
          );
      }
      return options;
    },
    async preAuthentication(
      helpers: IHttpRequestHelper,
      credentials: ICredentialDataDecryptedObject,
      typeName: string,
      node: INode,
      expired: boolean,
    ) {
      const name = expirable(typeName);
      const type = typeOf(typeName);
      if (!name || !type.preAuthentication) return undefined;
      const testing = node.parameters.temp === '' && node.type === 'n8n-nodes-base.noOp';
      if (credentials[name] !== '' && !expired && !testing) return undefined;
      const output = await type.preAuthentication.call(helpers, credentials);
      if (output[name] === undefined || !node.credentials) return undefined;
      const complete = Object.assign(credentials, output) as ICredentialDataDecryptedObject;
      await helper.updateCredentials(node.credentials[typeName]!, typeName, complete);
      return complete;
    },
    async runPreAuthentication(
      helpers: IHttpRequestHelper,
      credentials: ICredentialDataDecryptedObject,
      typeName: string,
    ) {
      return (await typeOf(typeName).preAuthentication?.call(helpers, credentials)) as
        ICredentialDataDecryptedObject | undefined;
    },
    async getCredentials(details: INodeCredentialsDetails, type: string) {
      return stored(details, type);
    },
    async getDecrypted(
      additional: IWorkflowExecuteAdditionalData,
      details: INodeCredentialsDetails,
      type: string,
      mode: WorkflowExecuteMode,
      _data?: unknown,
      raw?: boolean,
      values?: ICredentialsExpressionResolveValues,
    ) {
      const data = await stored(details, type).getData();
      return raw ? data : resolved(data, type, additional, mode, values);
    },
    async updateCredentials(details: INodeCredentialsDetails, type: string, data: ICredentialDataDecryptedObject) {
      await store(details.id!, details.name, type, data);
    },
    async updateCredentialsOauthTokenData(
      details: INodeCredentialsDetails,
      type: string,
      data: ICredentialDataDecryptedObject,
    ) {
      const before = await stored(details, type).getData();
      await store(details.id!, details.name, type, { ...before, oauthTokenData: data.oauthTokenData });
    },
    getCredentialsProperties: properties,
  };

  /** What the user would press "Test" for: `test` of the type, else `testedBy` of the first node that names one. */
  async function test(
    type: string,
    data: Record<string, unknown>,
    additional: IWorkflowExecuteAdditionalData,
  ): Promise<INodeCredentialTestResult> {
    const decrypted: ICredentialsDecrypted = {
      id: 'credential-under-test',
      name: type,
      type,
      data: resolved(data as ICredentialDataDecryptedObject, type, additional, 'internal'),
    };
    await store(decrypted.id, type, type, data);
    const asks = typeOf(type).test ?? testedBy(type);
    if (!asks) return { status: 'Error', message: 'No testing function found for this credential.' };
    if (typeof asks === 'function') return asks.call(new core.CredentialTestContext(additional), decrypted);
    const node: INode = {
      ...mockNode,
      name: 'Temp-Node',
      parameters: { temp: '' },
      credentials: { [type]: { id: decrypted.id, name: type } },
    };
    const temporary: INodeType = {
      description: {
        ...nodeTypes.getByNameAndVersion('n8n-nodes-base.noOp').description,
        credentials: [{ name: type, required: true }],
        properties: [
          {
            displayName: 'Temp',
            name: 'temp',
            type: 'string',
            routing: { request: asks.request as never },
            default: '',
          },
        ],
      } as INodeTypeDescription,
    };
    const types: INodeTypes = { ...nodeTypes, getByName: () => temporary, getByNameAndVersion: () => temporary };
    const workflow = new n8n.Workflow({ nodes: [node], connections: {}, active: false, nodeTypes: types });
    const run = n8n.createEmptyRunExecutionData();
    const context = new core.ExecuteContext(
      workflow,
      node,
      additional,
      'internal',
      run,
      0,
      [],
      { main: [[{ json: {} }]] },
      { node, data: {}, source: null },
      [],
    );
    let response;
    try {
      response = await new core.RoutingNode(context, temporary, decrypted).runNode();
    } catch (error) {
      const { cause, message } = error as Error & {
        cause?: { response?: { status?: number; statusText?: string }; code?: string };
      };
      const status = cause?.response?.status;
      if (status === undefined) return { status: 'Error', message: cause?.code ?? message };
      const rule = asks.rules?.find(one => one.type === 'responseCode' && one.properties.value === status);
      if (rule) return { status: 'Error', message: String(rule.properties.message) };
      return { status: 'Error', message: cause?.response?.statusText || `Received HTTP status code: ${status}` };
    }
    const answer = response?.[0]?.[0]?.json ?? {};
    const rule = asks.rules?.find(
      one => one.type === 'responseSuccessBody' && answer[one.properties.key as string] === one.properties.value,
    );
    return rule
      ? { status: 'Error', message: String(rule.properties.message) }
      : { status: 'OK', message: 'Connection successful!' };
  }
  function testedBy(type: string) {
    for (const name of loader.known.credentials[type]?.supportedNodes ?? []) {
      const node = n8n.NodeHelpers.getVersionedNodeType(loader.getNode(name).type);
      const by = node.description.credentials?.find(credential => credential.name === type)?.testedBy;
      if (typeof by === 'object') return by;
      const method = by && node.methods?.credentialTest?.[by];
      if (method)
        return method as (
          this: ICredentialTestFunctions,
          credential: ICredentialsDecrypted,
        ) => Promise<INodeCredentialTestResult>;
    }
    return undefined;
  }
  return {
    helper,
    test,
    save: (id: string, { type, name = type, data }: SavedCredential) => store(id, name, type, data),
    /** What the database holds now, decrypted: tokens a run renewed are there. */
    read: (id: string) => stored({ id, name: '' }, saved.get(id)?.type ?? '').getData(),
  };
}
