import type {
  IDataObject,
  IExecuteFunctions,
  INodeExecutionData,
  INodeProperties,
  IWebhookDescription,
  IWebhookFunctions,
  IWebhookResponseData,
} from 'n8n-workflow';
import { NodeOperationError, SEND_AND_WAIT_OPERATION, WAIT_INDEFINITELY } from 'n8n-workflow';
import { MailError, providerById, type Operation, type Provider } from '../../shared/index.js';
import { openAccount } from './host.js';
import { byIdOnly, isPicked, optionsCollection, parameter } from './parameter.js';
import { answerPage, askingMail, formPage, type Button, type FormField } from './sendAndWaitPages.js';

/** n8n knows this name: it signs the links of such nodes, and offers them to agents as a human's review. */
export { SEND_AND_WAIT_OPERATION };

/** Where the links in the mail lead: n8n's own address of waiting executions, which it signs and checks. */
export const sendAndWaitWebhooks: IWebhookDescription[] = (['GET', 'POST'] as const).map(httpMethod => ({
  name: 'default',
  httpMethod,
  responseMode: 'onReceived',
  responseData: '',
  path: '={{ $nodeId }}',
  restartWebhook: true,
  isFullPath: true,
}));

/** The fields of `message.send` that say from where, such as the mailbox. */
const places = (provider: Provider) =>
  Object.entries((provider.operations as Readonly<Record<string, Operation>>)['message.send']!.input).filter(
    ([, field]) => field.ref !== undefined,
  );
/** True where the provider can send a new message from this node. */
export const canAsk = (provider: Provider): boolean => Object.hasOwn(provider.operations, 'message.send');

/** The entry in the menu of operations. */
export const SEND_AND_WAIT_OPTION = {
  name: 'Send and Wait for Response',
  value: SEND_AND_WAIT_OPERATION,
  action: 'Send a message and wait for a response',
  description: 'Ask somebody for approval or an answer; the workflow goes on when it has come',
};

const text = (displayName: string, name: string, more: Partial<INodeProperties> = {}): INodeProperties => ({
  displayName,
  name,
  type: 'string',
  default: '',
  ...more,
});

const LIMIT_WAIT_TIME: INodeProperties = {
  displayName: 'Limit Wait Time',
  name: 'limitWaitTime',
  type: 'fixedCollection',
  default: { values: { resumeAmount: 45, resumeUnit: 'minutes' } },
  description: 'How long to wait for a response before the workflow goes on without one',
  options: [
    {
      displayName: 'Values',
      name: 'values',
      values: [
        {
          displayName: 'Limit Type',
          name: 'limitType',
          type: 'options',
          default: 'afterTimeInterval',
          options: [
            { name: 'After Time Interval', value: 'afterTimeInterval' },
            { name: 'At Specified Time', value: 'atSpecifiedTime' },
          ],
        },
        {
          displayName: 'Amount',
          name: 'resumeAmount',
          type: 'number',
          typeOptions: { minValue: 0, numberPrecision: 2 },
          default: 1,
          displayOptions: { show: { limitType: ['afterTimeInterval'] } },
        },
        {
          displayName: 'Unit',
          name: 'resumeUnit',
          type: 'options',
          default: 'hours',
          displayOptions: { show: { limitType: ['afterTimeInterval'] } },
          options: [
            { name: 'Minutes', value: 'minutes' },
            { name: 'Hours', value: 'hours' },
            { name: 'Days', value: 'days' },
          ],
        },
        {
          displayName: 'Max Date and Time',
          name: 'maxDateAndTime',
          type: 'dateTime',
          default: '',
          displayOptions: { show: { limitType: ['atSpecifiedTime'] } },
        },
      ],
    },
  ],
};

