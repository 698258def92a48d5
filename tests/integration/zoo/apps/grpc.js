const grpc = require('@grpc/grpc-js');
const bytes = { path: '/Greeter/Hello', requestStream: false, responseStream: false };
const as = (value) => Buffer.from(value);
const method = { ...bytes, requestSerialize: as, requestDeserialize: as, responseSerialize: as, responseDeserialize: as };
const server = new grpc.Server();
server.addService({ Hello: method }, { Hello: (call, callback) => callback(null, 'hello') });
server.bindAsync(`0.0.0.0:${process.env.PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log('listens');
});
process.on('SIGTERM', () => server.tryShutdown(() => console.log('shut down')));
