/**
 * A picture that is narrower than this, in pixels, does not shrink where the page is too narrow for all that stands in
 * a row.
 */
const SMALL = 96;
/**
 * The sides of a place for a picture that was left out and has no size of its own, and how high pictures are that are
 * lines; in pixels.
 */
const PLACE = 16;
const THIN = 8;

interface Given {
  img: HTMLImageElement;
  /** The sizes that the message gives, in pixels; undefined where it gives none, or a share of what is around. */
  width: number | undefined;
  height: number | undefined;
  /** Their values, and those of their bounds, as CSS has them. */
  css: { width: string; height: string; maxWidth: string; minWidth: string };
}

/**
 * Gives the pictures of a message the sizes it asks for, or less where the page is too narrow, and always in their
 * shape. Takes the frame's document; gives what is to be called whenever its width may have changed, or `again` when a
 * picture has come.
 */
export function fitPictures(inner: Document): (again?: boolean) => void {
  const { body, documentElement: root } = inner;
  const { pictures: all, tables } = givenSizes(inner);
  for (const one of all) hold(one);
  for (const { table, most } of tables) table.style.setProperty('max-width', `min(${most}px, var(--room, ${most}px))`);
  const maps = mapsOf(inner, all);
  let known = -1;
  return again => {
    const wide = root.clientWidth;
    if (wide === known && !again) return;
    known = wide;
    const { marginLeft, marginRight, paddingLeft, paddingRight } = getComputedStyle(body);
    const around = [marginLeft, marginRight, paddingLeft, paddingRight].reduce(
      (sum, one) => sum + (pixels(one) ?? 0),
      0,
    );
    // A share of the cell around would let pictures in cells shrink to nothing, so that is the second choice.
    const set = (name: string, value: string) => root.style.setProperty(name, value);
    let room = Math.max(SMALL, wide - around);
    set('--page', `${room}px`);
    set('--least', '0px');
    root.style.removeProperty('--room');
    for (const one of all) widen(one);
    // Tables in tables need less than the page, by what lies between them.
    for (let i = 0; i < 3 && root.scrollWidth > wide; i++) {
      if (i) room = Math.max(SMALL, room - (root.scrollWidth - wide));
      set('--page', '100%');
      set('--least', `${SMALL}px`);
      set('--room', `${room}px`);
    }
    for (const scale of maps) scale();
  };
}

/**
 * What the message says of each picture, and of the tables that it bounds in pixels. Without a box the browser gives
 * what was said, and not what came of it.
 */
function givenSizes({ body, images }: Document): {
  pictures: Given[];
  tables: { table: HTMLTableElement; most: number }[];
} {
  body.style.setProperty('display', 'none', 'important');
  const pictures = Array.from(images, (img): Given => {
    const { width, height, maxWidth, minWidth } = getComputedStyle(img);
    return { img, width: pixels(width), height: pixels(height), css: { width, height, maxWidth, minWidth } };
  });
  const tables = Array.from(body.querySelectorAll('table'), table => ({
    table,
    most: pixels(getComputedStyle(table).maxWidth),
  })).filter((one): one is { table: HTMLTableElement; most: number } => one.most !== undefined);
  body.style.removeProperty('display');
  return { pictures, tables };
}

const pixels = (value: string): number | undefined =>
  /^-?[\d.e+-]+px$/.test(value) ? Number.parseFloat(value) : undefined;

/** Ties a picture's sides to each other as the message has them, and bounds it by the page. */
function hold({ img, width, height, css }: Given): void {
  const { style } = img;
  // A line is no lower on a narrower page.
  if (width && height && height >= THIN) {
    style.setProperty('height', 'auto');
    style.setProperty('aspect-ratio', `${width} / ${height}`);
  }
  if (css.maxWidth === 'none') style.setProperty('max-width', 'var(--page)');
  else if (pixels(css.maxWidth) !== undefined) style.setProperty('max-width', `min(${css.maxWidth}, var(--page))`);
  if (width && /^(auto|0px)$/.test(css.minWidth)) style.setProperty('min-width', `min(${width}px, var(--least))`);
  if (!img.hasAttribute('data-blocked')) return;
  if (css.width === 'auto' && css.height === 'auto') style.setProperty('padding', `${PLACE / 2}px`);
  if ((width ?? THIN) < THIN || (height ?? THIN) < THIN) style.setProperty('outline', 'none');
}

/** A picture with a height alone has its width once it has come. */
function widen({ img, height, css }: Given): void {
  if (css.width !== 'auto' || !height || !img.naturalHeight) return;
  img.style.setProperty('width', `${(height * img.naturalWidth) / img.naturalHeight}px`);
  img.style.setProperty('height', 'auto');
}

/** The areas of a picture follow its size; for each picture with areas of its own, what does so. */
function mapsOf(inner: Document, all: readonly Given[]): (() => void)[] {
  const names = new Set<string>();
  return all
    .filter(({ img: { useMap } }) => useMap && !names.has(useMap) && names.add(useMap))
    .map(({ img, width, height }) => {
      const areas = Array.from(
        inner.querySelectorAll<HTMLAreaElement>(`map[name="${CSS.escape(img.useMap.slice(1))}"] area`),
        area => ({
          area,
          coords: area.coords
            .split(/[\s,;]+/)
            .filter(Boolean)
            .map(Number),
        }),
      );
      return () => {
        const x = img.clientWidth / (width ?? img.naturalWidth);
        const y = img.clientHeight / (height ?? img.naturalHeight);
        if (!Number.isFinite(x) || !Number.isFinite(y)) return;
        // A circle's third number is its radius, which goes with the width.
        for (const { area, coords } of areas)
          area.coords = coords.map((one, i) => Math.round(one * (i % 2 ? y : x))).join(',');
      };
    });
}
