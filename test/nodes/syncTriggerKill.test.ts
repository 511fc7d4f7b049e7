import { join } from 'node:path';
import { killTest } from '../e2e/mail/kill.js';
import { embeddedLab } from '../e2e/mail/lab.js';

const packageDir = join(import.meta.dirname, '../..');

describe('Sync Trigger over IMAP, killed', function () {
  this.timeout(90_000);
  it('executes each of 60 messages exactly once through 5 kills and 2 restarts of the server', async () => {
    const lab = await embeddedLab({ users: 1 });
    try {
      await killTest(lab, packageDir, { messages: 60, kills: 5, restarts: 2, over: 15_000, patience: 20_000 });
    } finally {
      await lab.close();
    }
  });
  it('executes each of 60 stars, moves and deletions exactly once through as many', async () => {
    const lab = await embeddedLab({ users: 1 });
    const parameters = { event: 'messageChanged', changes: ['starred', 'moved', 'deleted'], options: { interval: 10 } };
    try {
      await killTest(lab, packageDir, {
        messages: 60,
        kills: 5,
        restarts: 2,
        over: 15_000,
        patience: 40_000,
        parameters,
        changes: true,
      });
    } finally {
      await lab.close();
    }
  });
});
