/** What the nodes and credentials are made from. */
export * from './account.js';
export * from './dryRun.js';
export * from './follow.js';
export * from './host.js';
export * from './items.js';
export * from './owner.js';
export * from './parameter.js';
export * from './parameters.js';
export * from './search.js';
export * from './severalPicker.js';
export * from './sendAndWait.js';
export * from './trigger.js';
export * from './triggerProperties.js';
export * from './triggerWords.js';
export * from './words.js';
