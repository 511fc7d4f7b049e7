import type { RequestLine } from '../webview/messages.js';

/** A text as one word of a POSIX shell, whatever is in it. */
const word = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`);

/**
 * A request as a command that can be run by hand: curl for HTTP and IMAP, swaks for SMTP. What a request carried is not
 * known here, so the places of secrets and of a body are variables of the shell.
 */
export function commandLine({ method, origin, security, path }: RequestLine): string {
  const { protocol, hostname, port } = new URL(origin);
  // curl takes brackets in an address for a range of addresses.
  const globoff = /[[\]{}]/.test(origin + path) ? ' --globoff' : '';
  if (/^https?:$/.test(protocol)) {
    const body = /^(?:POST|PUT|PATCH)$/.test(method)
      ? ' --header \'Content-Type: application/json\' --data "$BODY"'
      : '';
    return `curl${globoff} --request ${word(method)} --header "Authorization: $AUTHORIZATION"${body} ${word(origin + path)}`;
  }
  if (/^smtps?:$/.test(protocol)) {
    const tls = protocol === 'smtps:' ? ' --tls-on-connect' : security === 'starttls' ? ' --tls' : '';
    return `swaks --server ${word(hostname)}${port ? ` --port ${port}` : ''}${tls} --auth-user "$MAIL_USER" --auth-password "$MAIL_PASSWORD" --from "$MAIL_FROM" --to "$MAIL_TO"`;
  }
  // Without this curl goes on in the clear where the server does not offer STARTTLS.
  const tls = security === 'starttls' ? ' --ssl-reqd' : '';
  // Folders of IMAP are shown in plain letters, and addresses take none but their own.
  return `curl${tls}${/[[\]{}]/.test(origin) ? ' --globoff' : ''} --user "$MAIL_USER:$MAIL_PASSWORD" ${word(origin + path.split('/').map(encodeURIComponent).join('/'))}`;
}
/** What the command is called by its program. */
export const programOf = ({ origin }: Pick<RequestLine, 'origin'>): 'cURL' | 'swaks' =>
  origin.startsWith('smtp') ? 'swaks' : 'cURL';
