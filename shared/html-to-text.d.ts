/** What is used of html-to-text, which brings no types. */
declare module 'html-to-text' {
  interface Element { attribs?: Record<string, string>; children: Element[] }
  interface Builder { addInline(text: string): void }
  export type FormatCallback = (element: Element, walk: (children: Element[], builder: Builder) => void, builder: Builder) => void;
  export function compile(options: object): (html: string) => string;
}
