/** A style without what loads, lays itself over the page, or runs in old browsers; and how many remote pictures it names, left out unless wanted. */
export function cleanStyle(text: string, images: boolean): { css: string; remote: number } {
  let remote = 0;
  // Comments and escapes hide words from a search; without them `url(` is found wherever it stands. What goes leaves a space, so that the
  // letters around it do not make the next word.
  const css = text.replace(/\/\*[\s\S]*?(\*\/|$)/g, '').replace(/\\([0-9a-f]{1,6}\s?|[\s\S])/gi, '')
    .replace(/@(import|charset|namespace|font-face|property)[^;{}]*(;|\{[^}]*\}?|(?=\})|$)/gi, ' ')
    .replace(/(expression|-moz-binding|behavior)\s*[:(][^;}]*/gi, ' ')
    .replace(/(?:url|image|image-set|src|cross-fade|element|paint)\s*\(\s*(?:"([^"]*)"|'([^']*)'|([^)]*))\s*\)?/gi, (_, a?: string, b?: string, c?: string) => {
      const at = (a ?? b ?? c ?? '').trim();
      if (/^data:image\/(png|jpe?g|gif|webp)[;,]/i.test(at)) return `url("${at.replace(/["\\\n]/g, '')}")`;
      if (!/^https?:/i.test(at)) return 'none';
      remote++;
      return images ? `url("${at.replace(/["\\\n]/g, '')}")` : 'none';
    }).replace(/position\s*:\s*(fixed|sticky)/gi, 'position:static');
  return { css, remote };
}
