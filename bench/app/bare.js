// The reference: the same handler under Node's own HTTP server, with nothing in between.
'use strict';

const { createServer } = require('node:http');

const { handler } = require('./handler.js');

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    const answer = await handler({ body: Buffer.concat(chunks).toString() });
    response.writeHead(answer.statusCode, answer.headers);
    response.end(answer.body);
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
