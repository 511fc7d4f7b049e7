import * as vscode from 'vscode';
import { isMailError, MailError, readMail, type Client, type Provider, type ReadMail } from '../../shared/index.js';
import type { AccountInfo } from '../accounts/store.js';
import { t } from '../host/text.js';
import { createReader } from './reader.js';

interface EmlOptions {
  extension: vscode.Uri;
  showJson(label: string, value: unknown): Promise<void>;
  showText(name: string, language: string, text: () => Promise<string>): Promise<void>;
}
const field = (label: string, ref: string) => ({ type: 'text', label, required: true, ref });
const operation = (input: object) => ({ summary: '', effect: 'read', docs: '', input, run: () => undefined });
const OPERATIONS = {
  'message.get': operation({ message: field('Message', 'message') }),
  'message.source': operation({ message: field('Message', 'message') }),
  'attachment.get': operation({ message: field('Message', 'message'), attachment: field('Attachment', 'attachment') }),
};
/** What can be done with a message that lies in a file. */
export const fileProvider = (...can: (keyof typeof OPERATIONS)[]): Provider =>
  ({
    id: 'file',
    name: 'File',
    docs: '',
    auth: { fields: {} },
    pace: { concurrent: 1, perMinute: 60 },
    feeds: {},
    operations: Object.fromEntries(can.map(name => [name, OPERATIONS[name]])),
  }) as unknown as Provider;

/** A message of a file, or why it is not read. */
type FileMail = ReadMail & { error?: string };
/** What cannot be taken apart still has a source. */
const readFile = (bytes: Uint8Array): Promise<FileMail> =>
  readMail(bytes).catch((error: unknown): FileMail => {
    if (!isMailError(error)) throw error;
    return { id: 'message', to: [], native: {}, error: error.message };
  });

/** Shows .eml files in the reader. Nothing is written, and nothing is fetched. */
export function createEmlEditor({ extension, showJson, showText }: EmlOptions): vscode.CustomReadonlyEditorProvider {
  const provider = fileProvider('message.get', 'message.source', 'attachment.get');
  return {
    openCustomDocument: uri => ({ uri, dispose() {} }),
    async resolveCustomEditor({ uri }, panel) {
      let bytes: Promise<Uint8Array> | undefined;
      let mail: Promise<FileMail> | undefined;
      // What could not be had is tried again with the next click.
      const file = () =>
        (bytes ??= Promise.resolve(vscode.workspace.fs.readFile(uri)).catch((error: unknown) => {
          bytes = undefined;
          throw error;
        }));
      const call = async (name: string, input: Record<string, unknown>): Promise<unknown> => {
        const all = await file();
        if (name === 'message.source')
          return {
            name: 'message.eml',
            type: 'message/rfc822',
            open: async function* () {
              yield all;
            },
          };
        const { attachments, ...rest } = await (mail ??= readFile(all));
        if (name === 'message.get')
          return { ...rest, ...(attachments ? { attachments: attachments.map(({ content: _, ...one }) => one) } : {}) };
        const content = attachments?.find(({ id }) => id === input.attachment)?.content;
        if (!content) throw new MailError('not_found', t('The message has no such attachment.'));
        return content;
      };
      const account: AccountInfo = { id: uri.toString(), name: '', provider, values: {} };
      const reader = createReader({
        extension,
        showJson,
        showText,
        compose() {},
        ownTitle: false,
        accounts: { open: async () => ({ provider, call }) as unknown as Client },
        operator: { run: async () => false },
      });
      await reader.read(
        { account, resource: 'message', binding: { refs: { message: 'message' }, choices: {} }, label: '' },
        { panel },
      );
    },
  };
}
