/** What a message may be made of. The tags of everything else go, their text stays. */
export const KEPT: ReadonlySet<string> = new Set([
  'a',
  'abbr',
  'address',
  'area',
  'article',
  'aside',
  'b',
  'bdi',
  'big',
  'blockquote',
  'br',
  'caption',
  'center',
  'cite',
  'code',
  'col',
  'colgroup',
  'dd',
  'del',
  'details',
  'dfn',
  'dir',
  'div',
  'dl',
  'dt',
  'em',
  'figcaption',
  'figure',
  'font',
  'footer',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'header',
  'hr',
  'i',
  'img',
  'ins',
  'kbd',
  'li',
  'main',
  'map',
  'mark',
  'menu',
  'nav',
  'ol',
  'p',
  'pre',
  'q',
  's',
  'samp',
  'section',
  'small',
  'span',
  'strike',
  'strong',
  'style',
  'sub',
  'summary',
  'sup',
  'table',
  'tbody',
  'td',
  'tfoot',
  'th',
  'thead',
  'time',
  'tr',
  'tt',
  'u',
  'ul',
  'var',
  'wbr',
]);
/** What runs, loads or sends goes with all it holds. */
export const DROPPED: ReadonlySet<string> = new Set([
  'script',
  'iframe',
  'frame',
  'frameset',
  'object',
  'embed',
  'applet',
  'base',
  'meta',
  'link',
  'template',
  'noscript',
  'noembed',
  'noframes',
  'svg',
  'math',
  'audio',
  'video',
  'source',
  'track',
  'canvas',
  'dialog',
  'portal',
  'param',
  'title',
]);
export const ATTRIBUTES: ReadonlySet<string> = new Set([
  'align',
  'alt',
  'bgcolor',
  'border',
  'cellpadding',
  'cellspacing',
  'class',
  'clear',
  'color',
  'frame',
  'hspace',
  'noshade',
  'rules',
  'vspace',
  'cols',
  'colspan',
  'coords',
  'dir',
  'face',
  'headers',
  'height',
  'id',
  'lang',
  'name',
  'nowrap',
  'rowspan',
  'scope',
  'shape',
  'size',
  'span',
  'start',
  'style',
  'summary',
  'title',
  'type',
  'usemap',
  'valign',
  'value',
  'width',
  'href',
  'src',
  'open',
]);

/**
 * Styles: of what the browser itself understands of them, what is on these lists. All that takes layout long, lays
 * itself over the page or loads is simply not on them.
 */
const PROPERTIES = new RegExp(
  `^(${[
    'color',
    'opacity',
    'visibility',
    'display',
    'box-sizing',
    'float',
    'clear',
    'direction',
    'vertical-align',
    'overflow-(x|y|wrap)',
    'background-(color|image|position-[xy]|repeat|size|origin|clip|attachment)',
    '(min-|max-)?(width|height)',
    '(margin|padding)-(top|right|bottom|left)',
    'border-[a-z-]+',
    '-webkit-border-(horizontal|vertical)-spacing',
    'caption-side',
    'empty-cells',
    'table-layout',
    'list-style-(type|position|image)',
    'font-[a-z-]+',
    'line-height',
    'letter-spacing',
    'word-(break|spacing)',
    'white-space-collapse',
    'text-wrap-mode',
    'text-(align|indent|transform)',
    'text-decoration-(line|color|style|thickness)',
  ].join('|')})$`,
);
/** Where a property has values that are harmless and others. */
const VALUES: Readonly<Record<string, RegExp>> = {
  display: /^(none|block|inline|inline-block|list-item|inline-table|table(-[a-z-]+)?)$/,
  'overflow-x': /^(hidden|visible)$/,
  'overflow-y': /^(hidden|visible)$/,
  'list-style-type': /^[a-z-]+$/,
  'background-attachment': /^(scroll|initial)(, (scroll|initial))*$/,
};
const FUNCTIONS = new Set([
  'rgb',
  'rgba',
  'hsl',
  'hsla',
  'calc',
  'min',
  'max',
  'clamp',
  'image-set',
  'linear-gradient',
  'radial-gradient',
  'repeating-linear-gradient',
  'repeating-radial-gradient',
]);
/** Of one value, without the pictures in it: so many characters. */
export const LONG = 1000;
/** What an address of a picture becomes; undefined where the picture is left out. */
export type Picture = (address: string) => string | undefined;

/**
 * A value of one property as the browser writes it, if it is harmless, with the pictures that may be shown; else
 * undefined.
 */
export function allowedValue(property: string, value: string, picture: Picture): string | undefined {
  if (value === '' || !PROPERTIES.test(property) || !(VALUES[property]?.test(value) ?? true)) return undefined;
  let rest = '';
  const shown = !value.includes('(')
    ? (rest = value)
    : value.replace(/url\("((?:[^"\\]|\\.)*)"\)|[^u]+|u/g, (part, address?: string) => {
        if (address === undefined) {
          rest += part;
          return part;
        }
        // No address of a picture needs a letter that a style must escape.
        const at = address.includes('\\') ? undefined : picture(address);
        return at === undefined ? 'none' : `url("${at}")`;
      });
  // A height that follows the frame's would let the frame grow with itself.
  if (rest.length > LONG || /\d(s|l|d)?v(h|b|min|max)\b/i.test(rest)) return undefined;
  const functions = [...rest.replace(/"(?:[^"\\]|\\.)*"/g, '').matchAll(/([\w-]*)\(/g)];
  return functions.every(([, name]) => FUNCTIONS.has(name!)) ? shown : undefined;
}

const PSEUDO = new Set(['link', 'visited', 'hover', 'active', 'focus', 'first-child', 'last-child', 'root']);
const ANY_DISTANCE = 5;
/**
 * What a selector costs: its parts. Undefined for one that is not taken: what looks at other elements than those around
 * and just before it.
 */
export function costOf(selector: string): number | undefined {
  if (selector.length > 500) return undefined;
  const plain = selector.replace(/\\[0-9a-f]{1,6} ?|\\./gi, '_').replace(/"[^"]*"/g, '');
  const bare = plain.replace(/\[[^\]]*\]/g, '');
  if (
    /\[\s*src/i.test(plain) ||
    /[&~|(]/.test(bare) ||
    [...bare.matchAll(/:+([\w-]*)/g)].some(([, name]) => !PSEUDO.has(name!.toLowerCase()))
  )
    return undefined;
  // Where another may stand at any distance above, all of those are looked at.
  return (bare.match(/ *[>+,] *| +|$/g) ?? []).reduce((sum, part) => sum + (/^ +$/.test(part) ? ANY_DISTANCE : 1), 0);
}
