// Property tests draw the same inputs in every run, so that a run fails because of a change and not by luck. `SEED=new
// npm test` draws others, and says which; `SEED=123 npm test` draws those of a run that said 123.
import fc from 'fast-check';

const { SEED } = process.env;
const seed = SEED === 'new' ? Date.now() % 0x7fffffff : Number(SEED || 1);
if (SEED === 'new') console.log(`Property tests begin with the seed ${seed}.`);
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
