// Node's own cluster primary, for comparison. usage: node node_primary.js SCRIPT
const cluster = require('cluster');
if (cluster.isMaster) {
  cluster.fork();
  cluster.fork();
} else {
  require(process.argv[2]);
}
