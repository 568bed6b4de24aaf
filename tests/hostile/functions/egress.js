// What is reached where functions may reach other networks, from Node.
"use strict";
const http = require("node:http");
const net = require("node:net");
const dns = require("node:dns").promises;
const dgram = require("node:dgram");

const agent = new http.Agent({ keepAlive: true });

const acts = {
  get: (event) =>
    new Promise((resolve, reject) => {
      http.get(event.url, { agent }, (reply) => {
        let text = "";
        reply.on("data", (part) => (text += part));
        reply.on("end", () => resolve({ text, reused: reply.req.reusedSocket }));
      }).on("error", reject);
    }),
  fetch: async (event) => (await fetch(event.url)).text(),
  many: async (event) => {
    const one = async (number) => (await fetch(`${event.url}${number}`)).text();
    const texts = await Promise.all(Array.from({ length: event.count }, (_, at) => one(at)));
    return texts.filter((text, at) => text === `reached /${at}`).length;
  },
  peer: (event) =>
    new Promise((resolve, reject) => {
      const socket = net.connect(event.port, event.host, () => {
        resolve([socket.remoteAddress, socket.remotePort]);
        socket.destroy();
      });
      socket.on("error", reject);
    }),
  // The loop turns while nobody answers.
  pending: (event) =>
    new Promise((resolve) => {
      const begun = Date.now();
      let turns = 0;
      const turning = setInterval(() => turns++, 10);
      const socket = net.connect(event.port, event.host);
      socket.setTimeout(500, () => {
        socket.destroy();
        clearInterval(turning);
        resolve([turns > 20, Date.now() - begun < 2000]);
      });
      socket.on("connect", () => resolve("connected"));
      socket.on("error", (error) => resolve(error.code));
    }),
  lookup: async (event) => (await dns.lookup(event.name)).address,
  resolve: (event) => dns.resolve4(event.name),
  datagram: (event) =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket("udp4");
      socket.on("error", reject);
      socket.on("message", (message) => {
        socket.close();
        resolve(message.toString());
      });
      socket.connect(event.port, event.host, () => socket.send("node"));
    }),
};

exports.handler = async (event) => {
  try {
    return { ok: await acts[event.act](event), pid: process.pid };
  } catch (error) {
    const cause = error.cause ?? error;
    return { error: cause.code ?? cause.errors?.[0]?.code ?? String(cause) };
  }
};
