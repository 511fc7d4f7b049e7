// Loaded into n8n before anything else (NODE_OPTIONS): writes down every file of this package that is evaluated.
const { appendFileSync } = require('node:fs');
const Module = require('node:module');
const compile = Module._extensions['.js'];
Module._extensions['.js'] = function (module, filename) {
  if (/n8n-nodes-mailroom[\\/]dist[\\/]/.test(filename)) appendFileSync(process.env.MAILROOM_PROBE, `${filename.split(/n8n-nodes-mailroom[\\/]/).pop()}\n`);
  return compile.call(this, module, filename);
};
