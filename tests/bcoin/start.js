'use strict';

// Starts one bcoin full node in regtest, in memory, and prints READY once its RPC answers.
// usage: node start.js HTTP_PORT P2P_PORT API_KEY   (NODE_BACKEND=js in the environment)

const FullNode = require('bcoin/lib/node/fullnode');

const [httpPort, p2pPort, apiKey] = process.argv.slice(2);

const node = new FullNode({
  network: 'regtest',
  memory: true,
  workers: false,
  listen: true,
  host: '127.0.0.1',
  port: Number(p2pPort),
  publicHost: '127.0.0.1',
  publicPort: Number(p2pPort),
  httpHost: '127.0.0.1',
  httpPort: Number(httpPort),
  apiKey,
  bip37: false,
  maxOutbound: 2,
  requireStandard: false,
  logConsole: false,
  logFile: false,
  logLevel: 'error'
});

process.on('unhandledRejection', (error) => {
  console.error(error);
  process.exit(1);
});

(async () => {
  await node.open();
  await node.connect();
  node.startSync();
  console.log('READY');
})().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
