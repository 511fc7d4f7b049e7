import assert from 'node:assert/strict';
import { createServer as createPlain, type AddressInfo, type Server } from 'node:net';
import { createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { connect, createDispatcher, nextStep, providerById } from '../../shared/index.js';
import { certificateTrouble, isCertificateCode } from '../../shared/certificate.js';
import { selfSigned, type Certificate } from '../../shared/mailServer/imap/certificate.js';
import { failing } from '../failing.js';

const ID = '11111111-2222-4333-8444-555555555555';
const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const authority = { name: 'Acme Root', ...selfSigned({ name: 'Acme Root' }) };
const stranger = { name: 'Stranger Root', ...selfSigned({ name: 'Stranger Root' }) };
const retired = { name: 'Retired Root', ...selfSigned({ name: 'Retired Root', days: -3 }) };

/**
 * What a server shows, beside what is said of it and what to do. No step may be to try again: no certificate gets
 * better by waiting.
 */
const REFUSED: Record<
  string,
  { shown: () => Certificate; chain?: string; words: string | RegExp; step: RegExp; vouched?: true }
> = {
  'an expired one': {
    shown: () => selfSigned({ days: -5, signedBy: authority }),
    words: `expired on ${day(-5)}.`,
    step: /whoever runs the server.*does not help/,
  },
  'one that is signed with an expired one': {
    shown: () => selfSigned({ signedBy: retired }),
    chain: retired.cert,
    words: `was signed by Retired Root, whose certificate expired on ${day(-3)}.`,
    step: /whoever runs the server/,
  },
  'one of tomorrow': {
    shown: () => selfSigned({ from: 2, signedBy: authority }),
    words: `is not valid before ${day(2)}.`,
    step: /clock of this machine/,
  },
  'one of another name': {
    shown: () => selfSigned({ name: 'other.example', signedBy: authority }),
    words: 'was issued for other.example.',
    step: /^Check (?:the address|host and port)/,
    vouched: true,
  },
  'one that signs itself': {
    shown: () => selfSigned({}),
    words: 'is not trusted: the server signed it itself (DEPTH_ZERO_SELF_SIGNED_CERT).',
    step: /NODE_EXTRA_CA_CERTS|Allowed Certificate/,
    vouched: true,
  },
  'one of an authority that nobody knows': {
    shown: () => selfSigned({ signedBy: stranger }),
    chain: stranger.cert,
    words:
      'is not trusted: it was signed by Stranger Root, whom this machine does not know (SELF_SIGNED_CERT_IN_CHAIN).',
    step: /NODE_EXTRA_CA_CERTS|Allowed Certificate/,
    vouched: true,
  },
  'one without those between it and its authority': {
    shown: () => selfSigned({ signedBy: stranger }),
    words:
      'is not trusted: the server does not show the certificate of Stranger Root, and this machine does not know it (UNABLE_TO_VERIFY_LEAF_SIGNATURE).',
    step: /NODE_EXTRA_CA_CERTS|Allowed Certificate/,
    vouched: true,
  },
};

describe('TLS that fails is told in one sentence, with the step that helps', function () {
  this.timeout(60_000);
  const before_ = getCACertificates('default');
  const servers: Server[] = [];
  before(() => setDefaultCACertificates([...before_, authority.cert, retired.cert]));
  after(() => setDefaultCACertificates(before_));
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function listen<S extends Server>(server: S): Promise<number> {
    servers.push(server);
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }
  const showing = (one: Certificate, chain = '') =>
    listen(
      createServer({ key: one.key, cert: one.cert + chain }, socket => socket.on('error', () => {})).on(
        'tlsClientError',
        () => {},
      ) as Server,
    );
  const write = (baseUrl: string, proxy?: string) => async () => {
    const dispatcher = await createDispatcher(proxy ? { proxies: { url: proxy } } : {});
    try {
      return await failing(
        connect(providerById('scaleway'), { baseUrl, secretKey: ID }, { dispatcher }).call('mailbox.delete', {
          mailbox: ID,
        }) as Promise<unknown>,
      );
    } finally {
      await dispatcher.destroy();
    }
  };
  const mail = (port: number, side: 'imap' | 'smtp') =>
    failing(
      connect(
        providerById('imap'),
        {
          preset: 'custom',
          user: 'ann@example.com',
          password: 'sesame',
          [`${side}Host`]: 'localhost',
          [`${side}Port`]: port,
          [`${side}Security`]: 'tls',
        },
        { resolve: async () => '127.0.0.1' },
      ).call('account.check', {}) as Promise<unknown>,
    );

  for (const [kind, { shown, chain, words, step, vouched }] of Object.entries(REFUSED)) {
    it(`${kind}: of an HTTP vendor`, async () => {
      const error = await write(`https://localhost:${await showing(shown(), chain)}`)();
      assert.ok(error.message.includes(`: The certificate of localhost ${words} Nothing was sent.`), error.message);
      assert.match(nextStep(error), step);
      assert.doesNotMatch(nextStep(error), /try again later/i);
    });
    it(`${kind}: of a proxy`, async () => {
      const port = await showing(shown(), chain);
      const error = await write('https://vendor.example', `https://localhost:${port}`)();
      assert.ok(
        error.message.includes(`: The certificate of the proxy https://localhost:${port} ${words} Nothing was sent.`),
        error.message,
      );
      assert.match(nextStep(error), step);
    });
    for (const side of ['imap', 'smtp'] as const) {
      it(`${kind}: of a mail server (${side.toUpperCase()})`, async () => {
        const port = await showing(shown(), chain);
        const error = await mail(port, side);
        assert.ok(
          error.message.includes(`The certificate of ${side.toUpperCase()} at localhost:${port} ${words}`),
          error.message,
        );
        assert.equal(
          /Its SHA-256 fingerprint is (?:[\dA-F]{2}:){31}[\dA-F]{2}\./.test(error.message),
          vouched === true,
          error.message,
        );
        assert.match(nextStep(error), vouched ? /Check host and port.*Allowed Certificate/ : step);
        assert.doesNotMatch(nextStep(error), /try again later/i);
      });
    }
  }

  it('a server that speaks no TLS is told as that', async () => {
    const port = await listen(
      createPlain(socket => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
      }),
    );
    const error = await write(`https://localhost:${port}`)();
    assert.match(error.message, /localhost speaks no TLS that could be understood \(E\w+\)\. Nothing was sent\.$/);
    assert.match(
      nextStep(error),
      /^Check the port of the Base URL, and whether the server there wants https:\/\/ or http:\/\/\./,
    );
  });
});

