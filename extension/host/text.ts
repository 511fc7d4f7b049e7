type Translate = (message: string, ...args: (string | number)[]) => string;

const fill: Translate = (message, ...args) =>
  message.replace(/\{(\d+)\}/g, (_, i: string) => String(args[Number(i)] ?? ''));
let translate: Translate = fill;
let translated = false;
/**
 * Puts VS Code's translation behind `t`; without it the English texts are used, so that nothing here needs VS Code.
 * `really`: there is a bundle for the user's language.
 */
export const translateWith = (translator: Translate, really = true): void => {
  translate = translator;
  translated = really;
};
export const isTranslated = (): boolean => translated;
/** A whole sentence of the interface; `{0}` stands for the first argument. */
export const t: Translate = (message, ...args) => translate(message, ...args);

const SPELLED: Readonly<Record<string, string>> = {
  ip: 'IP',
  id: 'ID',
  url: 'URL',
  dns: 'DNS',
  rs: 'Rackspace',
  ews: 'EWS',
  html: 'HTML',
  api: 'API',
  oauth: 'OAuth',
  ips: 'IPs',
};

/** Names of products, which are one word. */
const PRODUCTS: Readonly<Record<string, string>> = { blackBerry: 'BlackBerry', activeSync: 'ActiveSync' };

/** `rsMailbox` -> `Rackspace Mailbox`, with the words that have a spelling of their own. */
export const title = (name: string): string => t(inEnglish(name));
function inEnglish(name: string): string {
  return (PRODUCTS[name] ?? name.replace(/([a-z])([A-Z])/g, '$1 $2'))
    .split(/[ _]/)
    .filter(Boolean)
    .map(word => SPELLED[word.toLowerCase()] ?? word[0]!.toUpperCase() + word.slice(1))
    .join(' ');
}

/** `mailbox` -> `Mailboxes`: the name of a branch of the tree. */
export function plural(resource: string): string {
  const name = inEnglish(resource);
  if (/(settings|status|sync|berry)$/i.test(name)) return t(name);
  if (/[^aeiou]y$/i.test(name)) return t(`${name.slice(0, -1)}ies`);
  return t(/(s|x|ch|sh)$/i.test(name) ? `${name}es` : `${name}s`);
}

/** `Rackspace Mailbox` -> `rackspace mailbox`, for the middle of a sentence. Words in capitals stay. */
export const inSentence = (name: string): string =>
  name
    .split(' ')
    .map(word => (/^[A-Z][A-Z]|^OAuth/.test(word) ? word : word.toLowerCase()))
    .join(' ');

/** Without the invisible letters that turn text around or end lines, which make a name or a file look like another. */
export const plain = (text: string): string =>
  text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\p{Cc}]/gu, '');

/**
 * Text in which VS Code finds neither links (`[words](command:…)`) nor icons (`$(name)`), nor what turns letters
 * around. Line ends stay. Nothing may be taken out of it or joined to it afterwards by what is not ours: two halves
 * could become a link.
 */
export const withoutMarkup = (text: string): string =>
  text
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|(?![\n\r\t])\p{Cc}/gu, '')
    .replace(/\]\(/g, '] (')
    .replace(/\$\(/g, '$ (');

/** A name is shown to this length, and with so many marks on one letter: more would only stall what draws it. */
const LONGEST = 200;
const MARKS = /(\p{M}{16})\p{M}+/gu;
/** A text that names something, in a length that a row or a title can show. */
export const brief = (text: string): string => {
  const short = plain(text.slice(0, LONGEST * 10)).replace(MARKS, '$1');
  return short.length > LONGEST ? `${short.slice(0, LONGEST - 1).replace(/[\ud800-\udbff]$/, '')}…` : short;
};
/** A value in words, short enough for a row or a question. */
export function shown(value: unknown): string {
  if (value === null || value === undefined || value === '' || (Array.isArray(value) && !value.length))
    return t('not set');
  if (typeof value === 'boolean') return value ? t('Yes') : t('No');
  return typeof value === 'string'
    ? `“${brief(value)}”`
    : brief(Array.isArray(value) ? value.join(', ') : JSON.stringify(value));
}
