import type { MailView, ReaderModel } from '../messages.js';
import { announce, ask, button, errorText, h, main, remember, remembered, start, w } from './page.js';
import { sanitize } from './sanitize.js';

const root = main('reader');
let model: ReaderModel | undefined;
const modes = new Map<string, 'text' | 'html'>(), drawn = new Map<string, HTMLElement>();
const tell = (error: unknown) => announce(errorText(error), true);

function show(reader: ReaderModel): void {
  model = reader;
  drawn.clear();
  root.replaceChildren(
    h('header', {}, h('div', { class: 'head' }, h('h1', {}, reader.title),
      reader.facts.length ? h('p', { class: 'facts' }, ...reader.facts.map(({ label, value }) => h('span', {}, `${label}: ${value}`))) : undefined)),
    ...reader.messages.map(mail => { const element = draw(mail); drawn.set(mail.id, element); return element; }),
  );
  const { scroll } = remembered<{ scroll: number }>();
  if (scroll) window.scrollTo(0, scroll);
}
window.addEventListener('scroll', () => remember({ scroll: window.scrollY }), { passive: true });

function draw(mail: MailView): HTMLElement {
  const { can } = model!;
  const tool = (label: string, what: 'reply' | 'markRead' | 'markUnread' | 'delete' | 'move' | 'source' | 'headers' | 'linkTask' | 'json', primary = false) =>
    button(w(label), () => void ask({ do: 'mail', message: mail.id, what }).catch(tell), { secondary: !primary });
  const mode = modes.get(mail.id) ?? (mail.html !== undefined && (mail.text === undefined || model!.preferHtml) ? 'html' : 'text');
  const both = mail.html !== undefined && mail.text !== undefined;
  const toggle = both ? h('span', { role: 'group', 'aria-label': w('Message text') }, ...(['text', 'html'] as const).map(one => {
    const made = button(w(one === 'text' ? 'Plain text' : 'HTML'), () => { modes.set(mail.id, one); redraw(mail); }, { secondary: mode !== one });
    made.setAttribute('aria-pressed', String(mode === one));
    return made;
  })) : undefined;
  const people = [mail.to.length ? `${w('To')}: ${mail.to.join(', ')}` : '', mail.cc.length ? `${w('Cc')}: ${mail.cc.join(', ')}` : '']
    .filter(Boolean).join(' · ');
  const headline = h('div', { class: 'mailhead' },
    h('div', { class: 'who' }, mail.from ?? '', ' ', mail.read === false ? h('span', { class: 'badge' }, w('Unread')) : undefined),
    h('div', { class: 'when' }, mail.date ?? ''), h('div', { class: 'people' }, people),
    h('div', { class: 'tools' }, ...(mail.loaded ? [
      ...(can.reply ? [tool('Reply', 'reply', true)] : []),
      ...(can.mark && mail.read !== undefined ? [tool(mail.read ? 'Mark as Unread' : 'Mark as Read', mail.read ? 'markUnread' : 'markRead')] : []),
      ...(can.move ? [tool('Move…', 'move')] : []), ...(can.link ? [tool('Link Task…', 'linkTask')] : []), ...(can.remove ? [tool('Delete…', 'delete')] : []),
      ...(can.headers ? [tool('Headers', 'headers')] : []), ...(can.source ? [tool('Source', 'source')] : []), tool('Open as JSON', 'json'),
      ...(toggle ? [toggle] : []),
    ] : [button(w('Show message'), () => void ask({ do: 'read', message: mail.id }).catch(tell), { secondary: true })])));
  const article = h('article', { class: 'mail', 'data-message': mail.id, 'aria-label': mail.from ?? '' }, headline);
  if (!mail.loaded) return article;
  if (mail.problem) article.append(h('p', { class: 'notice bad' }, mail.problem));
  else if (mode === 'html' && mail.html !== undefined) article.append(...htmlBody(mail));
  else article.append(h('div', { class: 'body' },
    mail.text !== undefined ? h('pre', {}, mail.text.replace(OVERRIDES, '')) : h('p', { class: 'empty' }, w('This message has no text.'))));
  const files = mail.attachments.filter(one => !one.inline || !mail.html);
  if (files.length) {
    const preview = h('div', {});
    article.append(h('div', { class: 'attachments' }, h('h2', {}, w('Attachments')), h('ul', {}, ...files.map(file => h('li', {},
      h('span', {}, file.name, ' ', h('span', { class: 'muted' }, size(file.size))),
      can.attachments ? named(
        button(w('Save As…'), () => void ask({ do: 'attachment', message: mail.id, attachment: file.id, how: 'save' }).catch(tell), { class: 'link' }),
        `${w('Save As…')} ${file.name}`,
      ) : undefined,
      can.attachments && /^image\/(png|jpe?g|gif|webp)$/i.test(file.type) ? named(
        button(w('Preview'), () => void ask({ do: 'attachment', message: mail.id, attachment: file.id, how: 'preview' }).then(data => {
          if (typeof data === 'string') { const image = h('img', { alt: file.name }); image.src = data; preview.replaceChildren(image); }
        }).catch(tell), { class: 'link' }),
        `${w('Preview')} ${file.name}`,
      ) : undefined,
    ))), preview));
  }
  return article;
}
/** Letters that make what follows read backwards: no honest mail needs them. */
const OVERRIDES = /[\u202d\u202e]/g;
const named = <E extends HTMLElement>(element: E, name: string): E => { element.setAttribute('aria-label', name); return element; };
const size = (bytes: number | undefined) =>
  bytes === undefined ? '' : bytes < 1024 ? `${bytes} B` : bytes < 1048576 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
