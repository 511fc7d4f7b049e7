import assert from 'node:assert/strict';
import { fieldsOf } from '../../extension/accounts/store.js';
import { render } from '../../extension/form/render.js';
import { localizedProviders } from '../../extension/fields/localized.js';
import { plural, t, title, translateWith } from '../../extension/host/text.js';
import { providers, splitName, type Fields, type Operation } from '../../shared/index.js';

/** A language in which every text stands in angles, so that what was not translated is seen. */
const ANGLED = /^«[^«]*»$/;

describe('another language', () => {
  beforeEach(() => translateWith(text => `«${text}»`));
  afterEach(() =>
    translateWith(
      (text, ...args) => text.replace(/\{(\d+)\}/g, (_, i: string) => String(args[Number(i)] ?? '')),
      false,
    ),
  );

  it('reaches every text of every form, of every menu and of every branch', () => {
    const form = (fields: Fields) => {
      for (const { title: group, controls } of render(fields, { pickable: () => false, general: t('General') })) {
        if (group !== undefined) assert.match(group, ANGLED);
        for (const { label, help, options } of controls)
          for (const text of [label, help, ...(options ?? []).map(one => one.label)])
            if (text) assert.match(text, ANGLED);
      }
    };
    for (const provider of localizedProviders()) {
      form(fieldsOf(provider));
      if (provider.notice) assert.match(provider.notice, ANGLED);
      for (const [name, { summary, input }] of Object.entries(provider.operations as Record<string, Operation>)) {
        for (const text of [summary, title(splitName(name)[0]), plural(splitName(name)[0])]) assert.match(text, ANGLED);
        form(input);
      }
    }
  });
  it('is put into the tables once, and not at all where there is none', () => {
    assert.equal(localizedProviders(), localizedProviders());
    assert.notEqual(localizedProviders(), providers);
    translateWith(text => text, false);
    assert.equal(localizedProviders(), providers);
  });
});