const FORM_ELEMENTS: INodeProperties = {
  displayName: 'Form Elements',
  name: 'formFields',
  type: 'fixedCollection',
  placeholder: 'Add Form Element',
  default: {},
  required: true,
  typeOptions: { multipleValues: true, sortable: true },
  options: [
    {
      displayName: 'Values',
      name: 'values',
      values: [
        text('Label', 'fieldLabel', {
          required: true,
          placeholder: 'e.g. What is your name?',
          description: 'Stands above the field and names its answer',
        }),
        {
          displayName: 'Element Type',
          name: 'fieldType',
          type: 'options',
          default: 'text',
          options: [
            { name: 'Date', value: 'date' },
            { name: 'Dropdown', value: 'dropdown' },
            { name: 'Email', value: 'email' },
            { name: 'Number', value: 'number' },
            { name: 'Text', value: 'text' },
            { name: 'Textarea', value: 'textarea' },
          ],
        },
        text('Choices', 'choices', {
          placeholder: 'e.g. Yes, No, Later',
          description: 'Comma-separated',
          displayOptions: { show: { fieldType: ['dropdown'] } },
        }),
        {
          displayName: 'Required Field',
          name: 'requiredField',
          type: 'boolean',
          default: false,
          description: 'Whether the form is sent only when this field is filled in',
        },
      ],
    },
  ],
};

const APPROVAL_OPTIONS: INodeProperties = {
  displayName: 'Approval Options',
  name: 'approvalOptions',
  type: 'fixedCollection',
  placeholder: 'Add Option',
  default: {},
  options: [
    {
      displayName: 'Values',
      name: 'values',
      values: [
        {
          displayName: 'Type of Approval',
          name: 'approvalType',
          type: 'options',
          default: 'single',
          options: [
            { name: 'Approve Only', value: 'single' },
            { name: 'Approve and Disapprove', value: 'double' },
          ],
        },
        text('Approve Button Label', 'approveLabel', { default: 'Approve' }),
        text('Disapprove Button Label', 'disapproveLabel', {
          default: 'Decline',
          displayOptions: { show: { approvalType: ['double'] } },
        }),
      ],
    },
  ],
};

const RESPONSE_TYPE: INodeProperties = {
  displayName: 'Response Type',
  name: 'responseType',
  type: 'options',
  default: 'approval',
  options: [
    { name: 'Approval', value: 'approval', description: 'Approve or decline with a button in the message' },
    { name: 'Free Text', value: 'freeText', description: 'Answer in a form with one text field' },
    { name: 'Custom Form', value: 'customForm', description: 'Answer in a form with fields of your own' },
  ],
};

const OPTIONS = optionsCollection([
  LIMIT_WAIT_TIME,
  text('Message Button Label', 'messageButtonLabel', {
    default: 'Respond',
    description: 'Of the button that leads to the form',
    displayOptions: { hide: { '/responseType': ['approval'] } },
  }),
  text('Response Form Title', 'responseFormTitle', {
    description: 'The subject unless given',
    displayOptions: { hide: { '/responseType': ['approval'] } },
  }),
]);

/** The parameters of Send and Wait for Response at a provider; names and order are those of n8n's own mail nodes. */
export function sendAndWaitProperties(provider: Provider): INodeProperties[] {
  const show = { provider: [provider.id], resource: ['message'], operation: [SEND_AND_WAIT_OPERATION] };
  const shown = (property: INodeProperties, more: Record<string, (string | boolean)[]> = {}): INodeProperties => ({
    ...property,
    displayOptions: { show: { ...show, ...more } },
  });
  const message = { required: true, typeOptions: { rows: 4 } };
  return [
    ...places(provider).map(([key, field]) => shown(parameter(provider, key, byIdOnly(field), false))),
    shown(
      text('To', 'to', {
        required: true,
        placeholder: 'name@email.com',
        description: 'One address: whoever gets the mail can respond',
      }),
    ),
    shown(text('Subject', 'subject', { required: true, placeholder: 'e.g. Approval required' })),
    // Elsewhere in the node `message` is a picker, which n8n would show here as "[object Object]". As a tool the node
    // has the name that n8n gives it.
    shown(text('Message', 'text', message), { '@tool': [false] }),
    shown(text('Message', 'message', message), { '@tool': [true] }),
    shown(RESPONSE_TYPE),
    shown(FORM_ELEMENTS, { responseType: ['customForm'] }),
    shown(APPROVAL_OPTIONS, { responseType: ['approval'] }),
    shown(OPTIONS),
  ];
}

/**
 * Sends the mail with its links and puts the execution to wait. As with n8n's own nodes one mail is sent for all items
 * of a run, whose parameters are those of the first. The links are made before the mail, and nothing is sent where n8n
 * cannot make them.
 */
