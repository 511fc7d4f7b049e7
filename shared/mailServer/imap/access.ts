import { imapString, refuse } from './cursor.js';
import { sync, tell, unselect, type CommandEntry, type Session } from './session.js';

/** Capabilities now, which differ before and after the login (RFC 3501 6.1.1). */
export function capabilities({ server, account, secure }: Session): string {
  const all = account
    ? [
        'SASL-IR',
        'LITERAL+',
        'ID',
        'ENABLE',
        'IDLE',
        'NAMESPACE',
        'CHILDREN',
        'UNSELECT',
        'UIDPLUS',
        'MOVE',
        'CONDSTORE',
        'QRESYNC',
        'ESEARCH',
        'WITHIN',
        'LIST-EXTENDED',
        'LIST-STATUS',
        'SPECIAL-USE',
        'STATUS=SIZE',
        'OBJECTID',
        'QUOTA',
      ]
    : [
        'SASL-IR',
        'LITERAL+',
        'ID',
        'ENABLE',
        'IDLE',
        ...(secure ? [] : ['STARTTLS']),
        ...(secure || server.options.plaintext !== false
          ? ['AUTH=PLAIN', 'AUTH=LOGIN', 'AUTH=XOAUTH2']
          : ['LOGINDISABLED']),
      ];
  return [
    'IMAP4rev1',
    ...all.filter(capability => server.has(capability)),
    ...(server.options.offer?.filter(c => !all.includes(c)) ?? []),
  ].join(' ');
}

const plain = (session: Session) => {
  if (session.secure || session.server.options.plaintext !== false) return;
  refuse('NO', '[PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.');
};
function enter(session: Session, user: string, method: string, proven: boolean): string {
  const { server } = session;
  const { anyone } = server.options;
  const account = server.store.accounts.get(anyone ?? user);
  const ok = account !== undefined && (proven || anyone !== undefined);
  if (!ok) {
    server.login(session, user, method, false);
    return refuse('NO', '[AUTHENTICATIONFAILED] Authentication failed.');
  }
  if (server.loggedIn(user) >= server.trouble.userLimit) {
    server.login(session, user, method, false);
    return refuse(
      'NO',
      `[LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=${server.trouble.userLimit})`,
    );
  }
  session.account = account;
  server.login(session, user, method, true);
  return `OK [CAPABILITY ${capabilities(session)}] Logged in`;
}
const utf8 = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8');

/** A continuation: sends `+ text` and reads the base64 answer; `*` cancels (RFC 3501 6.2.2). */
async function ask(session: Session, text: string): Promise<string> {
  session.wire.write(`+ ${text}\r\n`);
  await session.wire.flush();
  const line = await session.wire.line();
  if (line === undefined || line === '*') return refuse('BAD', 'Authentication aborted by client.');
  return decode(line);
}
function decode(text: string): string {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4)
    return refuse('BAD', 'Invalid base64 data in SASL response');
  return Buffer.from(text, 'base64').toString('utf8');
}

