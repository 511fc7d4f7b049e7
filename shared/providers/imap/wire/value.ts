/**
 * A value as the library's own parser gives it: lists are arrays, NIL is null, the section of `BODY[...]` stands beside
 * its atom.
 */
export type Value =
  | { type: 'ATOM' | 'STRING' | 'LITERAL'; value: string | Buffer; section?: Value[]; partial?: number[] }
  | null
  | Value[];
