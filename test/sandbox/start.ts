import { cases } from '../contract/cases.js';

/** `npm run sandbox`: every pretend vendor on loopback, one JSON line each, until Ctrl-C. */
async function main() {
  const vendors = await Promise.all(cases.map(one => one.start()));
  for (const { id, url, account } of vendors) console.log(JSON.stringify({ id, baseUrl: url, account }));
  const stop = async () => { await Promise.all(vendors.map(vendor => vendor.close())); process.exit(0); };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
}
void main();
