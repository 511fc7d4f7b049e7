/**
 * The addresses in what somebody typed or pasted: parted by commas, semicolons and line ends, but not inside quotes,
 * comments or angle brackets (RFC 5322 section 3.4). A name with a comma in it, as address books write it (`Doe, Jane
 * <jane@example.com>`), stays with its address.
 */
export function splitAddresses(text: string): string[] {
  const parts: { text: string; comma: boolean }[] = [];
  let now = '';
  let quoted = false;
  let comments = 0;
  let angle = false;
  const end = (comma: boolean) => {
    if (now.trim()) parts.push({ text: now.trim(), comma });
    now = '';
    quoted = angle = false;
    comments = 0;
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '\n' || c === '\r') {
      end(false);
      continue;
    }
    if (c === '\\' && (quoted || comments)) {
      now += c + (text[++i] ?? '');
      continue;
    }
    if (c === '"' && !comments) quoted = !quoted;
    else if (!quoted && c === '(') comments++;
    else if (!quoted && c === ')' && comments) comments--;
    else if (!quoted && !comments && (c === '<' || c === '>')) angle = c === '<';
    if ((c === ',' || c === ';') && !quoted && !comments && !angle) end(c === ',');
    else now += c;
  }
  end(false);
  return parts.flatMap(({ text: one }, i) => {
    const before = parts[i - 1];
    const next = parts[i + 1];
    // The first half of a name is said with the second.
    if (isNameOnly(one) && parts[i]!.comma && next?.text.includes('<')) return [];
    if (before?.comma && isNameOnly(before.text) && one.includes('<')) {
      const at = one.indexOf('<');
      return [`"${`${before.text}, ${one.slice(0, at).trim()}`.replace(/["\\]/g, '')}" ${one.slice(at)}`];
    }
    return [one];
  });
}
const isNameOnly = (text: string): boolean => !/[@<>"()]/.test(text);
