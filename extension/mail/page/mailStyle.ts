import { allowedValue, costOf, LONG, type Picture } from './allowed.js';
import { layoutValue } from './layoutValues.js';

/**
 * So many characters of sheets are read, so many rules and values written, and so many parts of selectors held against
 * elements.
 */
const READ = 300_000;
const RULES = 2000;
const DECLARATIONS = 150_000;
const MATCHES = 8_000_000;
/** Media that follow the frame's height would come and go with what they do to it. */
const TURNING = /height|orientation|aspect/i;

const isLayout = (style: CSSStyleDeclaration): boolean => /flex|grid/.test(style.display);

/**
 * Cleans the styles of one message with so many elements. On a `dark` ground, what it says for dark schemes of colours
 * holds, and nowhere else.
 */
export function mailStyles(elements: number, picture: Picture, dark = false) {
  let read = READ;
  let rules = RULES;
  let declarations = DECLARATIONS;
  let matches = MATCHES / Math.max(1, elements);
  const layouts: string[] = [];
  const known = new Map<string, string>();
  function clean(style: CSSStyleDeclaration): string {
    for (const name of Array.from(style)) {
      const value = style.getPropertyValue(name);
      const shown = declarations-- > 0 ? (layoutValue(name, value) ?? allowedValue(name, value, picture)) : undefined;
      if (shown === value) continue;
      const priority = style.getPropertyPriority(name);
      // First, because a value that the browser does not take would leave the old one.
      style.removeProperty(name);
      if (shown !== undefined) style.setProperty(name, shown, priority);
    }
    return style.cssText;
  }
  function write(list: CSSRuleList, depth: number): string {
    let out = '';
    for (const rule of Array.from(list)) {
      if (rules <= 0) break;
      if (rule instanceof CSSStyleRule) {
        const cost = costOf(rule.selectorText);
        if (cost === undefined || cost > matches) continue;
        // Which elements such a rule makes boxes of must be known: not those under the mouse.
        if (isLayout(rule.style) && !rule.selectorText.replace(/\\./g, '').includes(':'))
          layouts.push(rule.selectorText);
        else if (isLayout(rule.style)) rule.style.removeProperty('display');
        const css = clean(rule.style);
        if (!css) continue;
        rules--;
        matches -= cost;
        out += `${rule.selectorText}{${css}}\n`;
      } else if (rule instanceof CSSMediaRule && depth < 3) out += onMedia(rule.media, write(rule.cssRules, depth + 1));
    }
    return out;
  }
  // The ground is that of the frame, not that of the system.
  const scheme = (_: string, wanted: string) =>
    (wanted === 'dark') === dark ? '(min-width: 0px)' : '(max-width: 0px)';
  const onMedia = ({ mediaText }: MediaList, css: string) =>
    !css || !mediaText
      ? css
      : mediaText.length > LONG || TURNING.test(mediaText)
        ? ''
        : `@media ${mediaText.replace(/\(prefers-color-scheme: (dark|light)\)/g, scheme)}{${css}}\n`;
  return {
    /** The selectors of all rules that make flex or grid boxes, of the sheets so far. */
    layouts,
    /** A style element's text, for its media. */
    sheet(text: string, media: string): string {
      const sheet = new CSSStyleSheet({ media: media.slice(0, LONG) });
      sheet.replaceSync(text.slice(0, Math.max(0, read)));
      read -= text.length;
      // In a text within a style the escaped form means the same, and neither ends nor begins an element.
      return onMedia(sheet.media, write(sheet.cssRules, 0)).replace(/<(?=[/\w!])/g, '\\3c ');
    },
    /** What remains of an element's own style. */
    own(element: Element): string {
      const text = element.getAttribute('style') ?? '';
      const before = known.get(text);
      if (before !== undefined) return before;
      const css = declarations > 0 ? clean((element as HTMLElement).style) : '';
      known.set(text, css);
      return css;
    },
  };
}
