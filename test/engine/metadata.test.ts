import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

// With these files n8n starts without evaluating our code. They are written by our own build, so that it needs no n8n.
describe('the metadata for lazy loading', () => {
  it("is what n8n's own generator writes", async () => {
    const root = join(__dirname, '..', '..');
    const folder = await mkdtemp(join(tmpdir(), 'mailroom-metadata-'));
    try {
      await cp(join(root, 'package.json'), join(folder, 'package.json'));
      await cp(join(root, 'dist'), join(folder, 'dist'), {
        recursive: true,
        filter: source => !/dist[\\/](known|types)/.test(source),
      });
      await mkdir(join(folder, 'node_modules'));
      await symlink(join(__dirname, 'node_modules/n8n-workflow'), join(folder, 'node_modules/n8n-workflow'));
      await promisify(execFile)(process.execPath, [join(__dirname, 'node_modules/n8n-core/bin/generate-metadata')], {
        cwd: folder,
        env: { ...process.env, N8N_USER_FOLDER: folder, N8N_ENCRYPTION_KEY: 'test', NODE_OPTIONS: '' },
      });
      for (const name of ['known/nodes.json', 'known/credentials.json', 'types/nodes.json', 'types/credentials.json']) {
        const read = async (where: string) => JSON.parse(await readFile(join(where, 'dist', name), 'utf8')) as unknown;
        assert.deepEqual(await read(root), await read(folder), name);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }).timeout(30_000);
});
