// A grpc-js client with a certificate: asks grpc.health.v1 once and prints the state, or how the call failed.
// node health.js SERVER CA CERT KEY
'use strict';

const fs = require('node:fs');
const grpc = require('@grpc/grpc-js');

const [server, ca, cert, key] = process.argv.slice(2);
const credentials = grpc.credentials.createSsl(...[ca, key, cert].map((path) => fs.readFileSync(path)));
const client = new grpc.Client(server, credentials);
const plain = (bytes) => bytes;
const deadline = Date.now() + 20_000;

client.makeUnaryRequest('/grpc.health.v1.Health/Check', plain, plain, Buffer.alloc(0), { deadline }, (error, answer) => {
  console.log(error ? `${error.code} ${error.details}` : answer.toString('hex')); // 0801: field 1 is 1, SERVING
  client.close();
});
