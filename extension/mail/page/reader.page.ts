import type { MailAction, MailView, PageWord, ReaderModel } from '../../webview/messages.js';
import {
  announce,
  ask,
  button,
  errorText,
  h,
  keepFocus,
  main,
  remember,
  remembered,
  start,
  w,
} from '../../webview/page/page.js';
import { limitCharacters } from './characterLimits.js';
import { inspectionOf, size } from './inspection.js';
import { mailFrame } from './mailFrame.js';
import { sanitize } from './sanitize.js';

const root = main('reader');
let model: ReaderModel | undefined;
const modes = new Map(Object.entries(remembered<{ modes: Record<string, 'text' | 'html'> }>().modes ?? {}));
const drawn = new Map<string, HTMLElement>();
const tell = (error: unknown) => announce(errorText(error), true);
/**
 * How wide HTML is shown, in CSS pixels where it is not as wide as the page, and on which ground: for all messages of
 * the page.
 */
const WIDTHS = { full: undefined, phone: 375, desktop: 1024 } as const;
type Look = { width: keyof typeof WIDTHS; ground: 'light' | 'dark' };
let look: Look = { width: 'full', ground: 'light', ...remembered<{ look: Look }>().look };

function show(reader: ReaderModel): void {
  model = reader;
  drawn.clear();
  const again = (label: string) =>
    button(label, () => void ask({ do: 'reload' }).catch(tell), { secondary: true, focus: 'reload' });
  keepFocus(
    () =>
      root.replaceChildren(
        h(
          'header',
          {},
          h(
            'div',
            { class: 'head' },
            h('h1', { dir: 'auto' }, reader.title),
            reader.facts.length
              ? h(
                  'p',
                  { class: 'facts' },
                  ...reader.facts.map(({ label, value }) => h('span', { dir: 'auto' }, `${label}: ${value}`)),
                )
              : undefined,
          ),
          h(
            'div',
            { class: 'actions' },
            ...(reader.can.walk && !reader.busy
              ? (['previous', 'next'] as const).map(way => {
                  const [key] = KEYS.find(([, does]) => does === way)!;
                  return button(w(way === 'next' ? 'Next' : 'Previous'), () => act(reader.messages.at(-1)!, way), {
                    secondary: true,
                    focus: way,
                    title: w('Key: {0}', key.toUpperCase()),
                  });
                })
              : []),
            reader.busy || reader.problem ? undefined : again(w('Reload')),
          ),
        ),
        ...(reader.busy ? [h('p', { class: 'empty' }, w('Loading…'))] : []),
        ...(reader.problem
          ? [h('p', { class: 'notice bad', role: 'alert' }, reader.problem), again(w('Try Again'))]
          : []),
        ...reader.messages.map(mail => {
          const element = draw(mail);
          drawn.set(mail.id, element);
          return element;
        }),
      ),
    () => root.querySelector('article'),
  );
  if (reader.busy) return;
  const { scroll, focus } = remembered<{ scroll: number; focus: string }>();
  back = scroll ?? 0;
  scrollBack();
  // Pictures need a page anew: whoever asked for them by key goes on where he was.
  if (focus) {
    remember({ focus: undefined });
    drawn.get(focus)?.focus({ preventScroll: true });
  }
}
/**
 * Where the page was, until it is there again: it grows as the mail in it is laid out. Whoever moves on his own is not
 * moved any more.
 */
let back: number | undefined;
function scrollBack(): void {
  if (back === undefined) return;
  window.scrollTo(0, back);
  if (window.scrollY >= back - 1) back = undefined;
}
for (const move of ['wheel', 'keydown', 'pointerdown'] as const)
  window.addEventListener(
    move,
    () => {
      back = undefined;
    },
    { passive: true },
  );
window.addEventListener(
  'scroll',
  () => {
    if (back === undefined) remember({ scroll: window.scrollY });
  },
  { passive: true },
);

/** What keys do with the message that has the focus, else with the last of the page. */
const KEYS: readonly (readonly [key: string, does: MailAction])[] = [
  ['r', 'reply'],
  ['a', 'replyAll'],
  ['f', 'forward'],
  ['Delete', 'delete'],
  ['j', 'next'],
  ['k', 'previous'],
];
const act = (mail: MailView, what: MailAction) => void ask({ do: 'mail', message: mail.id, what }).catch(tell);
const offers = ({ can }: ReaderModel, what: MailAction): boolean | undefined =>
  what === 'delete'
    ? can.remove
    : what === 'next' || what === 'previous'
      ? can.walk
      : what === 'replyAll'
        ? can.reply && can.replyAll
        : what === 'reply' || what === 'forward'
          ? can[what]
          : false;
