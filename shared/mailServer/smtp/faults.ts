import type { SMTPServerSession } from 'smtp-server';
import type { Moment, SmtpFault, SmtpOptions } from './options.js';

/** An error that smtp-server answers with this code and text. */
export const refusal = (responseCode: number, text: string) => Object.assign(new Error(text), { responseCode });

/** What is to go wrong: so many times, or for as long as the options say. */
export class Faults {
  private list: SmtpFault[] = [];

  constructor(
    private readonly misbehave: SmtpOptions['misbehave'],
    private readonly cut: (session: SMTPServerSession, how: 'fin' | 'reset') => void,
  ) {}

  add(fault: SmtpFault): void {
    this.list.push({ ...fault });
  }

  clear(): void {
    this.list = [];
  }

  /** Takes the fault whose turn it is. */
  take(at: SmtpFault['at'], about: Moment = {}): SmtpFault | undefined {
    const found = this.list.find(
      f => f.at === at && (!f.recipient || f.recipient === about.recipient) && (!f.user || f.user === about.user),
    );
    if (found && (found.times = (found.times ?? 1) - 1) <= 0) this.list = this.list.filter(f => f !== found);
    const asked = found ? undefined : this.misbehave?.(at, about);
    return found ?? (asked && { ...asked, at });
  }

  /** Plays a fault; true if nothing more may be answered. */
  async play(fault: SmtpFault | undefined, session: SMTPServerSession): Promise<boolean> {
    if (fault?.delayMs) await new Promise(resolve => setTimeout(resolve, fault.delayMs));
    if (fault?.cut) this.cut(session, fault.cut);
    if (fault?.code) throw refusal(fault.code, fault.text ?? 'Refused');
    return Boolean(fault?.cut ?? fault?.silent);
  }
}
