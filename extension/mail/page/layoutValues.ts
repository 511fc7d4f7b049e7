/*
 * Flex and grid boxes of a message, as far as nothing in them gets out of reach or over something else: no order but
 * that of the text, nothing set by its place, nothing laid out from the far end.
 */

const LENGTH = '[\\d.]+(?:px|em|rem|%)';
const COLUMN = `(?:auto|min-content|max-content|[\\d.]+fr|${LENGTH}|minmax\\([^(), ]{1,20}, [^(), ]{1,20}\\))`;
/** Columns of a grid: few, or as many as there is room for. */
const COLUMNS = new RegExp(
  `^(?:${COLUMN}(?: ${COLUMN}){0,11}|repeat\\((?:[1-9]|1[0-2]), ${COLUMN}\\)` +
    '|repeat\\((?:auto-fit|auto-fill), (?:minmax\\([1-9]\\d{1,3}px, 1fr\\)|[1-9]\\d{1,3}px)\\))$',
);
const ALIGNED =
  /^(?:normal|auto|stretch|baseline|start|flex-start|left|space-(?:between|around|evenly)|(?:safe )?(?:center|end|flex-end))$/;
const VALUES: readonly (readonly [property: RegExp, value: RegExp])[] = [
  [/^display$/, /^(?:inline-)?(?:flex|grid)$/],
  [/^flex-direction$/, /^(?:row|column)$/],
  [/^flex-wrap$/, /^(?:nowrap|wrap)$/],
  [/^flex-(?:grow|shrink)$/, /^[\d.]{1,6}$/],
  [/^flex-basis$/, new RegExp(`^(?:auto|content|${LENGTH})$`)],
  [/^(?:row|column)-gap$/, new RegExp(`^(?:normal|${LENGTH})$`)],
  [/^(?:justify|align)-(?:content|items|self)$/, ALIGNED],
  [/^grid-template-columns$/, COLUMNS],
];

/** A value of such a box as the browser writes it, if it is harmless, in a form that keeps it so; else undefined. */
export function layoutValue(property: string, value: string): string | undefined {
  if (!VALUES.some(([name, values]) => name.test(property) && values.test(value))) return undefined;
  // Centred in too little room, the beginning would be out of reach.
  if (/^(?:justify|align)-/.test(property)) return value.replace(/^(?:center|end|flex-end)$/, 'safe $&');
  // A column narrower than a picture in it would lay that over the next one.
  if (property === 'grid-template-columns' && !/auto-fi/.test(value)) {
    return value.replace(
      new RegExp(`minmax\\([^)]*\\)|${LENGTH}`, 'g'),
      one => `minmax(min-content, ${/([^ (]+?)\)?$/.exec(one)![1]!})`,
    );
  }
  return value;
}
