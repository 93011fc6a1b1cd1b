/**
 * A stock grpc-js client with xDS, driven by JSON lines on stdin.
 *
 * Start: node client.js TARGET [CHANNELS], with NODE_PATH naming the installed packages and GRPC_XDS_BOOTSTRAP_CONFIG
 * set for xds:/// targets; "{}" in the target is replaced by the channel's number. Commands: call {n, parallel},
 * slow_call {n}, start_load {rps}, stop_load, quit; one JSON line answers each. The same protocol as
 * tests/support/clients_grpcio.py and ../go.
 */
'use strict';

const readline = require('node:readline');
const grpc = require('@grpc/grpc-js');
const xds = require('@grpc/grpc-js-xds');

const ECHO = '/lab.Echo/Echo';
const SLOW = '/lab.Echo/Slow';
const CALL_SECONDS = 20;
const KEPT_ERRORS = 5;
const asIs = (bytes) => bytes;

/** Calls counted by answering backend, and the first few errors in full. */
class Tally {
  constructor() {
    this.answer = { ok: 0, failed: 0, backends: {}, errors: [] };
  }

  /** Makes one call and counts how it ended; never rejects. */
  call(channel, method) {
    const started = process.hrtime.bigint();
    const options = { deadline: new Date(Date.now() + CALL_SECONDS * 1000) };
    return new Promise((resolve) => {
      channel.makeUnaryRequest(method, asIs, asIs, Buffer.from('x'), options, (error, reply) => {
        if (error) this.failed(error, Number(process.hrtime.bigint() - started) / 1e9);
        else this.succeeded(`127.0.0.1:${reply.toString()}`);
        resolve();
      });
    });
  }

  succeeded(backend) {
    this.answer.ok += 1;
    this.answer.backends[backend] = (this.answer.backends[backend] ?? 0) + 1;
  }

  failed(error, seconds) {
    this.answer.failed += 1;
    if (this.answer.errors.length < KEPT_ERRORS) {
      this.answer.errors.push({ code: grpc.status[error.code], details: error.details, seconds });
    }
  }
}

/** The channels and the running load of this process. */
class Client {
  constructor(target, channels) {
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    this.channels = Array.from(
      { length: channels },
      (_, i) => new grpc.Client(target.replaceAll('{}', String(i)), grpc.credentials.createInsecure(), options),
    );
    this.stopping = false;
    this.load = null;
  }

  channel(i) {
    return this.channels[i % this.channels.length];
  }

  /** Makes n calls, at most `parallel` at once, spread over the channels in turn. */
  async calls(n, method, parallel) {
    const tally = new Tally();
    let next = 0;
    const work = async () => {
      while (next < n) await tally.call(this.channel(next++), method);
    };
    await Promise.all(Array.from({ length: parallel }, work));
    return tally.answer;
  }

  /** Starts calls at a steady rate until told to stop, then waits for the last ones. */
  async runLoad(rps) {
    const tally = new Tally();
    const running = new Set();
    const start = Date.now();
    for (let i = 0; !this.stopping; i += 1) {
      const call = tally.call(this.channel(i), ECHO).then(() => running.delete(call));
      running.add(call);
      const wait = Math.max(0, start + ((i + 1) / rps) * 1000 - Date.now());
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
    await Promise.all(running);
    return tally.answer;
  }

  /** Carries out one command; rejects for a word that is not one. */
  async handle(command) {
    switch (command.cmd) {
      case 'call':
        return this.calls(command.n, ECHO, command.parallel);
      case 'slow_call':
        return this.calls(command.n, SLOW, command.n);
      case 'start_load':
        this.stopping = false;
        this.load = this.runLoad(command.rps);
        return {};
      case 'stop_load':
        this.stopping = true;
        return this.load;
      default:
        throw new Error(`no such command: ${command.cmd}`);
    }
  }
}

async function main(target, channels) {
  xds.register();
  const client = new Client(target, channels);
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    if (command.cmd === 'quit') break;
    process.stdout.write(`${JSON.stringify(await client.handle(command))}\n`);
  }
  process.exit(0); // open channels would keep the event loop alive
}

main(process.argv[2], Number(process.argv[3] ?? 1)).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
