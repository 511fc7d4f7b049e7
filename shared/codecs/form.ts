/**
 * The body of `application/x-www-form-urlencoded` (WHATWG URL, section 5.2), in UTF-8. Undefined and null are left out,
 * a list repeats its name.
 */
export function formBody(values: Readonly<Record<string, unknown>>): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null) pairs.append(name, String(one));
  }
  return pairs.toString();
}
