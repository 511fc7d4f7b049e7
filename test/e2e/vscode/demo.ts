import { buildVsix } from '../../tools/vsix.js';
import { openInBrowserServer } from './front.js';
import { startSandboxes } from './driver.js';
import { startServer, type Version } from './workbench.js';

/**
 * `npm run demo:vscode`: the genuine workbench with the sandbox accounts already there, for a browser on this machine,
 * until Ctrl-C.
 */
async function main(): Promise<void> {
  const version: Version = process.argv.includes('--oldest') ? 'oldest' : 'newest';
  const at = process.argv.indexOf('--port');
  const wanted = at > 0 ? Number(process.argv[at + 1]) : 8080;
  const box = await startSandboxes();
  const server = await startServer({ version, vsix: buildVsix().file, env: { MAILROOM_SANDBOX: box.lines } });
  const front = await openInBrowserServer(server.url, wanted);
  console.log(
    `\nOpen ${front.url}/?folder=${server.folder}\n\nThen choose the Mailroom icon in the bar on the left. Everything is pretended; nothing leaves this machine. Ctrl-C ends it.`,
  );
  const stop = async () => {
    await front.close();
    await server.close();
    await box.close();
    process.exit(0);
  };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
}
void main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
