/** A link of the mail. */
export interface Button {
  label: string;
  url: string;
  primary: boolean;
}
/** An element of the form; `type` is that of the HTML control, or `dropdown`. */
export interface FormField {
  label: string;
  type: string;
  required: boolean;
  choices: string[];
}

const escaped = (text: string) => text.replace(/[&<>"']/g, sign => `&#${sign.charCodeAt(0)};`);
/** Plain text as HTML that keeps its lines. */
const lines = (text: string) => escaped(text).replace(/\r?\n/g, '<br>\n');

const BUTTON =
  'display:inline-block;padding:12px 20px;margin:8px 8px 0 0;border-radius:6px;font-size:14px;font-weight:600;text-decoration:none;' +
  'border:1px solid #d64f32;';
const buttonStyle = (primary: boolean) =>
  `${BUTTON}${primary ? 'background:#d64f32;color:#ffffff' : 'background:#ffffff;color:#b03b22'}`;
const PAGE =
  'font-family:-apple-system,"Segoe UI",Roboto,Arial,sans-serif;font-size:15px;line-height:1.5;color:#2d2e3a;';

/** The mail that asks, as text and as HTML. The message is plain text in both. */
export function askingMail(message: string, buttons: readonly Button[]): { text: string; html: string } {
  return {
    text: `${message}\n\n${buttons.map(({ label, url }) => `${label}:\n${url}`).join('\n\n')}\n`,
    html: `<div style="${PAGE.replace(/"/g, "'")}"><p>${lines(message)}</p>\n<p>${buttons
      .map(
        ({ label, url, primary }) => `<a href="${escaped(url)}" style="${buttonStyle(primary)}">${escaped(label)}</a>`,
      )
      .join('\n')}</p></div>`,
  };
}

const page = (title: string, body: string) => `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>${escaped(title)}</title><style>
body { margin: 0; background: #f3f3f6; ${PAGE} }
main { max-width: 30rem; margin: 3rem auto; padding: 2rem; background: #fff; border: 1px solid #dcdde3; border-radius: 8px; overflow-wrap: anywhere; }
h1 { font-size: 1.25rem; margin: 0 0 1rem; } label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input, textarea, select { box-sizing: border-box; width: 100%; padding: .6rem; border: 1px solid #8e8fa0; border-radius: 6px; font: inherit; }
button { ${buttonStyle(true)}; margin-top: 1.5rem; cursor: pointer; font: inherit; font-weight: 600; } button:focus-visible { outline: 3px solid #2d2e3a; }
</style></head><body><main><h1>${escaped(title)}</h1>
${body}
</main></body></html>`;

/** The page behind a link: the question, the form, and the one button that answers. */
export function formPage({
  title,
  message,
  fields,
  button,
}: {
  title: string;
  message: string;
  fields: readonly FormField[];
  button: string;
}): string {
  const controls = fields.map(({ label, type, required, choices }, at) => {
    const common = `id="f${at}" name="field-${at}"${required ? ' required' : ''}`;
    const control =
      type === 'textarea'
        ? `<textarea ${common} rows="6"></textarea>`
        : type === 'dropdown'
          ? `<select ${common}><option value=""></option>${choices.map(one => `<option>${escaped(one)}</option>`).join('')}</select>`
          : `<input ${common} type="${['date', 'email', 'number'].includes(type) ? type : 'text'}"${type === 'number' ? ' step="any"' : ''}>`;
    return `<label for="f${at}">${escaped(label)}${required ? ' *' : ''}</label>${control}`;
  });
  return page(
    title,
    `<p>${lines(message)}</p>
<form method="post" enctype="multipart/form-data">${controls.join('\n')}
<button type="submit">${escaped(button)}</button></form>`,
  );
}

/** What is said after an answer. */
export const answerPage = (title: string, text: string): string => page(title, `<p>${lines(text)}</p>`);
