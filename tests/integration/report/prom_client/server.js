// A service with metrics of every kind and aggregator. The values are the slot's own; what this worker would tell a
// primary is written to $FOLDER/<slot>.json. /block?ms=N computes for so long.
const fs = require('fs');
const http = require('http');
const client = require('prom-client');

new client.AggregatorRegistry(); // from now on the worker answers to its primary
const slot = Number(process.env.NODEINIT_SLOT);
if (process.env.DEFAULTS) client.collectDefaultMetrics();

const hits = new client.Counter({ name: 'hits_total', help: 'Hits, "quoted" \\ and\nbroken', labelNames: ['code', 'path'] });
hits.inc({ code: 200, path: '/' }, 3 + slot);
hits.inc({ code: 500, path: '/a"b\\c\nd' }, 1);
if (slot === 1) hits.inc({ code: '404', path: 'only there' });
new client.Counter({ name: 'plain', help: 'A counter without _total' }).inc(1.5);
for (const aggregator of ['sum', 'first', 'min', 'max', 'average', 'omit']) {
  const gauge = new client.Gauge({ name: `gauge_${aggregator}`, help: aggregator, aggregator });
  gauge.set(aggregator === 'first' ? 7 : 10 + 2.5 * slot);
}
new client.Gauge({ name: 'not_a_number', help: 'NaN' }).set(NaN);
const took = new client.Histogram({ name: 'took_seconds', help: 'Time', labelNames: ['route'], buckets: [0.1, 0.5, 1] });
for (const value of [0.05, 0.3, 0.7 + slot]) took.observe({ route: '/x' }, value);
const sizes = new client.Summary({ name: 'size_bytes', help: 'Size', percentiles: [0.5, 0.99] });
for (let i = 1; i <= 10; ++i) sizes.observe(i * (slot + 1));
const other = new client.Registry();
new client.Gauge({ name: 'of_another_registry', help: 'x', registers: [other] }).set(slot + 1);
client.AggregatorRegistry.setRegistries([client.register, other]);

Promise.all([client.register.getMetricsAsJSON(), other.getMetricsAsJSON()]).then((registries) => {
  if (process.env.FOLDER) fs.writeFileSync(`${process.env.FOLDER}/${slot}.json`, JSON.stringify(registries));
  http.createServer((request, response) => {
    const ms = Number(new URL(request.url, 'http://x').searchParams.get('ms') || 0);
    for (const end = Date.now() + ms; Date.now() < end;);
    response.end(String(process.pid));
  }).listen(process.env.PORT);
});