export async function sendAndWait(
  node: IExecuteFunctions,
  signal: AbortSignal | undefined,
): Promise<INodeExecutionData[][]> {
  const provider = providerById(node.getNodeParameter('provider', 0) as string);
  if (!canAsk(provider))
    throw new MailError('unsupported', `${provider.name} cannot send and wait for a response.`, {
      provider: provider.name,
    });
  const subject = String(node.getNodeParameter('subject', 0, ''));
  const message = String(node.getNodeParameter('text', 0, '') || node.getNodeParameter('message', 0, ''));
  const to = String(node.getNodeParameter('to', 0, '')).trim();
  const until = waitTill(node);
  if (/[,;]/.test(to) || (to.match(/@/g) ?? []).length !== 1) {
    throw new NodeOperationError(node.getNode(), `To must be one address, not "${to.slice(0, 80)}".`, {
      itemIndex: 0,
      description:
        'Everybody who gets this mail could respond, and the first response counts. For several people, use several nodes.',
    });
  }
  if (node.getNodeParameter('responseType', 0, 'approval') === 'customForm' && !fieldsOf(node).length) {
    throw new NodeOperationError(node.getNode(), 'The form has no element.', {
      itemIndex: 0,
      description: 'Add one under Form Elements.',
    });
  }
  const { text, html } = askingMail(message, buttonsOf(node));
  const { input: fields } = (provider.operations as Readonly<Record<string, Operation>>)['message.send']!;
  const input: Record<string, unknown> = {
    to: [to],
    subject,
    ...(Object.hasOwn(fields, 'text') ? { text, html } : { plainTextBody: text, htmlBody: html }),
  };
  for (const [key, field] of places(provider))
    input[key] = node.getNodeParameter(key, 0, '', { extractValue: isPicked(provider, field) });
  const { client } = await openAccount(node, provider.id, 0, signal);
  await client.call('message.send', input);
  await node.putExecutionToWait(until);
  return [node.getInputData()];
}

/** The links of the mail. Throws where this n8n signs none: an unsigned one could be guessed. */
function buttonsOf(node: IExecuteFunctions): Button[] {
  const link = (approved: boolean) =>
    (node as { getSignedResumeUrl?: IExecuteFunctions['getSignedResumeUrl'] }).getSignedResumeUrl!.call(node, {
      approved: String(approved),
    });
  if (typeof (node as { getSignedResumeUrl?: unknown }).getSignedResumeUrl !== 'function') {
    throw new NodeOperationError(node.getNode(), 'This version of n8n makes no signed links, so nothing was sent.', {
      description: 'Update n8n.',
    });
  }
  if (node.getNodeParameter('responseType', 0, 'approval') !== 'approval') {
    return [
      {
        label: String(node.getNodeParameter('options.messageButtonLabel', 0, '') || 'Respond'),
        url: link(true),
        primary: true,
      },
    ];
  }
  const { approvalType, approveLabel, disapproveLabel } = approvalOf(
    node.getNodeParameter('approvalOptions.values', 0, {}),
  );
  const approve = { label: approveLabel, url: link(true), primary: true };
  return approvalType === 'double'
    ? [approve, { label: disapproveLabel, url: link(false), primary: false }]
    : [approve];
}
function approvalOf(values: unknown) {
  const { approvalType, approveLabel, disapproveLabel } = values as {
    approvalType?: string;
    approveLabel?: string;
    disapproveLabel?: string;
  };
  return { approvalType, approveLabel: approveLabel || 'Approve', disapproveLabel: disapproveLabel || 'Decline' };
}

/** When the execution goes on without a response. */
function waitTill(node: IExecuteFunctions): Date {
  const values = node.getNodeParameter('options.limitWaitTime.values', 0, {}) as {
    limitType?: string;
    resumeAmount?: number;
    resumeUnit?: string;
    maxDateAndTime?: string;
  };
  if (!Object.keys(values).length) return WAIT_INDEFINITELY;
  const unit = { minutes: 60_000, hours: 3_600_000, days: 86_400_000 }[values.resumeUnit ?? 'hours'] ?? NaN;
  const until =
    values.limitType === 'atSpecifiedTime'
      ? new Date(values.maxDateAndTime ?? '')
      : new Date(Date.now() + Number(values.resumeAmount ?? 1) * unit);
  if (Number.isNaN(until.getTime())) {
    throw new NodeOperationError(node.getNode(), 'Limit Wait Time is no time that could be waited for.', {
      itemIndex: 0,
      description: 'Nothing was sent.',
    });
  }
  return until;
}

