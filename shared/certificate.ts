import type { DetailedPeerCertificate } from 'node:tls';

/** Why a certificate was refused. Only a `name` and an `untrusted` one can be vouched for by whoever knows it. */
export type CertificateFault = 'expired' | 'early' | 'name' | 'revoked' | 'untrusted';

/** The codes of Node's own check: X.509 errors of OpenSSL by their names, and that of the name. */
const REFUSED =
  /^(?:CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|ERROR_IN_CERT_|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|PATH_LENGTH_)/;
export const isCertificateCode = (code: unknown): code is string => typeof code === 'string' && REFUSED.test(code);

/**
 * What is wrong with a certificate that was refused with `code`, in one sentence, and what to do about it. `where`
 * names the server, `shown` is what it showed. Trying again helps with none of these.
 */
export function certificateTrouble(
  code: string,
  where: string,
  shown?: DetailedPeerCertificate,
): { fault: CertificateFault; words: string; advice: string } {
  const chain = chainOf(shown);
  const leaf = chain[0];
  const the = `The certificate of ${where}`;
  /** A server's own certificate is named by the server, one further up by who it belongs to. */
  const ofChain = (one: DetailedPeerCertificate | undefined) =>
    !one || one === leaf ? the : `${the} was signed by ${holderOf(one)}, whose certificate`;
  switch (code) {
    case 'CERT_HAS_EXPIRED': {
      const old = chain.find(one => Date.parse(one.valid_to) < Date.now());
      return {
        fault: 'expired',
        words: `${ofChain(old)} expired${old ? ` on ${dayOf(old.valid_to)}` : ''}.`,
        advice: 'Tell whoever runs the server, and check the clock of this machine. Trying again does not help.',
      };
    }
    case 'CERT_NOT_YET_VALID': {
      const early = chain.find(one => Date.parse(one.valid_from) > Date.now());
      return {
        fault: 'early',
        words: `${ofChain(early)} is not valid ${early ? `before ${dayOf(early.valid_from)}` : 'yet'}.`,
        advice: 'Check the clock of this machine, and tell whoever runs the server.',
      };
    }
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'HOSTNAME_MISMATCH':
      return {
        fault: 'name',
        words: `${the} was issued for ${namesOf(leaf)}.`,
        advice: 'Check the address of the account: the server answers for another name.',
      };
    case 'CERT_REVOKED':
      return {
        fault: 'revoked',
        words: `${the} was revoked.`,
        advice: 'Tell whoever runs the server. Do not give it a password meanwhile.',
      };
    default:
      return {
        fault: 'untrusted',
        words: `${the} is not trusted: ${signerOf(code, chain)} (${code}).`,
        advice:
          'Check the address. Where a company or a proxy signs certificates itself, give its certificate to Node.js (NODE_EXTRA_CA_CERTS).',
      };
  }
}

/** The certificates a server showed, its own first. The last one names itself as its issuer. */
function chainOf(shown?: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  for (let one = shown; one?.valid_to && !chain.includes(one) && chain.length < 10; one = one.issuerCertificate)
    chain.push(one);
  return chain;
}

const dayOf = (text: string): string => new Date(text).toISOString().slice(0, 10);
/** Strangers' words, on one line and not many of them. */
export const short = (words: unknown): string =>
  [words]
    .flat()
    .join(', ')
    .replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, 200);
const holderOf = ({ subject }: DetailedPeerCertificate): string =>
  short(subject?.CN || subject?.O || 'an authority without a name');

function namesOf(leaf?: DetailedPeerCertificate): string {
  return short(leaf?.subjectaltname?.replace(/DNS:|IP Address:/g, '') || leaf?.subject?.CN || '') || 'another name';
}

function signerOf(code: string, chain: readonly DetailedPeerCertificate[]): string {
  const last = chain.at(-1);
  const signer = short(last?.issuer?.CN || last?.issuer?.O || '');
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT') return 'the server signed it itself';
  // A server that leaves out what is between its own certificate and the authority is a common fault.
  if (code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    return `the server does not show the certificate of ${signer || 'who signed it'}, and this machine does not know it`;
  return signer && /^(?:SELF_SIGNED_|UNABLE_TO_GET_ISSUER)/.test(code)
    ? `it was signed by ${signer}, whom this machine does not know`
    : 'the check failed';
}
