/**
 * Marks on one letter, and letters that turn the direction of others in one message: so many are shown. Layout takes
 * time by their square.
 */
const MARKS = 16;
const TURNS = 1000;
const TOO_MANY = new RegExp(`(\\p{M}{${MARKS}})\\p{M}+`, 'gu');

/**
 * Takes out of the texts of one message what makes following letters read backwards, which no honest mail needs, and
 * what stalls their layout.
 */
export function limitCharacters(): (text: string) => string {
  let turns = TURNS;
  return text =>
    text
      .replace(/[\u202d\u202e]/g, '')
      .replace(TOO_MANY, '$1')
      .replace(/[\u202a-\u202c\u2066-\u2069]/g, one => (turns-- > 0 ? one : ''));
}
