import { createInterface } from 'node:readline';
import { bigMail, mail } from '../sandbox/corpus.js';
import { startFaultProxy } from '../sandbox/faultProxy.js';
import { startMail } from '../sandbox/mail.js';

/** The servers for one comparison: a backlog, one large message, or mail that arrives while it is watched. */
async function main() {
  const { messages = 0, big, roundTrip = 0, every, count = 0 } = JSON.parse(process.argv[2]!) as { messages?: number; big?: number; roundTrip?: number; every?: number; count?: number };
  const servers = await startMail({ users: 1 });
  const user = servers.users[0]!;
  // A hundred different messages, over and over: the server holds them once, the client reads each anew.
  const variety = Array.from({ length: Math.min(messages, 100) }, (_, i) => mail(i));
  for (let i = 0; i < messages; i++) servers.deliver(user.user, variety[i % variety.length]!);
  if (big) servers.deliver(user.user, bigMail(big));
  let smtpPort = servers.smtp.tlsPort;
  if (roundTrip) { const proxy = await startFaultProxy(servers.smtp.tlsPort); proxy.roundTrip(roundTrip); smtpPort = proxy.port; }
  console.log(JSON.stringify({ port: servers.imap.tlsPort, smtpPort, user: user.user, password: user.password, ca: servers.ca, ...(every ? { count } : {}) }));
  const tell = createInterface({ input: process.stdin });
  tell.on('line', line => {
    if ((JSON.parse(line) as { unseen?: boolean }).unseen) for (const message of servers.folder(user.user).messages) servers.flag(user.user, message.uid, []);
    // How much processor time the servers have used so far.
    const { user: own, system } = process.cpuUsage();
    console.log(JSON.stringify({ cpuMs: (own + system) / 1000 }));
  });
  if (!every) return;
  // The moment of delivery travels in the subject, in milliseconds of the clock both processes share.
  await until(() => servers.imap.count('IDLE') > 0);
  for (let i = 0; i < count; i++) {
    await new Promise(resolve => setTimeout(resolve, every));
    servers.deliver(user.user, { subject: `sent ${performance.timeOrigin + performance.now()}` });
  }
}
const until = async (check: () => boolean) => { while (!check()) await new Promise(resolve => setTimeout(resolve, 20)); };
void main();