type Reader = Pick<IExecuteFunctions | IWebhookFunctions, 'getNode'> & { getNodeParameter: unknown };
/** The elements of the form, without those that have no label. */
function fieldsOf(node: Reader): FormField[] {
  const read = node.getNodeParameter as (name: string, ...rest: unknown[]) => unknown;
  const values =
    'continueOnFail' in node ? read.call(node, 'formFields.values', 0, []) : read.call(node, 'formFields.values', []);
  return (values as { fieldLabel?: string; fieldType?: string; choices?: string | string[]; requiredField?: boolean }[])
    .filter(({ fieldLabel }) => fieldLabel)
    .map(({ fieldLabel, fieldType = 'text', choices = '', requiredField = false }) => ({
      label: fieldLabel!,
      type: fieldType,
      required: requiredField,
      choices: (Array.isArray(choices) ? choices : choices.split(',')).map(one => one.trim()).filter(Boolean),
    }));
}

/**
 * Answers whoever follows a link of the mail; n8n has checked the signature. Opening it shows a page and decides
 * nothing, because scanners and previews of mail open links too; what is sent from that page is the response and
 * resumes the execution.
 */
export async function sendAndWaitWebhook(this: IWebhookFunctions): Promise<IWebhookResponseData> {
  const { method, query } = this.getRequestObject();
  const response = this.getResponseObject();
  const responseType = this.getNodeParameter('responseType', 'approval') as string;
  const approved = query.approved === 'true';
  const { approveLabel, disapproveLabel } = approvalOf(this.getNodeParameter('approvalOptions.values', {}));
  const fields: FormField[] =
    responseType === 'customForm'
      ? fieldsOf(this)
      : responseType === 'freeText'
        ? [{ label: 'Response', type: 'textarea', required: true, choices: [] }]
        : [];
  if (method === 'GET' || method === 'HEAD') {
    const options = this.getNodeParameter('options', {}) as { responseFormTitle?: string };
    html(response).send(
      formPage({
        title: options.responseFormTitle || String(this.getNodeParameter('subject', '')),
        message: String(this.getNodeParameter('text', '') || this.getNodeParameter('message', '')),
        fields,
        button: fields.length ? 'Submit' : approved ? approveLabel : disapproveLabel,
      }),
    );
    return { noWebhookResponse: true };
  }
  // n8n has no body where none was sent, as by a program that presses the button.
  const body = (this.getBodyData() as IDataObject | undefined) ?? {};
  const sent = (typeof body.data === 'object' && body.data ? body.data : body) as IDataObject;
  const given = (at: number) => {
    const value = sent[`field-${at}`];
    return Array.isArray(value) ? value[0] : value;
  };
  const missing = fields.filter(({ required }, at) => required && !String(given(at) ?? '').trim());
  if (missing.length) {
    html(response)
      .status(400)
      .send(
        answerPage(
          'Something is missing',
          `Please go back and fill in: ${missing.map(({ label }) => label).join(', ')}.`,
        ),
      );
    return { noWebhookResponse: true };
  }
  const respondedAt = new Date().toISOString();
  // The time comes last, so that no field of the form takes its place.
  const data: IDataObject =
    responseType === 'customForm'
      ? { ...Object.fromEntries(fields.map((field, at) => [field.label, valueOf(field, given(at))])), respondedAt }
      : responseType === 'freeText'
        ? { text: String(given(0) ?? ''), respondedAt }
        : { approved, respondedAt };
  html(response);
  return {
    webhookResponse: answerPage('Thank you', 'Your response was recorded. This page can be closed now.'),
    workflowData: [[{ json: { data } }]],
  };
}

const valueOf = ({ type }: FormField, given: unknown) => {
  const text = String(given ?? '').slice(0, 100_000);
  return text === '' ? null : type === 'number' && Number.isFinite(Number(text)) ? Number(text) : text;
};

/** What the page may do: show itself and send its form. It runs no script, whatever stands in the message. */
function html(response: ReturnType<IWebhookFunctions['getResponseObject']>) {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.setHeader('Content-Security-Policy', "sandbox allow-forms; default-src 'none'; style-src 'unsafe-inline'");
  response.setHeader('Referrer-Policy', 'no-referrer');
  return response;
}
