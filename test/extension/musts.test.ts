import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/**
 * What a VS Code extension of this kind must do, after VS Code's own guides (code.visualstudio.com/api) and what users
 * of its neighbours complained of; each with the test that shows it. A test that goes, or gets another title, is missed
 * here.
 */
const MUSTS: Readonly<Record<string, readonly (readonly [must: string, file: string, title: string])[]>> = {
  'manifest and life cycle': [
    [
      'only such activation events as VS Code cannot infer',
      'extension/manifest',
      'activates for nothing that VS Code infers, and for no start',
    ],
    [
      'nothing happens at activation but registration',
      'extension/activation',
      'reads one file, no core and no library, and registers',
    ],
    ['no vendor is asked at activation', 'e2e/vscode/inside/suite', 'starting asks no vendor for anything'],
    [
      'the engine is the oldest version tested, and types are its own',
      'extension/manifest',
      'is compiled against the oldest version that it runs in',
    ],
    ['every disposable has an owner', 'extension/musts', 'whatever is registered is owned'],
    [
      'no workspace steers where secrets go',
      'extension/manifest',
      'settings that could steer where secrets go are not for workspaces',
    ],
    ['no entry for the browser', 'extension/musts', 'there is no entry for the browser'],
  ],
  tree: [
    ['few views, an outline icon', 'extension/manifest', 'files it names are there'],
    ['model and view are apart', 'extension/musts', 'the model of the tree knows nothing of VS Code'],
    [
      'ids are unique and do not depend on labels',
      'extension/model',
      'has ids that differ everywhere and do not depend on labels',
    ],
    [
      'the smallest element is fired, and the very object',
      'extension/model',
      'loads more without asking for the first page again, and fires only the branch',
    ],
    [
      'a refresh reads as many pages as were shown',
      'extension/model',
      'refreshes as many pages as were loaded, and keeps the objects of rows that stay',
    ],
    [
      'a failure is a row, and is not tried again by itself',
      'extension/model',
      'shows a failure as rows and does not try again by itself',
    ],
    ['empty is a row', 'extension/model', 'says that a list is empty'],
    [
      'a long list ends with a row that loads more',
      'extension/model',
      'loads more without asking for the first page again, and fires only the branch',
    ],
    [
      'what can have nothing below it has no arrow',
      'extension/model',
      'is derived from the table: lists without targets at the account, limited ones below an object, choices as branches, single objects as rows',
    ],
    ['menus match whole words', 'extension/model', 'menus are chosen by words, one for each thing that can be done'],
    [
      'at most two inline actions, none destroys',
      'extension/manifest',
      'at most two inline actions meet in a row, and none destroys',
    ],
  ],
  'commands, menus, questions': [
    [
      'a category and a title that begins with a verb',
      'extension/manifest',
      'every command has a category and a title that begins with a verb; every menu names a declared one',
    ],
    [
      'manifest and registrations agree',
      'e2e/vscode/inside/suite',
      'registers what its manifest declares, and nothing else',
    ],
    ['a command gets the whole selection', 'extension/commands', 'several accounts are removed with one question'],
    [
      'a command without its row does nothing',
      'e2e/vscode/inside/suite',
      'no command does anything without a row that it is for',
    ],
    [
      'from the palette a command asks for what it lacks',
      'extension/commands',
      'without a row say what they need, and do nothing',
    ],
    [
      'input in steps is checked while typing',
      'e2e/vscode/forms',
      'a form changes a password in boxes: typed twice, sent once, nowhere else',
    ],
    [
      'destroying names the object and what is lost',
      'extension/rows',
      'several mailboxes are deleted after their number was typed; the question says what is lost, the summary offers to restore all',
    ],
    ['the name is typed, and undo is offered', 'e2e/vscode/run', 'deletes only after the name was typed, and restores'],
  ],
  'secrets and accounts': [
    [
      'secrets lie in the secret store alone',
      'extension/accounts',
      'keep: secrets lie in the secret store and nowhere else',
    ],
    [
      'keep, session, never are obeyed',
      'e2e/vscode/trouble',
      'never remembers a secret: asked for again, a wrong one too, and given up for a while',
    ],
    [
      'an entry without its secret does not vanish',
      'extension/accounts',
      'an index without its secret says so and does not vanish',
    ],
    [
      'what is removed leaves with its secrets',
      'extension/accounts',
      'one that was removed does not come back, nor its secrets',
    ],
    [
      'a store that does not answer is told once',
      'extension/accounts',
      'a secret store that does not answer is told once, and the session goes on',
    ],
    ['another window is heard', 'extension/accounts', 'in another window: the next request goes to its new address'],
    ['several accounts at once', 'e2e/vscode/run', 'shows overview and requests; gathers what needs attention'],
    [
      'one message for all that failed with 401',
      'extension/accounts',
      'are told of once for all that fails together, then not for a minute',
    ],
  ],
  pages: [
    [
      'the policy',
      'extension/pages',
      'lets run what has the nonce, and nothing load but our style; mail may have styles and, when asked, pictures',
    ],
    [
      'a nonce for each load',
      'extension/policy',
      'gives it a policy with a nonce that is used once, written so that nothing of it ends the attribute',
    ],
    ['one folder can be read', 'extension/policy', 'lets it read the folder of the pages alone'],
    [
      'data never enters markup',
      'extension/manifest',
      'nothing in the extension names a provider or puts data into markup',
    ],
    ['messages are closed unions, checked', 'extension/pages', 'anything else is dropped without a sound (property)'],
    [
      'the interface of VS Code is fetched once',
      'extension/musts',
      'pages fetch the interface of VS Code once, and stay no longer than they are seen',
    ],
    [
      'a page that was hidden is filled again',
      'extension/panels',
      'is drawn again from what was read, and reads again when asked',
    ],
    [
      'no secret is kept in the state of a page',
      'extension/panels',
      'write down what their fields take, and never a secret, whatever a page says',
    ],
    ['colours are those of the theme', 'extension/musts', 'pages have the colours of the theme and no others'],
    [
      'hostile mail runs and fetches nothing',
      'e2e/vscode/run',
      'hostile mail shows nothing active and fetches nothing',
    ],
  ],
  'progress, errors, log': [
    [
      'progress that can be cancelled, and ends',
      'e2e/vscode/bulk',
      'works on several rows at once: one question, one progress, one summary',
    ],
    [
      'cancel ends the request',
      'extension/model',
      'cancelled, ends the request under way, keeps what was read, and can go on',
    ],
    [
      'one function turns an error into a sentence with a way on',
      'extension/problems',
      'every error is logged with where it happened, a cancellation with one line and no message; what it was done on stays out',
    ],
    [
      'what is wrong with a field is said at the field',
      'e2e/vscode/run',
      'a refusal is said at its field, by nobody else, and keeps the tab; saving over others is asked for each time',
    ],
    [
      'the same within a minute is counted',
      'extension/problems',
      'what was asked for is answered each time, and the second time within a minute says so',
    ],
    ['a wait is seen', 'extension/requests', 'is counted down in the status bar, and gone when it is over'],
    ['one log, without query, secret or content', 'extension/requests', 'show no token that stands in their path'],
  ],
  'words, access, trust': [
    [
      'every text can be translated',
      'extension/manifest',
      'every sentence of the code is in the bundle for translators',
    ],
    [
      'pages have their texts from the host',
      'extension/pages',
      'every text of a page is in the list that the host translates',
    ],
    ['no telemetry', 'extension/musts', 'nothing is told to anybody but the providers'],
    [
      'the keyboard does everything',
      'e2e/vscode/keyboard',
      'with the keyboard alone: a changed limit, a blocked sender, an answered conversation',
    ],
    [
      'the focus is seen on every control of every page, in four themes',
      'e2e/vscode/run',
      'every control shows its focus',
    ],
    [
      'the accessibility engine finds nothing on any page, in four themes',
      'e2e/vscode/run',
      'the accessibility engine finds nothing',
    ],
    [
      'a field that is not set says so to a screen reader',
      'e2e/vscode/forms',
      'a field that is neither on nor off says so, and can be left so again',
    ],
    [
      'motion is reduced, words are kept for who hears them',
      'e2e/vscode/mail',
      'a page stands still for whoever asked the system for that, and keeps its words for who hears them',
    ],
    ['views have a help text', 'extension/musts', 'both views have a help text'],
    [
      'settings are few, with what each value means',
      'extension/musts',
      'settings are few, and say what each value means',
    ],
  ],
  packing: [
    [
      'host and pages are bundled, heavy parts come on first use',
      'extension/activation',
      'reads one file, no core and no library, and registers',
    ],
    ['pages are small', 'extension/activation', 'pages are small, and only the overview carries the widget toolkit'],
    [
      'the package itself is installed in the oldest and the newest VS Code',
      'e2e/vscode/inside/suite',
      'comes from the package, and does not start by itself',
    ],
    ['licences come along', 'package', 'brings the licence of everything it bundles, and nothing that is no package'],
  ],
};

