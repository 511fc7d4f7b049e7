import { t } from '../host/text.js';

/** So much of a text is looked at, in characters. */
const LONGEST = 1_000_000;
/**
 * Gmail shows no more of a message's HTML, in bytes, and a link to the rest
 * (mailchimp.com/help/gmail-is-clipping-my-email).
 */
const CLIPPED = 102 * 1024;

const GMAIL = 'Gmail';
const OUTLOOK = 'Outlook for Windows';
const OUTLOOK_COM = 'Outlook.com';
const YAHOO = 'Yahoo';
/**
 * What common mail programs leave out or do not follow, as caniemail.com/features/<page> had it in June 2026. Each
 * pattern looks at styles or at tags.
 */
const DROPPED: readonly { page: string; what: string; styles?: RegExp; tags?: RegExp; by: readonly string[] }[] = [
  {
    page: 'css-position',
    what: 'position',
    styles: /(?:^|[;{\s])position\s*:\s*(?:absolute|fixed|sticky|relative)/i,
    by: [GMAIL, OUTLOOK],
  },
  { page: 'css-display-flex', what: 'display: flex', styles: /display\s*:\s*(?:inline-)?flex/i, by: [OUTLOOK] },
  { page: 'css-display-grid', what: 'display: grid', styles: /display\s*:\s*(?:inline-)?grid/i, by: [OUTLOOK] },
  {
    page: 'css-background-image',
    what: 'background-image',
    styles: /background(?:-image)?\s*:[^;}]{0,300}url\(/i,
    by: [OUTLOOK],
  },
  { page: 'css-border-radius', what: 'border-radius', styles: /border(?:-\w+){0,2}-radius\s*:/i, by: [OUTLOOK] },
  { page: 'css-float', what: 'float', styles: /(?:^|[;{\s])float\s*:/i, by: [OUTLOOK] },
  { page: 'css-variables', what: 'var()', styles: /var\(\s*--/i, by: [GMAIL, OUTLOOK, OUTLOOK_COM, YAHOO] },
  { page: 'css-at-font-face', what: '@font-face', styles: /@font-face/i, by: [GMAIL, OUTLOOK_COM, YAHOO] },
  {
    page: 'html-link',
    what: '<link rel="stylesheet">',
    tags: /^<link\b[^>]*stylesheet/i,
    by: [GMAIL, OUTLOOK_COM, YAHOO],
  },
  { page: 'html-svg', what: '<svg>', tags: /^<svg\b/i, by: [GMAIL, OUTLOOK, OUTLOOK_COM, YAHOO] },
  { page: 'html-video', what: '<video>', tags: /^<video\b/i, by: [GMAIL, OUTLOOK, OUTLOOK_COM, YAHOO] },
  { page: 'html-form', what: '<form>', tags: /^<form\b/i, by: [OUTLOOK] },
  { page: 'image-base64', what: 'data: images', tags: /^<img\b[^>]*\bsrc\s*=\s*["']?data:/i, by: [GMAIL] },
  { page: 'image-webp', what: 'WebP images', tags: /^<img\b[^>]*\bsrc\s*=\s*["']?[^"'\s>]+\.webp\b/i, by: [OUTLOOK] },
];

/**
 * How addresses and placeholders of links name it. Gmail asks for the headers in mail to many
 * (support.google.com/mail/answer/81126).
 */
const UNSUBSCRIBE = /un-?_?subscribe|opt-?_?out/i;

/** A tag with its attributes, in a length that tags have. */
const TAG = /<[a-z][^<>]{0,4000}>/gi;
const attribute = (tag: string, name: string): string | undefined => {
  const found = new RegExp(`[\\s"']${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(tag);
  return found ? (found[1] ?? found[2] ?? found[3] ?? '') : undefined;
};

/**
 * What will likely go wrong with a message of this HTML, told without a request. `hasText`: a plain text goes with it.
 */
export function hintsOf(html: string, { hasText }: { hasText: boolean }): string[] {
  const bytes = Buffer.byteLength(html);
  const looked = html.slice(0, LONGEST).replace(/<!--[^]*?(?:-->|$)/g, '');
  const tags = looked.match(TAG) ?? [];
  const styles = [...looked.matchAll(/<style\b[^>]{0,500}>([^]*?)(?:<\/style|$)/gi)]
    .map(([, text]) => text)
    .concat(tags.map(tag => attribute(tag, 'style') ?? ''))
    .join('\n');
  const without = tags.filter(tag => /^<img\b/i.test(tag) && attribute(tag, 'alt') === undefined).length;
  const links = tags
    .filter(tag => /^<a\b/i.test(tag))
    .map(tag => attribute(tag, 'href')?.trim())
    .filter(url => url !== undefined);
  const plainly = links.filter(url => /^http:/i.test(url)).length;
  const nowhere = links.filter(url => !/^(?:[a-z][a-z\d+.-]*:|\{|%)/i.test(url)).length;
  const own = tags.filter(
    tag => /^<img\b/i.test(tag) && !/^(?:https?:|cid:|data:|\/\/|\{|%)/i.test(attribute(tag, 'src')?.trim() ?? 'cid:'),
  ).length;
  return [
    ...(bytes > CLIPPED
      ? [t('The HTML has {0} KB. Gmail cuts it off after {1} KB.', Math.ceil(bytes / 1024), CLIPPED / 1024)]
      : []),
    ...(hasText ? [] : [t('There is no plain text part. A file of the same name that ends with .txt becomes one.')]),
    ...(without ? [without === 1 ? t('One image has no alt text.') : t('{0} images have no alt text.', without)] : []),
    ...(plainly ? [plainly === 1 ? t('One link does not use https.') : t('{0} links do not use https.', plainly)] : []),
    ...(nowhere
      ? [
          nowhere === 1
            ? t('One link has no host, so it leads nowhere from a mail.')
            : t('{0} links have no host, so they lead nowhere from a mail.', nowhere),
        ]
      : []),
    ...(links.some(url => UNSUBSCRIBE.test(url))
      ? [
          t(
            'A link unsubscribes, so this is likely mail to many. Send it with the headers List-Unsubscribe and List-Unsubscribe-Post (RFC 8058).',
          ),
        ]
      : []),
    ...(own
      ? [
          own === 1
            ? t('One image has no host, so mail programs cannot load it.')
            : t('{0} images have no host, so mail programs cannot load them.', own),
        ]
      : []),
    ...(tags.some(tag => /^<script\b/i.test(tag)) ? [t('Mail programs remove scripts.')] : []),
    ...DROPPED.filter(({ styles: inStyles, tags: inTags }) =>
      inStyles ? inStyles.test(styles) : tags.some(tag => inTags!.test(tag)),
    ).map(({ page, what, by }) =>
      t('{0} does not work in {1} (caniemail.com/features/{2}).', what, by.join(', '), page),
    ),
  ];
}

/** The title of a page, which becomes the subject. */
export const titleOf = (html: string): string | undefined =>
  /<title\b[^>]{0,500}>([^<]{0,1000})/i.exec(html.slice(0, LONGEST))?.[1]?.replace(/\s+/g, ' ').trim() || undefined;
