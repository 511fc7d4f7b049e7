import DOMPurify, { type Config, type UponSanitizeAttributeHookEvent } from 'dompurify';
import { ATTRIBUTES, DROPPED, KEPT, type Picture } from './allowed.js';

/** A longer link is none, in characters; nor is a longer name of an area, or list of its corners. */
const LINK = 20_000;
const LONGEST = 2000;
/** Attributes that hold no address. */
const PLAIN = [...ATTRIBUTES].filter(name => !['href', 'src', 'usemap', 'background'].includes(name));
/** What a message may be made of: our list, and nothing that the library would add to it. */
const CONFIG: Config & { IN_PLACE: true } = {
  IN_PLACE: true,
  ALLOWED_TAGS: ['#text', 'body', ...KEPT],
  ALLOWED_ATTR: [...ATTRIBUTES, 'background', 'text'],
  FORBID_CONTENTS: [...DROPPED],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:|#|data:image\/)/i,
  ADD_URI_SAFE_ATTR: [...PLAIN, 'text'],
  ALLOWED_NAMESPACES: ['http://www.w3.org/1999/xhtml'],
  CUSTOM_ELEMENT_HANDLING: { tagNameCheck: null, attributeNameCheck: null },
};

/** Takes everything out of a body that is not on our lists. `picture` says what an address of a picture becomes. */
export function purify(body: HTMLElement, picture: Picture): void {
  const purifier = DOMPurify(window);
  purifier.addHook('uponSanitizeAttribute', (element, told) => attribute(element, told, picture));
  purifier.addHook('afterSanitizeAttributes', element => {
    const name = element.localName;
    if (name === 'img') {
      if (!element.hasAttribute('src')) element.setAttribute('data-blocked', '');
      if (!element.hasAttribute('alt')) element.setAttribute('alt', '');
    }
    if (name !== 'a' && name !== 'area') return;
    element.setAttribute('rel', 'noreferrer noopener');
    element.setAttribute('target', '_self');
    const href = element.getAttribute('href');
    if (href) element.setAttribute('title', href);
  });
  purifier.sanitize(body, CONFIG);
}

/** Attributes that mean something on some elements only, and addresses. */
function attribute({ localName: on }: Element, told: UponSanitizeAttributeHookEvent, picture: Picture): void {
  const { attrName, attrValue: value } = told;
  switch (attrName) {
    case 'src':
    case 'background': {
      const at = attrName === 'background' || on === 'img' ? picture(value) : undefined;
      if (at) told.attrValue = at;
      else told.keepAttr = false;
      break;
    }
    case 'usemap':
      told.keepAttr = on === 'img' && /^#./.test(value);
      break;
    case 'name':
      told.keepAttr = on === 'map' && value.length <= LONGEST;
      break;
    case 'coords':
      told.keepAttr = on === 'area' && value.length <= LONGEST;
      break;
    case 'href':
      told.keepAttr = (on === 'a' || on === 'area') && value.length <= LINK && /^\s*(https?:|mailto:)/i.test(value);
      told.attrValue = value.trim();
      break;
    case 'text':
      told.keepAttr = on === 'body';
      break;
    default:
  }
}
