import { createHash } from 'node:crypto';
import * as vscode from 'vscode';
import { packPlace, segment, unpackPlace, type Place } from '../fields/values.js';
import { title } from '../host/text.js';

export const SCHEME = 'mailroom';
export const isDocument = (uri: vscode.Uri | undefined): uri is vscode.Uri => uri?.scheme === SCHEME;

/** Where the places of documents are kept, and how many of them. */
const KEY = 'documents';
const KEPT = 500;

/**
 * The addresses of documents. The path is for people (tab and breadcrumbs); the query is a short name without a meaning
 * of its own, because VS Code shows addresses. What it stands for is kept in this window's state, so that tabs come
 * back.
 */
export function createPlaces(state: Pick<vscode.Memento, 'get' | 'update'>) {
  const known = (): Record<string, string> => state.get<Record<string, string>>(KEY, {});
  return {
    /** The address of an object's document. */
    uriOf(place: Place, account: string, label: string): vscode.Uri {
      const packed = packPlace(place);
      const query = createHash('sha256').update(packed).digest('base64url').slice(0, 12);
      const { [query]: before, ...others } = known();
      // The one used last stands last; the oldest are forgotten.
      const all = Object.entries(others).slice(1 - KEPT);
      if (before !== packed || Object.keys(others).length >= KEPT)
        void state.update(KEY, Object.fromEntries([...all, [query, packed]]));
      return vscode.Uri.from({
        scheme: SCHEME,
        path: `/${segment(account)}/${segment(title(place.resource))}/${segment(label)}.mailroom`,
        query,
      });
    },
    /**
     * What an address stands for; undefined where that is not known in this window. A whole place in the query is
     * understood, too.
     */
    placeOf: ({ query }: vscode.Uri): Place | undefined => unpackPlace(known()[query] ?? query),
  };
}
export type Places = ReturnType<typeof createPlaces>;

export const tabs = (wanted: (uri: vscode.Uri) => boolean): vscode.Tab[] =>
  vscode.window.tabGroups.all
    .flatMap(group => group.tabs)
    .filter(tab => {
      const { uri } = (tab.input ?? {}) as { uri?: vscode.Uri };
      return isDocument(uri) && wanted(uri);
    });
/**
 * The address under which an object is open already, after a rename perhaps another one: there is one tab for each
 * object.
 */
export const openedAs = (uri: vscode.Uri): vscode.Uri =>
  (tabs(({ query }) => query === uri.query)[0]?.input as { uri: vscode.Uri } | undefined)?.uri ?? uri;