/** Commands for connecting and proving who one is. */
export const accessCommands: Record<string, CommandEntry> = {
  CAPABILITY: {
    state: 'any',
    run(session, args) {
      args.end();
      tell(session, `CAPABILITY ${capabilities(session)}`);
      return 'OK Capability completed.';
    },
  },
  NOOP: {
    state: 'any',
    run(_, args) {
      args.end();
      return 'OK NOOP completed.';
    },
  },
  CHECK: {
    state: 'selected',
    run(_, args) {
      args.end();
      return 'OK Check completed.';
    },
  },
  LOGOUT: {
    state: 'any',
    run(session, args) {
      args.end();
      unselect(session);
      tell(session, 'BYE Logging out');
      session.over = true;
      return 'OK Logout completed.';
    },
  },
  ID: {
    state: 'any',
    needs: 'ID',
    run(session, args) {
      args.space();
      if (args.at('(')) args.list(() => (args.peek() === 'NIL' ? args.atom() : args.string()));
      else args.word('NIL');
      args.end();
      tell(session, `ID ("name" ${imapString(session.server.options.name ?? 'Mailroom sandbox')})`);
      return 'OK ID completed.';
    },
  },
  ENABLE: {
    state: 'in',
    needs: 'ENABLE',
    run(session, args) {
      const fresh: string[] = [];
      do {
        args.space();
        const name = args.atom().toUpperCase();
        if (!['CONDSTORE', 'QRESYNC'].includes(name) || !session.server.has(name)) continue;
        if (session.selected && name === 'QRESYNC')
          refuse('BAD', 'QRESYNC cannot be enabled while a mailbox is selected');
        session.enabled.add(name).add('CONDSTORE');
        fresh.push(name);
      } while (!args.over());
      if (fresh.length > 0) tell(session, `ENABLED ${fresh.join(' ')}`);
      return 'OK Enabled.';
    },
  },
  STARTTLS: {
    state: 'start',
    needs: 'STARTTLS',
    async run(session, args) {
      args.end();
      if (session.secure) refuse('BAD', 'TLS is already active.');
      // Anything sent along in clear text must not be taken for commands under TLS (RFC 2595, CVE-2011-0411).
      if (session.wire.waiting() > 0) {
        session.over = true;
        refuse('BAD', 'Commands after STARTTLS are not allowed before the handshake');
      }
      session.upgrade = true;
      return 'OK Begin TLS negotiation now.';
    },
  },
  LOGIN: {
    state: 'start',
    run(session, args) {
      args.space();
      const user = utf8(args.astring());
      args.space();
      const password = utf8(args.astring());
      args.end();
      plain(session);
      return enter(session, user, 'LOGIN', session.server.store.accounts.get(user)?.password === password);
    },
  },
  AUTHENTICATE: {
    state: 'start',
    async run(session, args) {
      args.space();
      const method = args.atom().toUpperCase();
      let initial: string | undefined;
      if (!args.over()) {
        args.space();
        if (!session.server.has('SASL-IR')) refuse('BAD', 'Initial response is not supported');
        const text = args.run(/[^ ]/);
        initial = text === '=' ? '' : decode(text);
      }
      args.end();
      plain(session);
      const { accounts } = session.server.store;
      if (!['PLAIN', 'LOGIN', 'XOAUTH2'].includes(method) || !session.server.has(`AUTH=${method}`))
        refuse('NO', '[CANNOT] Unsupported authentication mechanism.');
      if (method === 'PLAIN') {
        const [as = '', user = '', password, rest] = (initial ?? (await ask(session, ''))).split('\0');
        if (password === undefined || rest !== undefined) refuse('BAD', 'Invalid PLAIN response');
        return enter(session, user, method, (as === '' || as === user) && accounts.get(user)?.password === password);
      }
      if (method === 'LOGIN') {
        const user = initial ?? (await ask(session, 'VXNlcm5hbWU6'));
        const password = await ask(session, 'UGFzc3dvcmQ6');
        return enter(session, user, method, accounts.get(user)?.password === password);
      }
      const match = /^user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01$/i.exec(initial ?? (await ask(session, '')));
      const good =
        match &&
        (session.server.options.anyone !== undefined ||
          (accounts.get(match[1]!)?.tokens.get(match[2]!) ?? 0) > Date.now());
      if (good) return enter(session, match[1]!, method, true);
      // As Gmail does it: the error as a challenge, which the client answers with an empty line, then NO.
      await ask(
        session,
        Buffer.from('{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}').toString('base64'),
      );
      session.server.login(session, match?.[1] ?? '', method, false);
      return refuse('NO', '[AUTHENTICATIONFAILED] Invalid credentials (Failure)');
    },
  },
  IDLE: {
    state: 'in',
    needs: 'IDLE',
    async run(session, args) {
      args.end();
      session.wire.write('+ idling\r\n');
      const { trouble } = session.server;
      if (!trouble.deafIdle) sync(session, true);
      await session.wire.flush();
      session.idling = true;
      const line = await session.wire.line();
      session.idling = false;
      const fault = session.server.fault('DONE', session.account?.name);
      fault?.before?.();
      if (fault?.delayMs) await new Promise(resolve => setTimeout(resolve, fault.delayMs));
      if (fault?.silent) {
        session.wire.swallow();
        return '';
      }
      if (fault?.bye !== undefined) tell(session, `BYE ${fault.bye}`);
      if (fault?.close === 'reset') session.wire.reset();
      if (line === undefined || fault?.bye !== undefined || fault?.close) {
        session.over = true;
        return 'OK';
      }
      if (fault?.reply) return fault.reply;
      if (line.toUpperCase() !== 'DONE') refuse('BAD', 'Expected DONE.');
      return 'OK Idle completed.';
    },
  },
};
