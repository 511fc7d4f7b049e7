import { isFile, type FileValue } from '../../shared/index.js';
import { t } from '../host/text.js';
import type { Values } from '../webview/messages.js';

/** The raw source of a message is shown to this length, in bytes: an editor bears no more. */
const LONGEST_SOURCE = 5_000_000;

/** The headers of a message where the answer brought them along. */
export const headersOf = (full: Values | undefined): unknown => {
  const native = full?.native as Values | undefined;
  return native?.headers ?? native?.internetMessageHeaders;
};
/** Headers as lines, in whatever shape a provider gives them. */
export function headerLines(headers: unknown): string {
  if (typeof headers === 'string') return headers;
  if (isFile(headers)) return '';
  if (Array.isArray(headers)) {
    return headers
      .map(one =>
        typeof one === 'object' && one !== null
          ? `${String((one as Values).name ?? (one as Values).key ?? '')}: ${String((one as Values).value ?? '')}`
          : String(one),
      )
      .join('\n');
  }
  const inner = (headers as Values | null)?.headers ?? (headers as Values | null)?.native ?? headers;
  return Object.entries(inner as Values)
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map(
        one => `${name}: ${typeof one === 'object' ? JSON.stringify(one) : String(one)}`,
      ),
    )
    .join('\n');
}
/** The file in an answer. */
export const fileIn = (answer: unknown): FileValue | undefined =>
  isFile(answer) ? answer : Object.values(answer as Values).find(isFile);
/** A file to this length, in bytes; `cut` where there is more. */
export async function beginningOf(file: FileValue, most: number): Promise<{ bytes: Buffer; cut: boolean }> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of file.open()) {
    // A file that lies in memory comes in one piece, and what is not shown of it is not copied.
    parts.push(part.subarray(0, most - size));
    if ((size += part.byteLength) > most) break;
  }
  return { bytes: Buffer.concat(parts), cut: size > most };
}
/** The source of a message as a text that an editor bears. */
export async function sourceText(answer: unknown): Promise<string> {
  const file = fileIn(answer);
  if (!file) return typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2);
  const { bytes, cut } = await beginningOf(file, LONGEST_SOURCE);
  const text = bytes.toString('utf8');
  // Cut in the middle of a letter, the last one is broken.
  return (
    (text.slice(0, -4).includes('\ufffd') ? bytes.toString('latin1') : text.replace(cut ? /\ufffd+$/ : /(?!)/, '')) +
    (cut ? `\n\n${t('Only the first {0} MB of the message are shown.', LONGEST_SOURCE / 1_000_000)}` : '')
  );
}
