import { after, it } from 'mocha';
import { packN8n } from '../../tools/package.js';
import { installPackage, prepareHost, type Host } from './host.js';
import { installN8n, OLDEST } from './install.js';
import { endAll, endWithSignals } from './processes.js';

/**
 * What the files of this suite share: the installed n8n, the packed package, and one running n8n with its owner logged
 * in.
 */
let evaluated: string[] = [];
let home: Promise<string> | undefined;
let tgz: string | undefined;
let shared: Promise<Host> | undefined;
endWithSignals();

export const theHome = () => (home ??= installN8n());
export const thePackage = () => (tgz ??= packN8n().file);
/** What a start of n8n evaluated of the package, before anyone asked anything. */
export const evaluatedAtStart = () => evaluated;
export const theHost = () =>
  (shared ??= (async () => {
    const host = await prepareHost({ home: await theHome() });
    installPackage(thePackage(), host.userFolder);
    await host.start();
    evaluated = host.evaluated();
    await host.login();
    return host;
  })());

/** A test of what the oldest n8n cannot do; a run there says that it is left out, and why. */
export function newerOnly(title: string, reason: string, test: () => Promise<void>) {
  if (OLDEST) process.stderr.write(`Left out: ${title}. ${reason}.\n`);
  else it(title, test);
}

after(async function () {
  this.timeout(60_000);
  await (await shared?.catch(() => undefined))?.close();
  endAll();
});
