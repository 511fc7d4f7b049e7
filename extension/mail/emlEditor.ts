import * as vscode from 'vscode';
import { MailError, readMail, type Client, type Provider, type ReadMail } from '../../shared/index.js';
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

/** Shows .eml files in the reader. Nothing is written, and nothing is fetched. */
export function createEmlEditor({ extension, showJson, showText }: EmlOptions): vscode.CustomReadonlyEditorProvider {
  const provider = fileProvider('message.get', 'message.source', 'attachment.get');
  return {
    openCustomDocument: uri => ({ uri, dispose() {} }),
    async resolveCustomEditor({ uri }, panel) {
      let read: Promise<{ bytes: Uint8Array; mail: ReadMail }> | undefined;
      // What could not be read is tried again with the next click.
      const file = () =>
        (read ??= Promise.resolve(vscode.workspace.fs.readFile(uri))
          .then(async bytes => ({ bytes, mail: await readMail(bytes) }))
          .catch((error: unknown) => {
            read = undefined;
            throw error;
          }));
      const call = async (name: string, input: Record<string, unknown>): Promise<unknown> => {
        const { bytes, mail } = await file();
        if (name === 'message.source')
          return {
            name: 'message.eml',
            type: 'message/rfc822',
            open: async function* () {
              yield bytes;
            },
          };
        if (name === 'message.get')
          return { ...mail, attachments: mail.attachments?.map(({ content: _, ...one }) => one) };
        const content = mail.attachments?.find(({ id }) => id === input.attachment)?.content;
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
