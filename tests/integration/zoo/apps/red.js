module.exports = { flowFile: 'flows.json', credentialSecret: 'zoo', logging: { console: { level: 'warn' } } };