window.addEventListener('keydown', ({ key, ctrlKey, altKey, metaKey, repeat, target }) => {
  const within = target instanceof Element ? target : undefined;
  const does = KEYS.find(([one]) => one === (key.length > 1 ? key : key.toLowerCase()))?.[1];
  if (
    !model ||
    !does ||
    ctrlKey ||
    altKey ||
    metaKey ||
    repeat ||
    within?.closest('input,textarea,select') ||
    !offers(model, does)
  )
    return;
  const id = within?.closest<HTMLElement>('article')?.dataset.message;
  const mail = model.messages.find(one => one.id === id) ?? model.messages.at(-1);
  if (mail?.loaded) act(mail, does);
});
/** Buttons that stand for each other: the focus goes from one to the other. */
const SAME: Partial<Record<MailAction, MailAction>> = { markUnread: 'markRead', uninspect: 'inspect', unflag: 'flag' };
/** A few of which one is chosen; the message is drawn anew with it. */
function choiceOf<O extends string>(
  mail: MailView,
  label: PageWord,
  options: Record<O, PageWord>,
  chosen: O,
  choose: (one: O) => void,
): HTMLElement {
  return h(
    'span',
    { role: 'group', 'aria-label': w(label), class: 'choice' },
    ...(Object.keys(options) as O[]).map(one => {
      const name = w(options[one]);
      const made = button(
        name,
        () => {
          choose(one);
          redraw(mail);
          announce(name, false, 'aloud');
        },
        { secondary: chosen !== one, focus: `${mail.id} ${one}` },
      );
      made.setAttribute('aria-pressed', String(chosen === one));
      return made;
    }),
  );
}
const expands = (made: HTMLButtonElement, { inspection }: MailView): HTMLButtonElement => {
  made.setAttribute('aria-expanded', String(inspection !== undefined));
  return made;
};
/** A button, with its key where there is one, for what is done with a message. */
function tool(mail: MailView, label: PageWord, what: MailAction, primary = false): HTMLButtonElement {
  const key = KEYS.find(([, does]) => does === what)?.[0];
  const shown = key && key.length > 1 ? key : key?.toUpperCase();
  const made = button(w(label), () => act(mail, what), {
    secondary: !primary,
    focus: `${mail.id} ${SAME[what] ?? what}`,
    ...(shown ? { title: w('Key: {0}', shown) } : {}),
  });
  if (shown) made.setAttribute('aria-keyshortcuts', shown);
  return made;
}
/** Whether a message that has both is shown as text or as HTML. */
const modeOf = (mail: MailView): 'text' | 'html' =>
  modes.get(mail.id) ??
  (mail.html !== undefined && (mail.text === undefined || mail.textFromHtml || model!.preferHtml) ? 'html' : 'text');

