// Bundles the handlers once, with the SDKs left outside so that a test can stand in for them.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { buildSync } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const outdir = `${root}node_modules/.cache/orders-test`;

process.env.TABLE_NAME = 'orders-test';
process.env.CURRENCY = 'EUR';
process.env.AWS_REGION = 'us-east-1';
process.env.PAYMENT_LIMIT_CENTS = '1000000';

buildSync({
  entryPoints: readdirSync(`${root}src`)
    .filter((name) => /\.(ts|js)$/.test(name))
    .map((name) => `${root}src/${name}`)
    .concat(`${root}src/lib/order.ts`),
  entryNames: '[name]',
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20',
  outdir,
});

/** Loads from where the handlers are, so that both see the same copy of a package. */
export const load = createRequire(`${outdir}/index.js`);
