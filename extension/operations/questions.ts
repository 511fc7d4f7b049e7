import { splitName, type Operation } from '../../shared/index.js';
import { inputFrom, isPlace, isSaid, missing, refOf } from '../fields/tables.js';
import type { Values } from '../webview/messages.js';
import type { Target } from './target.js';

/** What is still to be asked before an operation can run: nothing or a few fields, one box each, or a form. */
export type Questions = readonly string[] | 'form';

/** Operations that need no more than their target even where they could take more. */
const AT_ONCE: readonly string[] = [
  'mark',
  'check',
  'start',
  'restore',
  'validate',
  'expunge',
  'records',
  'status',
  'count',
  'testSend',
  'testSync',
  'me',
  'flags',
  'folders',
  'thread',
  'headers',
  'body',
];
const isAtOnce = (verb: string): boolean => AT_ONCE.includes(verb) || /^(un)?link/.test(verb);

/** Kinds of fields that a box can ask for. */
const SIMPLE: readonly string[] = ['text', 'number', 'flag', 'choice'];

/** `input` is what is known, `extra` the part of it that the caller gave. */
export function questionsFor(operation: Operation, name: string, input: Values, extra: Values): Questions {
  const required = missing(operation, input);
  const optional = openFields(operation, input).filter(key => !required.includes(key)).length;
  const isGiven = isAtOnce(splitName(name)[1]) || Object.keys(extra).length > 0;
  const isEnough = optional === 0 || operation.effect === 'destroy' || isGiven;
  if (required.length === 0) return isEnough ? required : 'form';
  const isShort = required.length <= 2 && optional <= 1;
  return isShort && required.every(key => isSimple(operation, key)) ? required : 'form';
}

/** The fields that could still be given. */
const openFields = (operation: Operation, input: Values): string[] =>
  Object.entries(operation.input)
    .filter(([key, field]) => {
      const isOtherPlace = field.ref !== undefined && isPlace(key, field) && !field.required;
      return input[key] === undefined && !isSaid(operation, key, input) && !isOtherPlace;
    })
    .map(([key]) => key);

const isSimple = ({ input }: Operation, key: string): boolean =>
  SIMPLE.includes(input[key]!.type) && !(input[key] as { lines?: number }).lines;

/**
 * Those of the targets for which the answers to the questions mean the same as for the first: the same fields, and
 * objects of the same lists.
 */
export function alikeFor(
  operation: Operation,
  targets: readonly Target[],
  first: Target,
  input: Values,
  questions: Questions,
): Target[] {
  if (!questions.length) return [...targets];
  const lists = Object.keys(operation.input)
    .filter(key => input[key] === undefined && (questions === 'form' || questions.includes(key)))
    .map(key => refOf(operation.input[key]!))
    .filter(ref => ref !== undefined);
  const meaningOf = ({ account, binding }: Target) =>
    JSON.stringify([
      account.provider.id,
      ...(lists.length ? [account.id] : []),
      ...lists.map(ref => inputFrom(account.provider, `${ref}.list`, binding)),
    ]);
  const meaning = meaningOf(first);
  return targets.filter(one => meaningOf(one) === meaning);
}