function draw(mail: MailView): HTMLElement {
  const mode = modeOf(mail);
  const article = h(
    'article',
    { class: 'mail', 'data-message': mail.id, 'aria-label': mail.from ?? '', tabindex: '-1' },
    headline(mail, mode),
  );
  if (mail.problem) article.append(h('p', { class: 'notice bad', role: 'alert' }, mail.problem));
  if (!mail.loaded) return article;
  article.append(...told(mail));
  if (mail.inspection) article.append(inspectionOf(mail.inspection, mail.id));
  if (mail.problem && mail.text === undefined && mail.html === undefined && !mail.attachments.length) return article;
  if (mode === 'html' && mail.html !== undefined) article.append(htmlBody(mail, mail.html));
  else
    article.append(
      h(
        'div',
        { class: 'body' },
        mail.textCut ? cutBar(mail) : undefined,
        mail.text !== undefined
          ? h('pre', {}, limitCharacters()(mail.text))
          : h('p', { class: 'empty' }, w('This message has no text.')),
      ),
    );
  const files = attachments(mail);
  if (files) article.append(files);
  return article;
}
/** Who wrote when to whom, and what can be done with it. */
function headline(mail: MailView, mode: 'text' | 'html'): HTMLElement {
  const people = [
    mail.to.length ? `${w('To')}: ${mail.to.join(', ')}` : '',
    mail.cc.length ? `${w('Cc')}: ${mail.cc.join(', ')}` : '',
  ]
    .filter(Boolean)
    .join(' · ');
  return h(
    'div',
    { class: 'mailhead' },
    h(
      'div',
      { class: 'who', dir: 'auto' },
      mail.from ?? '',
      ' ',
      mail.read === false ? h('span', { class: 'badge' }, w('Unread')) : undefined,
      ' ',
      mail.flagged ? h('span', { class: 'badge' }, `⚑ ${w('Flagged')}`) : undefined,
    ),
    h('div', { class: 'when' }, mail.date ?? ''),
    h('div', { class: 'people', dir: 'auto' }, people),
    h(
      'div',
      { class: 'tools' },
      ...(mail.loaded
        ? tools(mail, mode)
        : [
            button(
              w(mail.problem ? 'Try Again' : 'Show message'),
              () => void ask({ do: 'read', message: mail.id }).catch(tell),
              { secondary: true, focus: `${mail.id} read` },
            ),
          ]),
    ),
    mail.loaded && h('div', { class: 'tools' }, ...lookers(mail)),
  );
}
/** What is done with a message. */
function tools(mail: MailView, mode: 'text' | 'html'): (HTMLElement | false | undefined)[] {
  const { can } = model!;
  return [
    can.deliver && tool(mail, 'Send to Local Inbox', 'deliver', true),
    can.reply && tool(mail, 'Reply', 'reply', true),
    can.reply && can.replyAll && tool(mail, 'Reply All', 'replyAll'),
    can.forward && tool(mail, 'Forward', 'forward'),
    can.resend && tool(mail, 'Send Again…', 'resend'),
    can.flag && tool(mail, mail.flagged ? 'Remove Flag' : 'Flag', mail.flagged ? 'unflag' : 'flag'),
    can.mark &&
      mail.read !== undefined &&
      tool(mail, mail.read ? 'Mark as Unread' : 'Mark as Read', mail.read ? 'markUnread' : 'markRead'),
    can.move && tool(mail, 'Move…', 'move'),
    can.link && tool(mail, 'Link Task…', 'linkTask'),
    can.unlink && tool(mail, 'Unlink Task…', 'unlinkTask'),
    can.remove && tool(mail, 'Delete…', 'delete'),
    mail.html !== undefined &&
      mail.text !== undefined &&
      choiceOf(mail, 'Message text', { text: 'Plain text', html: 'HTML' }, mode, one => {
        modes.set(mail.id, one);
        remember({ modes: Object.fromEntries(modes) });
      }),
  ];
}
/** What shows of what a message is made. */
function lookers(mail: MailView): (HTMLElement | false | undefined)[] {
  const { can } = model!;
  return [
    can.inspect &&
      expands(
        tool(mail, mail.inspection ? 'Hide Details' : 'Details', mail.inspection ? 'uninspect' : 'inspect'),
        mail,
      ),
    can.headers && tool(mail, 'Headers', 'headers'),
    can.source && tool(mail, 'Source', 'source'),
    can.save && tool(mail, 'Save as .eml…', 'save'),
    mail.from ? tool(mail, 'Copy Address', 'copyAddress') : undefined,
    tool(mail, 'Open as JSON', 'json'),
    can.test && tool(mail, 'Copy as Test…', 'test'),
  ];
}
/** The files of a message, but for the pictures that stand in its text. */
function attachments(mail: MailView): HTMLElement | undefined {
  const files = mail.attachments.filter(one => !one.inline || !mail.html);
  const preview = h('div', {});
  if (!files.length) return undefined;
  const link = (label: PageWord, file: Attachment, how: 'save' | 'open' | 'preview', then?: (data: unknown) => void) =>
    named(
      button(
        w(label),
        () => void ask({ do: 'attachment', message: mail.id, attachment: file.id, how }).then(then).catch(tell),
        { class: 'link' },
      ),
      `${w(label)} ${file.name}`,
    );
  const show = (name: string) => (data: unknown) => {
    if (typeof data !== 'string') return;
    const image = h('img', { alt: name });
    image.src = data;
    preview.replaceChildren(image);
  };
  return h(
    'div',
    { class: 'attachments' },
    h('h2', {}, w('Attachments')),
    h(
      'ul',
      {},
      ...files.map(file =>
        h(
          'li',
          {},
          h(
            'span',
            {},
            file.name,
            ' ',
            h('span', { class: 'muted' }, size(file.size)),
            file.note === undefined ? undefined : h('small', { class: 'note' }, file.note),
          ),
          ...(model!.can.attachments
            ? [
                link('Save As…', file, 'save'),
                link('Open', file, 'open'),
                /^image\/(png|jpe?g|gif|webp)$/i.test(file.type) && link('Preview', file, 'preview', show(file.name)),
              ]
            : []),
        ),
      ),
    ),
    preview,
  );
}
type Attachment = MailView['attachments'][number];
/** What a message tells besides its text: codes, and its links with where they really lead. */
function told(mail: MailView): HTMLElement[] {
  const { links = [], codes = [], hints } = mail;
  return [
    ...(hints
      ? [
          hints.length
            ? h(
                'details',
                { class: 'links hints', open: true },
                h('summary', { 'data-focus': `${mail.id} hints` }, `${w('Hints')} (${hints.length})`),
                h('ul', {}, ...hints.map(hint => h('li', {}, hint))),
              )
            : h('p', { class: 'codes' }, w('No hints. Nothing stands out.')),
        ]
      : []),
    ...(codes.length
      ? [h('p', { class: 'codes' }, `${w('Codes')}: `, ...codes.map(code => h('code', { class: 'mono' }, code)))]
      : []),
    ...(links.length
      ? [
          h(
            'details',
            { class: 'links' },
            h('summary', { 'data-focus': `${mail.id} links` }, `${w('Links')} (${links.length})`),
            h(
              'ul',
              {},
              ...links.map(({ text, url }) =>
                h(
                  'li',
                  {},
                  text && text !== url ? h('span', { dir: 'auto' }, limitCharacters()(text)) : undefined,
                  h('span', { class: 'mono', dir: 'ltr' }, url),
                  named(
                    button(w('Open'), () => void ask({ do: 'link', url }).catch(tell), { class: 'link' }),
                    `${w('Open')} ${url}`,
                  ),
                ),
              ),
            ),
          ),
        ]
      : []),
  ];
}
function htmlBody(mail: MailView, html: string): HTMLElement {
  const dark = look.ground === 'dark';
  const clean = sanitize(html, { ...mail, dark });
  return h(
    'div',
    { class: 'body' },
    clean.remote && !mail.images
      ? bar(
          w('Remote images are blocked to protect your privacy.'),
          button(
            w('Load Images'),
            () => {
              remember({ focus: mail.id });
              void ask({ do: 'images', message: mail.id }).catch(tell);
            },
            { secondary: true },
          ),
        )
      : undefined,
    clean.cut || mail.htmlCut ? cutBar(mail) : undefined,
    h(
      'div',
      { class: 'looks' },
      choiceOf(mail, 'Width', { full: 'Full Width', phone: 'Phone', desktop: 'Desktop' }, look.width, width =>
        lookAt({ ...look, width }),
      ),
      choiceOf(mail, 'Background', { light: 'Light', dark: 'Dark' }, look.ground, ground =>
        lookAt({ ...look, ground }),
      ),
    ),
    h(
      'div',
      { class: 'screen' },
      mailFrame(clean.html, {
        title: mail.from ? w('Message from {0}', mail.from) : w('Message text'),
        images: mail.images,
        width: WIDTHS[look.width],
        dark,
        follow: url => void ask({ do: 'link', url }).catch(tell),
        fitted: scrollBack,
      }),
    ),
  );
}
function lookAt(chosen: Look): void {
  look = chosen;
  remember({ look });
}
const bar = (text: string, action: HTMLElement) => h('div', { class: 'blocked' }, h('span', {}, text), action);
/** Says that there is more of a message than is shown, and leads to the whole of it. */
function cutBar(mail: MailView): HTMLElement {
  const { source } = model!.can;
  return bar(
    w('This message is too long to show in full.'),
    button(
      w(source ? 'Source' : 'Open as JSON'),
      () => void ask({ do: 'mail', message: mail.id, what: source ? 'source' : 'json' }).catch(tell),
      { secondary: true },
    ),
  );
}
const named = <E extends HTMLElement>(element: E, name: string): E => {
  element.setAttribute('aria-label', name);
  return element;
};
function redraw(mail: MailView): void {
  const element = draw(mail);
  const before = drawn.get(mail.id);
  drawn.set(mail.id, element);
  keepFocus(
    () => before?.replaceWith(element),
    () => element,
  );
}

start(message => {
  if (message.type === 'reader') show(message.reader);
  if (message.type === 'mail' && model) {
    const { mail } = message;
    const before = model.messages.find(({ id }) => id === mail.id);
    model.messages = model.messages.map(one => (one.id === mail.id ? mail : one));
    redraw(mail);
    if (before && before.read !== mail.read && mail.read !== undefined)
      announce(w(mail.read ? 'Marked as read' : 'Marked as unread'));
    else if (before && before.flagged !== mail.flagged) announce(w(mail.flagged ? 'Flagged' : 'Flag removed'));
    else if (mail.loaded && !before?.loaded) announce(w('Message shown'), false, 'aloud');
  }
});
