/**
 * A date and time as n8n's date picker gives it, in milliseconds since 1970; NaN for what is none. Text that names no
 * time zone is meant in the workflow's, and a day alone begins at its midnight.
 */
export function momentOf(text: string, timeZone: string): number {
  // Text of a day alone would be taken for UTC.
  const open = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?$/.test(text);
  return open
    ? inZone(new Date(`${text.replace(' ', 'T')}${text.length > 10 ? '' : 'T00:00'}Z`).getTime(), timeZone)
    : new Date(text).getTime();
}

/** The moment at which clocks in a zone show what clocks in Greenwich show at `wall`. */
function inZone(wall: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const shown = (at: number) => {
    const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second);
  };
  if (Number.isNaN(wall)) return wall;
  // Twice, because the difference may be another one where the clocks are changed in between.
  const near = wall - (shown(wall) - wall);
  return wall - (shown(near) - near);
}
