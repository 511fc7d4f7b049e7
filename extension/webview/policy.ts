export type Page = 'form' | 'reader' | 'lists' | 'overview' | 'requests';

/** The hash of nothing: the widget toolkit adds one empty style element, which it fills through the object model. */
const EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";

/**
 * What a page may run, load and send. Mail brings its own styles; only the page that shows it may have any but ours,
 * and only it may have pictures: `images` are those from elsewhere.
 */
export const policyOf = (page: Page, images: boolean, nonce: string, cspSource: string): string =>
  [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${cspSource}${page === 'reader' ? " 'unsafe-inline'" : page === 'overview' ? ` ${EMPTY_STYLE}` : ''}`,
    ...(page === 'reader' ? [`img-src data:${images ? ' https: http:' : ''}`] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
