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

function install(endpoint) {
  const home = new URL(endpoint);
  const scheme = home.protocol === 'https:' ? https : http;
  const send = scheme.request;
  const agent = new scheme.Agent({ keepAlive: true });

  for (const module of [http, https]) {
    const original = module.request;
    module.request = function request(...args) {
      const [options, ...rest] = normal(args);
      const host = options?.hostname ?? options?.host;
      if (typeof host !== 'string' || !AWS.test(host)) return original.apply(this, args);
      const turned = {
        ...options,
        protocol: home.protocol,
        host: home.hostname,
        hostname: home.hostname,
        port: home.port,
        agent,
        headers: withHost(options.headers, host),
      };
      return send.call(scheme, turned, ...rest);
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

module.exports = { install };
