import type { IDisplayOptions } from 'n8n-workflow';

type Versions = NonNullable<NonNullable<IDisplayOptions['show']>['@version']>;
/**
 * The versions of the nodes. Since 1.1 a new node begins with mail over IMAP, and Sync Trigger picks folders from a
 * list. Nodes made before keep what they have: n8n stores no value that is the one a parameter begins with.
 */
export const SINCE_1_1: Versions = [{ _cnd: { gte: 1.1 } }];
export const BEFORE_1_1: Versions = [{ _cnd: { lt: 1.1 } }];
