// Finds and loads the user's handler, in the order of Lambda's Node runtime.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const { pathToFileURL } = require('node:url');
const {
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  UserCodeSyntaxError,
} = require('./errors.js');

/** `src/orders/create.handler` in the folder `root` → the function. */
async function load(root, name) {
  const { folder, module, property } = split(name);
  const file = path.resolve(root, folder, module);
  const exports = await open(root, file, module);
  const handler = property.split('.').reduce((object, key) => object?.[key], exports);
  if (handler === undefined || handler === null) {
    throw new HandlerNotFound(`${name} is undefined or not exported`);
  }
  if (typeof handler !== 'function') throw new HandlerNotFound(`${name} is not a function`);
  return handler;
}

function split(name) {
  if (name.includes('..')) {
    const advice = 'Use absolute paths when specifying root directories in handler names.';
    throw new MalformedHandlerName(`'${name}' is not a valid handler name. ${advice}`);
  }
  const base = path.basename(name);
  const found = /^([^.]*)\.(.*)$/.exec(base);
  if (!found) throw new MalformedHandlerName('Bad handler');
  return { folder: name.slice(0, name.indexOf(base)), module: found[1], property: found[2] };
}

async function open(root, file, module) {
  try {
    return await find(root, file, module);
  } catch (error) {
    if (error instanceof SyntaxError) {
      const wrapped = new UserCodeSyntaxError(error);
      // The place of the mistake is in the stack of the original alone.
      wrapped.stack = `${wrapped.name}: ${error}\n${error.stack}`;
      throw wrapped;
    }
    const missing = error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND';
    throw missing ? new ImportModuleError(error) : error;
  }
}

function find(root, file, module) {
  const require = createRequire(path.join(root, 'index.js'));
  if (isFile(file)) return require(file);
  const js = `${file}.js`;
  if (isFile(js)) return isModule(js, root) ? esm(js) : require(js);
  if (isFile(`${file}.mjs`)) return esm(`${file}.mjs`);
  if (isFile(`${file}.cjs`)) return require(`${file}.cjs`);
  // Not a file of the package's: a module found as `require` finds them.
  return require(require.resolve(module, { paths: [root, path.dirname(file)] }));
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

function esm(file) {
  return import(pathToFileURL(file).href);
}

/** Whether the nearest package.json at or below the root says `"type": "module"`. */
function isModule(file, root) {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (isFile(manifest)) {
      try {
        return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
      } catch {
        return false;
      }
    }
    if (folder === root || folder === path.dirname(folder)) return false;
  }
}

module.exports = { load };