describe('what is wrong with a certificate', () => {
  type Shown = Parameters<typeof certificateTrouble>[2];
  const shown = (more: object = {}) =>
    ({
      valid_from: 'Jan  1 00:00:00 2020 GMT',
      valid_to: 'Jan  1 00:00:00 2099 GMT',
      subject: { CN: 'mail.example' },
      issuer: { CN: 'Acme' },
      ...more,
    }) as unknown as Shown;
  const words = (code: string, one?: Shown) => certificateTrouble(code, 'mail.example', one).words;
  it('is said where the server shows no certificate any more', () => {
    assert.equal(words('CERT_HAS_EXPIRED'), 'The certificate of mail.example expired.');
    assert.equal(words('CERT_NOT_YET_VALID'), 'The certificate of mail.example is not valid yet.');
    for (const code of ['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH'])
      assert.equal(words(code), 'The certificate of mail.example was issued for another name.');
    assert.equal(
      words('SELF_SIGNED_CERT_IN_CHAIN'),
      'The certificate of mail.example is not trusted: the check failed (SELF_SIGNED_CERT_IN_CHAIN).',
    );
    assert.equal(
      words('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
      'The certificate of mail.example is not trusted: the server does not show the certificate of who signed it, and this machine does not know it (UNABLE_TO_VERIFY_LEAF_SIGNATURE).',
    );
  });
  it('one that was revoked gets no password, and nobody may vouch for it', () => {
    const { fault, words: said, advice } = certificateTrouble('CERT_REVOKED', 'mail.example', shown());
    assert.deepEqual(
      [fault, said, advice],
      [
        'revoked',
        'The certificate of mail.example was revoked.',
        'Tell whoever runs the server. Do not give it a password meanwhile.',
      ],
    );
  });
  it('names are those of the certificate, without what could look like more than a name', () => {
    assert.equal(
      words('HOSTNAME_MISMATCH', shown({ subjectaltname: 'DNS:a.example, IP Address:192.0.2.1' })),
      'The certificate of mail.example was issued for a.example, 192.0.2.1.',
    );
    assert.equal(
      words('HOSTNAME_MISMATCH', shown({ subject: { CN: ['a.example', 'b\u202e.example\n'] } })),
      'The certificate of mail.example was issued for a.example, b .example.',
    );
    assert.equal(
      words('SELF_SIGNED_CERT_IN_CHAIN', shown({ issuer: { O: 'Acme Inc' } })),
      'The certificate of mail.example is not trusted: it was signed by Acme Inc, whom this machine does not know (SELF_SIGNED_CERT_IN_CHAIN).',
    );
    assert.equal(
      words('INVALID_PURPOSE', shown()),
      'The certificate of mail.example is not trusted: the check failed (INVALID_PURPOSE).',
    );
    assert.ok(words('HOSTNAME_MISMATCH', shown({ subjectaltname: `DNS:${'a'.repeat(5000)}` })).length < 300);
  });
  it('an authority without a name is told too, and a chain that leads to itself ends', () => {
    const old = shown({ valid_to: 'Jan  1 00:00:00 2021 GMT', subject: { O: 'Old Inc' } })!;
    const leaf = shown({ issuerCertificate: old });
    old.issuerCertificate = old;
    assert.equal(
      words('CERT_HAS_EXPIRED', leaf),
      'The certificate of mail.example was signed by Old Inc, whose certificate expired on 2021-01-01.',
    );
    (old as { subject: object }).subject = {};
    assert.match(words('CERT_HAS_EXPIRED', leaf), /signed by an authority without a name, whose/);
  });
  it('is known by the codes of the check, and by those alone', () => {
    for (const code of [
      'CERT_HAS_EXPIRED',
      'CRL_HAS_EXPIRED',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'ERROR_IN_CERT_NOT_AFTER_FIELD',
      'HOSTNAME_MISMATCH',
      'INVALID_CA',
      'INVALID_PURPOSE',
      'PATH_LENGTH_EXCEEDED',
    ])
      assert.ok(isCertificateCode(code), code);
    for (const code of [
      'ECONNREFUSED',
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'INVALID_INPUT',
      'NO_CERT_HAS_EXPIRED',
      '',
      undefined,
      5,
    ])
      assert.ok(!isCertificateCode(code), String(code));
  });
});
