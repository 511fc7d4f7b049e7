/** What a message may be made of. The tags of everything else go, their text stays. */
export const KEPT: ReadonlySet<string> = new Set([
  'a', 'abbr', 'address', 'article', 'aside', 'b', 'bdi', 'bdo', 'big', 'blockquote', 'br', 'caption', 'center', 'cite', 'code', 'col', 'colgroup',
  'dd', 'del', 'details', 'dfn', 'dir', 'div', 'dl', 'dt', 'em',
  'figcaption', 'figure', 'font', 'footer', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'header', 'hr', 'i', 'img', 'ins', 'kbd', 'li',
  'main', 'mark', 'menu', 'nav', 'ol', 'p', 'pre', 'q', 's', 'samp', 'section', 'small', 'span', 'strike', 'strong', 'style',
  'sub', 'summary', 'sup', 'table', 'tbody', 'td', 'tfoot', 'th', 'thead', 'time', 'tr', 'tt', 'u', 'ul', 'var', 'wbr']);
/** What runs, loads or sends goes with all it holds. */
export const DROPPED: ReadonlySet<string> = new Set([
  'script', 'iframe', 'frame', 'frameset', 'object', 'embed', 'applet', 'base', 'meta', 'link', 'template', 'noscript', 'noembed', 'noframes', 'svg',
  'math', 'audio', 'video', 'source', 'track', 'canvas',
  'dialog', 'portal', 'param', 'title']);
export const ATTRIBUTES: ReadonlySet<string> = new Set([
  'align', 'alt', 'bgcolor', 'border', 'cellpadding', 'cellspacing', 'class', 'color',
  'cols', 'colspan', 'dir', 'face', 'headers', 'height', 'id', 'lang', 'nowrap', 'rowspan', 'scope', 'size', 'span',
  'start', 'style', 'summary', 'title', 'type', 'valign', 'value', 'width', 'href', 'src', 'open', 'reversed']);
