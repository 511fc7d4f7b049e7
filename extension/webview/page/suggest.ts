/** What parts addresses from each other. */
const PARTS = /[\n,;]/;

/**
 * A list below a box of addresses that offers what begins with the word at the caret: taken with Enter, Tab or the
 * mouse, gone through with the arrows, closed with Escape.
 */
export function suggesting(
  box: HTMLTextAreaElement,
  label: string,
  find: (text: string) => Promise<string[]>,
): HTMLElement {
  const list = document.createElement('ul');
  list.id = `${box.id}-offered`;
  list.className = 'offered';
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', label);
  list.hidden = true;
  box.setAttribute('aria-autocomplete', 'list');
  box.setAttribute('aria-controls', list.id);
  let at = -1;
  let asked = 0;
  const begun = (): { from: number; text: string } => {
    const before = box.value.slice(0, box.selectionStart);
    let from = before.length;
    while (from > 0 && !PARTS.test(before[from - 1]!)) from--;
    return { from, text: before.slice(from).trimStart() };
  };
  const close = () => {
    list.hidden = true;
    list.replaceChildren();
    at = -1;
    box.removeAttribute('aria-activedescendant');
  };
  const choose = (next: number) => {
    at = next;
    for (const [i, one] of [...list.children].entries()) one.setAttribute('aria-selected', String(i === at));
    box.setAttribute('aria-activedescendant', `${list.id}-${at}`);
  };
  const take = (text: string) => {
    const { from } = begun();
    const space = from > 0 && box.value[from - 1] !== '\n' ? ' ' : '';
    box.setRangeText(`${space}${text}`, from, box.selectionStart, 'end');
    close();
    box.focus();
    box.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const offer = (found: readonly string[]) => {
    close();
    list.hidden = found.length === 0;
    list.append(
      ...found.map((text, i) => {
        const one = document.createElement('li');
        one.id = `${list.id}-${i}`;
        one.setAttribute('role', 'option');
        one.textContent = text;
        // Before the box loses the focus.
        one.addEventListener('mousedown', event => {
          event.preventDefault();
          take(text);
        });
        return one;
      }),
    );
    // Just below the box, whose size is the user's to change.
    list.style.top = `${box.offsetTop + box.offsetHeight}px`;
    list.style.left = `${box.offsetLeft}px`;
    list.style.width = `${box.offsetWidth}px`;
    if (found.length) choose(0);
  };
  box.addEventListener('input', event => {
    const mine = ++asked;
    // What was just taken is not offered again.
    if (!(event instanceof InputEvent)) return;
    void find(begun().text).then(found => {
      if (mine === asked && document.activeElement === box) offer(found);
    });
  });
  box.addEventListener('keydown', event => {
    const count = list.children.length;
    if (list.hidden || !count || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'ArrowDown') choose((at + 1) % count);
    else if (event.key === 'ArrowUp') choose((at + count - 1) % count);
    else if (event.key === 'Enter' || (event.key === 'Tab' && !event.shiftKey))
      take(list.children[at]?.textContent ?? '');
    else if (event.key === 'Escape') close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  box.addEventListener('blur', () => {
    asked++;
    close();
  });
  return list;
}
