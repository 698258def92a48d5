// What prom-client's own primary makes of the workers' answers: aggregate.js prometheus|openmetrics FILE…
const fs = require('fs');
const { AggregatorRegistry, Registry } = require('prom-client');

const [format, ...files] = process.argv.slice(2);
const answers = files.flatMap((file) => JSON.parse(fs.readFileSync(file)));
const type = format === 'openmetrics' ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE;
AggregatorRegistry.aggregate(answers, type).metrics().then((text) => process.stdout.write(text));
