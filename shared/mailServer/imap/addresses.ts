export interface Address {
  name: string | undefined;
  mailbox: string | undefined;
  host: string | undefined;
}

/**
 * Addresses of a header value (RFC 5322 3.4), with groups as IMAP wants them; what cannot be read becomes an address
 * without a host.
 */
export const addresses = (value: string): Address[] => new Reader(value).all();

class Reader {
  private readonly found: Address[] = [];
  private at = 0;
  private name = '';
  private comment = '';
  private angle: string | undefined;
  private group = false;

  constructor(private readonly value: string) {}

  all(): Address[] {
    while (this.at < this.value.length) this.token(this.value[this.at++]!);
    this.push();
    if (this.group) this.endGroup();
    return this.found;
  }

  private token(char: string): void {
    if (char === '"') this.quoted();
    else if (char === '(') this.inParentheses();
    else if (char === '<') this.inAngles();
    else if (char === ',') this.push();
    else if (char === ':' && !this.group) {
      this.found.push({ name: undefined, mailbox: this.name.trim(), host: undefined });
      this.name = '';
      this.group = true;
    } else if (char === ';' && this.group) {
      this.push();
      this.endGroup();
    } else this.name += char;
  }

  private quoted(): void {
    const { value } = this;
    let quoted = '';
    while (this.at < value.length && value[this.at] !== '"') {
      if (value[this.at] === '\\') this.at++;
      quoted += value[this.at++] ?? '';
    }
    this.at++;
    this.name += value[this.at] === '@' ? `"${quoted}"` : quoted;
  }

  /** A comment, which may hold others. */
  private inParentheses(): void {
    const { value } = this;
    let depth = 1;
    while (this.at < value.length && depth > 0) {
      const now = value[this.at++]!;
      if (now === '\\') {
        this.comment += value[this.at++] ?? '';
        continue;
      }
      if (now === '(') depth++;
      else if (now === ')' && --depth === 0) break;
      this.comment += now;
    }
  }

  private inAngles(): void {
    const { value } = this;
    const close = value.indexOf('>', this.at);
    const end = close < 0 ? value.length : close;
    this.angle = value.slice(this.at, end);
    this.at = close < 0 ? end : end + 1;
  }

  private push(): void {
    const text = this.name.trim();
    if (this.angle !== undefined) this.found.push({ name: text || undefined, ...split(this.angle) });
    else if (text) this.found.push({ name: this.comment.trim() || undefined, ...split(text) });
    this.name = '';
    this.angle = undefined;
    this.comment = '';
  }

  private endGroup(): void {
    this.found.push({ name: undefined, mailbox: undefined, host: undefined });
    this.group = false;
  }
}

function split(address: string): Pick<Address, 'mailbox' | 'host'> {
  const clean = address.replace(/^@[^:]*:/, '').trim();
  const mark = clean.lastIndexOf('@');
  return mark < 0
    ? { mailbox: clean || undefined, host: '' }
    : { mailbox: clean.slice(0, mark).replace(/^"(.*)"$/s, '$1'), host: clean.slice(mark + 1) };
}
