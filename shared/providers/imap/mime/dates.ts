const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** Hours east of UTC (RFC 5322 section 4.3); every other name of a zone counts as UTC there. */
const ZONES: Readonly<Record<string, number>> = {
  edt: -4,
  est: -5,
  cdt: -5,
  cst: -6,
  mdt: -6,
  mst: -7,
  pdt: -7,
  pst: -8,
  cet: 1,
  cest: 2,
  mez: 1,
  mesz: 2,
  bst: 1,
  jst: 9,
};
const TIME = String.raw`(\d{1,2})\s?[:.]\s?(\d{1,2})(?:\s?[:.]\s?(\d{1,2})(?:[.,]\d+)?)?(?:\s*([ap])\.?m\.?\b)?`;
const ZONE = String.raw`(?:\s*(?:GMT|UTC?)?\s*([+-]\d{1,2}(?::?\d{2})?(?!\d)|[+-]\d{3}(?!\d)|[a-z]+))?`;
/** `Mon, 2 Nov 2026 10:00:00 +0100` with what people leave out or put between. */
const MAIL = new RegExp(
  String.raw`^(?:[a-z]+[.,]*\s*)?(\d{1,2})\.?[\s-]+([a-z]{3})[a-z]*\.?,?[\s-]+(\d{2,4}),?(?:\s+${TIME}${ZONE})?`,
  'i',
);
/** `Mon Nov  2 10:00:00 2026`, as C writes it; with a zone before the year or behind it. */
const C = new RegExp(
  String.raw`^(?:[a-z]+\.?,?\s+)?([a-z]{3})[a-z]*\.?\s+(\d{1,2}),?\s+${TIME}${ZONE}\s+(\d{4})(?:\s+([+-]\d{4}))?`,
  'i',
);
/** `November 2, 2026 10:00 AM`. */
const AMERICAN = new RegExp(
  String.raw`^(?:[a-z]+\.?,\s*)?([a-z]{3})[a-z]*\.?\s+(\d{1,2}),?\s+(\d{4}),?(?:\s+(?:at\s+)?${TIME}${ZONE})?`,
  'i',
);
/** `2026-11-02T10:00:00Z` (RFC 3339), with or without a zone. */
const ISO = new RegExp(String.raw`^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[t\s]+${TIME}${ZONE})?`, 'i');

/**
 * As RFC 5322 writes it and most programs do, on a day that every month has: the engine reads that alike, in a tenth of
 * the time.
 */
const PLAIN = new RegExp(
  String.raw`^[A-Z][a-z]{2}, (?:0?[1-9]|1\d|2[0-8]) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?:19|20)\d\d` +
    String.raw` (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d [+-](?:[01]\d|2[0-3])[0-5]\d$`,
);

/**
 * The time of a Date field (RFC 5322 sections 3.3 and 4.3). Without a zone it is UTC: never the zone of the machine.
 * Years of two and three digits are those of the last and this century. Undefined for what is no date.
 */
export function dateOf(value: string): Date | undefined {
  if (PLAIN.test(value)) return new Date(value);
  // Comments stand behind most dates, and say what the zone is called.
  const text = value
    .slice(0, 200)
    .replace(/\([^()]*\)/g, ' ')
    .replace(/[\s"]+/g, ' ')
    .replace(/ (?=,)/g, '')
    .trim();
  const mail = MAIL.exec(text);
  if (mail) return made(yearOf(mail[3]!), monthOf(mail[2]!), mail[1]!, mail.slice(4, 8), mail[8]);
  const c = C.exec(text);
  if (c) return made(yearOf(c[8]!), monthOf(c[1]!), c[2]!, c.slice(3, 7), c[9] ?? c[7]);
  const american = AMERICAN.exec(text);
  if (american)
    return made(Number(american[3]), monthOf(american[1]!), american[2]!, american.slice(4, 8), american[8]);
  const iso = ISO.exec(text);
  return iso ? made(Number(iso[1]), Number(iso[2]) - 1, iso[3]!, iso.slice(4, 8), iso[8]) : undefined;
}

const monthOf = (name: string): number => MONTHS.indexOf(name.toLowerCase());
function yearOf(digits: string): number {
  const year = Number(digits);
  return digits.length === 2 ? year + (year < 50 ? 2000 : 1900) : digits.length === 3 ? year + 1900 : year;
}

/** Minutes east of UTC; NaN for what no zone can be. */
function offsetOf(zone: string | undefined): number {
  const found = /^([+-])(\d{1,2}?)(?::?(\d{2}))?$/.exec(zone ?? '');
  if (!found) return (ZONES[(zone ?? '').toLowerCase()] ?? 0) * 60;
  const [hours, minutes] = [Number(found[2]), Number(found[3] ?? 0)];
  return hours > 23 || minutes > 59 ? NaN : (found[1] === '-' ? -1 : 1) * (hours * 60 + minutes);
}

function made(
  year: number,
  month: number,
  dayDigits: string,
  time: readonly (string | undefined)[],
  zone: string | undefined,
): Date | undefined {
  const day = Number(dayDigits);
  const [minute, second] = [Number(time[1] ?? 0), Math.min(59, Number(time[2] ?? 0))];
  const half = time[3]?.toLowerCase();
  const hour = half ? (Number(time[0]) % 12) + (half === 'p' ? 12 : 0) : Number(time[0] ?? 0);
  const at = Date.UTC(year, month, day, hour, minute, second) - offsetOf(zone) * 60_000;
  const real =
    month >= 0 && year >= 1900 && day === new Date(Date.UTC(year, month, day)).getUTCDate() && hour < 24 && minute < 60;
  return real && !Number.isNaN(at) ? new Date(at) : undefined;
}
