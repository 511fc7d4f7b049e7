/** What is used of html-to-text, which brings no types. */
declare module 'html-to-text' {
  interface Element {
    attribs?: Record<string, string>;
    data?: string;
    children?: Element[];
  }
  interface Builder {
    metadata?: unknown;
    addInline(text: string): void;
  }
  export type FormatCallback = (
    element: Element,
    walk: (children: Element[] | undefined, builder: Builder) => void,
    builder: Builder,
  ) => void;
  export function compile(options: object): (html: string, metadata?: unknown) => string;
}
