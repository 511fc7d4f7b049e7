/* What the tests use of a library that brings no types. */
declare module 'mailparser' {
  interface Mailbox {
    address?: string;
    group?: Mailbox[];
  }
  interface Mail {
    subject?: string;
    from?: { value: Mailbox[] };
    text?: string;
    html?: string | false;
    attachments: { content: Buffer }[];
  }
  export function simpleParser(source: Buffer, options: Record<string, boolean>): Promise<Mail>;
}
declare module 'jsdom' {
  interface Body {
    innerHTML: string;
  }
  interface Window {
    document: { implementation: { createHTMLDocument(title: string): { body: Body } } };
    close(): void;
  }
  export class JSDOM {
    constructor(html: string, options?: object);
    readonly window: Window;
  }
}
