/**
 * So many flex and grid boxes lie in each other, and so many are in one message: layout takes long by every level.
 * Others are blocks.
 */
const NESTED = 4;
const BOXES = 1000;
/** Elements whose own style makes them such a box, as the browser writes it. */
const OWN = ['flex', 'grid']
  .flatMap(kind => [`[style*="display: ${kind}"]`, `[style*="display: inline-${kind}"]`])
  .join();

/**
 * Makes blocks of the flex and grid boxes that are too many, or too deep. `selectors` are those of all rules in sheets
 * that make such boxes.
 */
export function limitLayouts(body: Element, selectors: readonly string[]): void {
  const boxes = new Set<Element>();
  for (const selector of [OWN, ...selectors])
    for (const one of body.parentElement!.querySelectorAll(selector)) boxes.add(one);
  if (!boxes.size) return;
  let count = 0;
  const walk = (element: Element, around: number): void => {
    let inside = around;
    if (boxes.has(element) && (++inside > NESTED || ++count > BOXES))
      (element as HTMLElement).style.setProperty('display', 'block', 'important');
    for (let child = element.firstElementChild; child; child = child.nextElementSibling) walk(child, inside);
  };
  walk(body, 0);
}