const root = join(__dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  browser?: string;
  contributes: {
    walkthroughs: { steps: { completionEvents: string[]; media: { svg: string } }[] }[];
    views: Record<string, { accessibilityHelpContent?: string }[]>;
    configuration: {
      properties: Record<
        string,
        { enum?: unknown[]; enumDescriptions?: string[]; default?: unknown; description?: string; order?: number }
      >;
    };
  };
};
const sources = readdirSync(join(root, 'extension'), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => ({ name, text: read(join('extension', name)) }));
const style = read('extension/webview/page/style.css');

describe('what the extension must do', () => {
  for (const [chapter, musts] of Object.entries(MUSTS)) {
    it(`${chapter}: each has its test`, () => {
      for (const [must, file, title] of musts) {
        const literal = title.replaceAll("'", "\\'");
        assert.ok(
          read(`test/${file}${file.includes('e2e') ? '' : '.test'}.ts`).includes(`'${literal}'`),
          `${must}: no test “${title}” in ${file}`,
        );
      }
    });
  }
  it('whatever is registered is owned', () => {
    // A call that throws its disposable away stands as a statement of its own.
    const lost = sources.flatMap(({ name, text }) => {
      const found: string[] = [];
      const visit = (node: ts.Node): void => {
        if (
          ts.isExpressionStatement(node) &&
          ts.isCallExpression(node.expression) &&
          /^vscode\.(?:workspace|window|languages|commands)\.(?:register|onDid|onWill|create)/.test(
            node.expression.expression.getText(),
          )
        )
          found.push(`${name}: ${node.getText().slice(0, 80)}`);
        ts.forEachChild(node, visit);
      };
      visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true));
      return found;
    });
    assert.deepEqual(lost, []);
  });
  it('there is no entry for the browser', () => assert.equal(manifest.browser, undefined));
  it('the model of the tree knows nothing of VS Code', () =>
    assert.ok(!/from 'vscode'/.test(read('extension/tree/model.ts'))));
  it('pages fetch the interface of VS Code once, and stay no longer than they are seen', () => {
    assert.equal(
      sources.reduce((sum, { text }) => sum + text.split('= acquireVsCodeApi()').length - 1, 0),
      1,
    );
    assert.deepEqual(
      sources.filter(({ text }) => /retainContextWhenHidden: true/.test(text)).map(({ name }) => name),
      [],
    );
  });
  it('pages have the colours of the theme and no others', () => {
    // Beside a variable stands at most what is shown where a theme has none; paper is white for mail that expects it.
    const bare = style
      .replace(/var\((?:[^()]|\([^()]*\))*\)/g, '')
      .split('\n')
      .filter(line => /#[0-9a-f]{3,8}\b|\brgba?\(|\bhsl/i.test(line) && !/\.mail iframe/.test(line));
    assert.deepEqual(bare, []);
  });
  it('nothing is told to anybody but the providers', () => {
    for (const { name, text } of sources)
      assert.ok(!/createTelemetryLogger|applicationinsights|sendTelemetry/i.test(text), name);
  });
  it('a step of the walkthrough is ticked when it is done, not when it is begun', () => {
    const steps = manifest.contributes.walkthroughs.flatMap(one => one.steps);
    for (const { completionEvents } of steps)
      for (const event of completionEvents) {
        const [, context] = /^onContext:mailroom\.(\w+)$/.exec(event) ?? assert.fail(event);
        assert.ok(read('extension/extension.ts').includes(`'${context}'`), event);
      }
  });
  it("pictures of the walkthrough have the colours of the theme, written so that VS Code's page for them lets them through", () => {
    // That page has the policy style-src 'nonce-…': attributes and elements of style are dropped, and what they filled
    // is black.
    const pictures = manifest.contributes.walkthroughs.flatMap(one => one.steps).map(({ media }) => media.svg);
    assert.equal(pictures.length, 4);
    for (const file of pictures) {
      const text = read(file);
      assert.doesNotMatch(text, /\sstyle=|<style/, file);
      for (const [, colour] of text.matchAll(/\s(?:fill|stroke)="([^"]*)"/g))
        assert.match(colour!, /^none$|^var\(--vscode-[\w-]+, #\w+\)$/, file);
    }
  });
  it('both views have a help text', () => {
    for (const view of Object.values(manifest.contributes.views).flat()) assert.ok(view.accessibilityHelpContent);
  });
  it('settings are few, and say what each value means', () => {
    const all = Object.entries(manifest.contributes.configuration.properties);
    assert.ok(all.length <= 5);
    for (const [name, one] of all) {
      assert.ok(one.description && one.order !== undefined && one.default !== undefined, name);
      assert.equal(one.enumDescriptions?.length, one.enum?.length, name);
    }
  });
});
