// Brings SDK calls home. The AWS SDK v3 knows AWS_ENDPOINT_URL; v2 (up to its last, 2.1693) and v3
// before 2023 do not, and code bundled with them cannot be reached through `require`. They do all
// their I/O through `https.request`, so requests to AWS are turned around there. The Host header
// stays what was signed, and tells the gateway the service.
'use strict';

const http = require('node:http');
const https = require('node:https');
const { syncBuiltinESMExports } = require('node:module');
const { urlToHttpOptions } = require('node:url');

const AWS = /(^|\.)amazonaws\.com(\.cn)?$/;

/** Where requests to AWS go; undefined leaves them alone. */
let home;

function setHome(endpoint) {
  home = undefined;
  if (!endpoint) return;
  const { protocol, hostname, port } = new URL(endpoint);
  const scheme = protocol === 'https:' ? https : http;
  const agent = new scheme.Agent({ keepAlive: true });
  home = { scheme, options: { protocol, host: hostname, hostname, port, agent } };
}

/** Takes a millisecond: to be called while nobody waits. */
function install() {
  const originals = new Map([http, https].map((module) => [module, module.request]));
  for (const module of [http, https]) {
    module.request = function request(...args) {
      if (!home) return originals.get(module).apply(this, args);
      const [options, ...rest] = normal(args);
      const host = options?.hostname ?? options?.host;
      const ours = typeof host === 'string' && AWS.test(host);
      if (!ours) return originals.get(module).apply(this, args);
      const headers = withHost(options.headers, host);
      const turned = { ...options, ...home.options, headers };
      return originals.get(home.scheme).call(home.scheme, turned, ...rest);
    };
    module.get = function get(...args) {
      const request = module.request(...args);
      request.end();
      return request;
    };
  }
  syncBuiltinESMExports();
}

/** `(url, options?, callback?)` as `(options, callback?)`; anything else as it is. */
function normal(args) {
  const [first, second, ...rest] = args;
  if (typeof first !== 'string' && !(first instanceof URL)) return args;
  if (!URL.canParse?.(first) && typeof first === 'string') return args;
  const options = urlToHttpOptions(new URL(first));
  if (typeof second === 'function') return [options, second];
  return [{ ...options, ...second }, ...rest];
}

function withHost(headers, host) {
  const given = Array.isArray(headers) ? Object.fromEntries(pairs(headers)) : { ...headers };
  const named = Object.keys(given).some((name) => name.toLowerCase() === 'host');
  return named ? given : { Host: host, ...given };
}

function pairs(list) {
  if (Array.isArray(list[0])) return list;
  return list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1]]] : []));
}

module.exports = { install, setHome };