function redraw(mail: MailView): void {
  const element = draw(mail);
  drawn.get(mail.id)?.replaceWith(element);
  drawn.set(mail.id, element);
}

/** The message in a frame where nothing runs; links and height are handled from outside, which its same origin allows. */
function htmlBody(mail: MailView): HTMLElement[] {
  const { html, remote } = sanitize(mail.html!, { images: mail.images, inline: mail.inline });
  const frame = h('iframe', { sandbox: 'allow-same-origin', title: w('Message text'), referrerpolicy: 'no-referrer' });
  // The frame inherits the page's policy; its own can only tighten it.
  frame.srcdoc = '<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
    + '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'; '
    + `img-src data:${mail.images ? ' https: http:' : ''}; form-action 'none'; base-uri 'none'">\n`
    + '<style>html{background:#fff;color:#1f1f1f}body{margin:14px 16px;font:14px/1.5 sans-serif;overflow-wrap:anywhere}img{max-width:100%;height:auto}'
    + 'table{max-width:100%}a{color:#0b57d0}pre{white-space:pre-wrap}'
    + 'img[data-blocked]{display:inline-block;min-width:16px;min-height:16px;outline:1px dashed #767676}</style></head>'
    + `<body>${html}</body></html>`;
  const fit = () => {
    const inner = frame.contentDocument;
    if (inner?.body) frame.style.height = `${Math.min(Math.max(60, inner.documentElement.scrollHeight), 20_000)}px`;
  };
  frame.addEventListener('load', () => {
    const inner = frame.contentDocument;
    if (!inner) return;
    fit();
    for (const image of Array.from(inner.images)) image.addEventListener('load', fit);
    new ResizeObserver(fit).observe(inner.body);
    const follow = (event: Event) => {
      const link = (event.target as Element | null)?.closest?.('a[href]');
      event.preventDefault();
      if (link) void ask({ do: 'link', url: link.getAttribute('href') ?? '' }).catch(tell);
    };
    inner.addEventListener('click', follow, true);
    inner.addEventListener('auxclick', follow, true);
    inner.addEventListener('submit', event => event.preventDefault(), true);
  });
  const blocked = remote && !mail.images
    ? [h('div', { class: 'blocked' }, h('span', {}, w('Remote images are blocked to protect your privacy.')),
      button(w('Load Images'), () => void ask({ do: 'images', message: mail.id }).catch(tell), { secondary: true }))]
    : [];
  return [h('div', { class: 'body' }, ...blocked, frame)];
}

start(message => {
  if (message.type === 'reader') show(message.reader);
  if (message.type === 'mail' && model) {
    model.messages = model.messages.map(one => one.id === message.mail.id ? message.mail : one);
    redraw(message.mail);
  }
});
