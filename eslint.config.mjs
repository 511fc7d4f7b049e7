// Both community rule sets of n8n, in their self-hosted form (this package opens sockets, which n8n's cloud forbids),
// over TypeScript's own.
import { n8nCommunityNodesPlugin } from '@n8n/eslint-plugin-community-nodes';
import nodesBase from 'eslint-plugin-n8n-nodes-base';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const off = names => Object.fromEntries(names.map(name => [name, 'off']));

export default defineConfig(
  globalIgnores(['dist', '**/node_modules', '.cache', 'test/engine/fixture', 'test/e2e/**/.cache']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './extension/tsconfig.pages.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'no-console': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/no-empty-object-type': 'off', // {} is the neutral default of a type parameter here
      '@typescript-eslint/no-explicit-any': 'off', // where a type parameter must be forgotten; the core says where
    },
  },
  {
    files: ['**/*.ts'],
    rules: {
      'one-var': ['error', 'never'],
      'max-len': [
        'error',
        { code: 120, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true, ignoreUrls: true },
      ],
    },
  },
  {
    // A function is understood without scrolling. What is longer still is named here; nothing is to be added.
    files: ['shared/**/*.ts', 'nodes/**/*.ts', 'credentials/**/*.ts', 'extension/**/*.ts'],
    ignores: ['shared/providers/imap/{mime/parse,wire/fetch}.ts', 'extension/objects/editor.ts'],
    rules: { 'max-lines-per-function': ['error', { max: 90, skipComments: true, skipBlankLines: true }] },
  },
  { files: ['test/**/*.ts'], rules: { 'no-console': 'off', '@typescript-eslint/no-unused-expressions': 'off' } },
  {
    files: ['package.json', 'nodes/**/*.ts', 'credentials/**/*.ts'],
    extends: [n8nCommunityNodesPlugin.configs.recommendedWithoutN8nCloudSupport],
  },
  // This rule takes every object below VS Code's "contributes" for a manifest of its own. A test holds the real name to
  // the convention.
  { files: ['package.json'], rules: off(['@n8n/community-nodes/package-name-convention']) },
  {
    files: ['package.json'],
    plugins: { 'n8n-nodes-base': nodesBase },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { extraFileExtensions: ['.json'], project: null, program: null },
    },
    rules: nodesBase.configs.community.rules,
  },
  {
    files: ['credentials/**/*.ts'],
    plugins: { 'n8n-nodes-base': nodesBase },
    rules: {
      ...nodesBase.configs.credentials.rules,
      ...off([
        'n8n-nodes-base/cred-class-field-documentation-url-miscased',
        'n8n-nodes-base/cred-class-field-type-options-password-missing',
      ]),
    },
  },
  {
    files: ['nodes/**/*.ts'],
    plugins: { 'n8n-nodes-base': nodesBase },
    rules: {
      ...nodesBase.configs.nodes.rules,
      ...off([
        'n8n-nodes-base/node-class-description-inputs-wrong-regular-node',
        'n8n-nodes-base/node-class-description-outputs-wrong',
        'n8n-nodes-base/node-param-type-options-max-value-present',
      ]),
    },
  },
);
