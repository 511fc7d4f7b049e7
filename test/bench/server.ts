import { createInterface } from 'node:readline';
import { realLab } from '../e2e/mail/real.js';
import { bigMail, letter, mail } from '../sandbox/corpus.js';
import { startFaultProxy } from '../sandbox/faultProxy.js';
import { startMail } from '../sandbox/mail.js';

interface Settings {
  kind?: 'embedded' | 'dovecot';
  messages?: number;
  big?: number;
  roundTrip?: number;
  every?: number;
  count?: number;
}

/** What a comparison does with its servers, embedded or Dovecot. */
interface Served {
  settings: Record<string, unknown>;
  /** Marks every message of the inbox as unread. */
  unseen(): Promise<void>;
  deliver(bytes: Buffer): Promise<void>;
  /** Resolves once somebody waits for news. */
  watched(): Promise<void>;
}

/** A hundred different messages, over and over: a server may hold them once, the client reads each anew. */
const variety = Array.from({ length: 100 }, (_, i) => mail(i));
const until = async (check: () => boolean) => {
  while (!check()) await new Promise(resolve => setTimeout(resolve, 20));
};

async function embedded({ messages = 0, big, roundTrip = 0 }: Settings): Promise<Served> {
  const servers = await startMail({ users: 2 });
  const user = servers.users[0]!;
  const other = servers.users[1]!.user;
  for (let i = 0; i < messages; i++) servers.deliver(user.user, variety[i % variety.length]!);
  if (big) servers.deliver(user.user, bigMail(big));
  let smtpPort = servers.smtp.tlsPort;
  if (roundTrip) {
    const proxy = await startFaultProxy(servers.smtp.tlsPort);
    proxy.roundTrip(roundTrip);
    smtpPort = proxy.port;
  }
  return {
    settings: { port: servers.imap.tlsPort, smtpPort, user: user.user, other, password: user.password, ca: servers.ca },
    unseen: async () => {
      for (const message of servers.folder(user.user).messages) servers.flag(user.user, message.uid, []);
    },
    deliver: async bytes => {
      servers.deliver(user.user, bytes);
    },
    watched: () => until(() => servers.imap.count('IDLE') > 0),
  };
}

async function dovecot({ messages = 0, big }: Settings): Promise<Served> {
  const lab = await realLab();
  const user = lab.user();
  const other = lab.user().user;
  const all = messages + (big ? 1 : 0);
  if (all) await lab.fill(user, all, i => (i < messages ? variety[i % variety.length]! : bigMail(big)));
  const phone = async <T>(use: (client: Awaited<ReturnType<typeof lab.phone>>) => Promise<T>) => {
    const client = await lab.phone(user);
    try {
      await client.mailboxOpen('INBOX');
      return await use(client);
    } finally {
      await client.logout();
    }
  };
  // What the server works out once for each message is there before the first contender comes.
  if (all) await phone(client => client.fetchAll('1:*', { envelope: true, bodyStructure: true, size: true }));
  return {
    settings: { port: lab.imapTlsPort, smtpPort: lab.smtpPort, ...user, other, ca: lab.ca },
    unseen: () =>
      phone(async client => {
        await client.messageFlagsRemove('1:*', ['\\Seen']);
      }),
    deliver: bytes => lab.deliver(user, bytes),
    // It does not tell who waits; whoever watches has logged in and opened the folder long before.
    watched: () => new Promise(resolve => setTimeout(resolve, 3_000)),
  };
}

/** The servers for one comparison: a backlog, one large message, or mail that arrives while it is watched. */
async function main() {
  const settings = JSON.parse(process.argv[2]!) as Settings;
  const { every, count = 0 } = settings;
  const served = await (settings.kind === 'dovecot' ? dovecot : embedded)(settings);
  console.log(JSON.stringify({ ...served.settings, ...(every ? { count } : {}) }));
  const tell = createInterface({ input: process.stdin });
  tell.on(
    'line',
    line =>
      void (async () => {
        if ((JSON.parse(line) as { unseen?: boolean }).unseen) await served.unseen();
        // How much processor time the embedded servers have used so far.
        const { user: own, system } = process.cpuUsage();
        console.log(JSON.stringify({ cpuMs: settings.kind === 'dovecot' ? NaN : (own + system) / 1000 }));
      })(),
  );
  // Ends in order, so that real servers go with it.
  tell.on('close', () => process.exit(0));
  if (!every) return;
  // The moment of delivery travels in the subject, in milliseconds of the clock both processes share.
  await served.watched();
  for (let i = 0; i < count; i++) {
    await new Promise(resolve => setTimeout(resolve, every));
    await served.deliver(
      letter({ to: String(served.settings.user), subject: `sent ${performance.timeOrigin + performance.now()}` }),
    );
  }
}
void main();
